// A server of the TypeScript SDK 2.x that does what `../python/server.py` and `../rust` do.
//
//   node server.mjs legacy|dual|modern
//
// prints `listening on PORT`, and ends with its standard input.
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { NodeStreamableHTTPServerTransport, toNodeHandler, toWebRequest } from "@modelcontextprotocol/node";
import {
  Server,
  UrlElicitationRequiredError,
  createMcpHandler,
  inputRequired,
  isInitializeRequest,
  isLegacyRequest,
} from "@modelcontextprotocol/server";

const eras = process.argv[2];
const NOTE = "peer://note";
const FORM = {
  type: "object",
  properties: { name: { type: "string" } },
  required: ["name"],
};
const QUESTION = {
  messages: [{ role: "user", content: { type: "text", text: "why?" } }],
  maxTokens: 17,
};

const ADDRESS = { mode: "url", message: "Sign in.", url: "https://sign-in.example/?a=%2Fb" };

const tool = (name, properties = {}) => ({ name, inputSchema: { type: "object", properties } });
const TOOLS = [
  tool("echo", { text: { type: "string", "x-mcp-header": "Text" } }),
  tool("count", { steps: { type: "integer" } }),
  tool("ask", { what: { type: "string" } }),
  tool("visit"),
  tool("wait"),
  tool("cancelled"),
  tool("change"),
  tool("log"),
];

const pause = () => new Promise((resolve) => setTimeout(resolve, 20));
const said = (text) => ({ content: [{ type: "text", text }] });
let cancelled = 0;
/** Whether the host of a legacy session was told to open the address. */
let told = false;
/** The sessions of legacy hosts that have subscribed. */
const subscribed = new Set();

/** What the tools do. */
const does = {
  echo: ({ text }) => said(text),
  async count({ steps }, { mcpReq }) {
    const progressToken = mcpReq._meta.progressToken;
    for (let progress = 1; progress <= steps; progress += 1) {
      const params = { progressToken, progress, total: steps };
      await mcpReq.notify({ method: "notifications/progress", params });
      await pause();
    }
    return said(`counted to ${steps}`);
  },
  async ask({ what }, { mcpReq }, era) {
    const elicits = what === "elicitation";
    const form = { mode: "form", message: "Who are you?", requestedSchema: FORM };
    let answer = mcpReq.inputResponses?.it;
    if (era === "legacy") {
      answer = await (elicits ? mcpReq.elicitInput(form) : mcpReq.requestSampling(QUESTION));
    } else if (answer === undefined) {
      const it = elicits ? inputRequired.elicit(form) : inputRequired.createMessage(QUESTION);
      return inputRequired({ inputRequests: { it }, requestState: "a state" });
    }
    return said(`the host said ${elicits ? answer.content.name : answer.content.text}`);
  },
  visit(_, { mcpReq }, era) {
    if (era === "legacy") {
      told = !told;
      if (told) throw new UrlElicitationRequiredError([{ ...ADDRESS, elicitationId: "e-1" }]);
    } else if (mcpReq.inputResponses?.it?.action !== "accept") {
      const { message, url } = ADDRESS;
      return inputRequired({ inputRequests: { it: inputRequired.elicitUrl({ message, url }) } });
    }
    return said("visited");
  },
  wait: (_, { mcpReq }) =>
    new Promise((resolve) => {
      const late = setTimeout(() => resolve(said("waited")), 30_000);
      mcpReq.signal.addEventListener("abort", () => {
        cancelled += 1;
        clearTimeout(late);
        resolve(said("cancelled"));
      });
    }),
  cancelled: () => said(String(cancelled)),
  async change() {
    modern.notify.toolsChanged();
    modern.notify.resourceUpdated(NOTE);
    for (const server of subscribed) {
      await server.sendToolListChanged();
      await server.sendResourceUpdated({ uri: NOTE });
    }
    return said("changed");
  },
  async log(_, { mcpReq }) {
    await mcpReq.log("debug", "debug");
    await mcpReq.log("error", "error");
    return said("logged");
  },
};

function newServer({ era }) {
  const server = new Server(
    { name: "peer-ts", version: "1.0.0" },
    {
      capabilities: {
        tools: { listChanged: true },
        resources: { subscribe: true },
        logging: {},
      },
      instructions: "Be kind.",
    },
  );
  server.setRequestHandler("tools/list", () => ({ tools: TOOLS }));
  server.setRequestHandler("tools/call", ({ params }, context) =>
    does[params.name](params.arguments, context, era),
  );
  server.setRequestHandler("resources/list", () => ({ resources: [{ uri: NOTE, name: "note" }] }));
  server.setRequestHandler("resources/read", ({ params: { uri } }) => ({
    contents: [{ uri, text: "a note" }],
  }));
  if (era === "legacy") {
    server.setRequestHandler("resources/subscribe", () => {
      subscribed.add(server);
      return {};
    });
    server.setRequestHandler("resources/unsubscribe", () => ({}));
  }
  return server;
}

const modern = createMcpHandler(newServer, { legacy: "reject", keepAliveMs: 500 });
const serveModern = toNodeHandler(modern);
const sessions = new Map();

/** The SDK's own way to serve what came before, with sessions. */
async function serveLegacy(request, response, body) {
  let transport = sessions.get(request.headers["mcp-session-id"]);
  if (transport === undefined && isInitializeRequest(body)) {
    const server = newServer({ era: "legacy" });
    transport = new NodeStreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      onsessioninitialized: (id) => sessions.set(id, transport),
      onsessionclosed: (id) => {
        sessions.delete(id);
        subscribed.delete(server);
      },
    });
    await server.connect(transport);
  }
  // Without a session the transport says what is missing.
  transport ??= new NodeStreamableHTTPServerTransport({ sessionIdGenerator: randomUUID });
  await transport.handleRequest(request, response, body);
}

async function bodyOf(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return chunks.length === 0 ? undefined : JSON.parse(Buffer.concat(chunks).toString());
}

const listener = createServer(async (request, response) => {
  const body = await bodyOf(request);
  const legacy =
    eras === "legacy" ||
    (eras === "dual" && (await isLegacyRequest(await toWebRequest(request, body))));
  await (legacy ? serveLegacy : serveModern)(request, response, body);
});
listener.listen(0, "127.0.0.1", () => console.log(`listening on ${listener.address().port}`));
process.stdin.on("end", () => process.exit(0)).resume();
