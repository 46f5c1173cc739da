// What a host of one era does with a server of any: the TypeScript SDK 2.x, pinned to the era.
//
//   node eras.mjs --negotiate legacy|2026-07-28 -- BRIDGE URL [ARGUMENT...]
//
// `../python/eras.py` has the same steps in the same order. Change both.
import { Client, LOG_LEVEL_META_KEY } from "@modelcontextprotocol/client";
import { StdioClientTransport, getDefaultEnvironment } from "@modelcontextprotocol/client/stdio";
import { expect, expectThat, main, sleep, step, until } from "./harness.mjs";
import { trace } from "./steps.mjs";

const MODERN = "2026-07-28";
const NOTE = "peer://note";
const AWKWARD = " na\u00efve \u65e5\u672c\u8a9e\r\n\u{1f980} ";
const ADDRESS = "https://sign-in.example/?a=%2Fb";
const TOOLS = ["ask", "cancelled", "change", "count", "echo", "log", "visit", "wait"];
const text = (result) => result.content.map((block) => block.text ?? "").join("\n");

await main(async (watched, negotiate) => {
  const modern = negotiate === MODERN;
  const client = new Client(
    { name: "peer-eras", version: "1.0.0" },
    {
      capabilities: { sampling: {}, elicitation: { form: {}, url: {} } },
      versionNegotiation: { mode: modern ? { pin: MODERN } : "legacy" },
    },
  );
  const asked = [];
  const logs = [];
  const updates = [];
  let lists = 0;
  client.setRequestHandler("sampling/createMessage", ({ params }) => {
    asked.push(["sampling", params.maxTokens]);
    const content = { type: "text", text: "because \u2713" };
    return { model: "peer-model", role: "assistant", stopReason: "endTurn", content };
  });
  client.setRequestHandler("elicitation/create", ({ params }) => {
    asked.push(["elicitation", params.message]);
    if (params.mode === "url") {
      asked.push(["address", params.url]);
      return { action: "accept" };
    }
    return { action: "accept", content: { name: "Ren\u00e9e" } };
  });
  client.setNotificationHandler("notifications/message", ({ params }) => {
    logs.push(params.level);
  });
  client.setNotificationHandler("notifications/resources/updated", ({ params }) => {
    updates.push(params.uri);
  });
  client.setNotificationHandler("notifications/tools/list_changed", () => {
    lists += 1;
  });
  const { command, args } = watched;
  const transport = new StdioClientTransport({ command, args, env: getDefaultEnvironment() });
  const wire = trace(transport);
  const call = (name, args = {}, options, _meta) =>
    client.callTool({ name, arguments: args, ...(_meta && { _meta }) }, options);

  await step("open", async () => {
    await client.connect(transport);
    const version = client.getNegotiatedProtocolVersion();
    expect("version", version, modern ? MODERN : "2025-11-25");
    expectThat("name", /^peer-/.test(client.getServerVersion()?.name), client.getServerVersion());
    expect("instructions", client.getInstructions(), "Be kind.");
  });

  await step("call what was not listed", async () => {
    // Where the server is a modern one, this has to be in a header, which only the list tells.
    expect("echo", text(await call("echo", { text: AWKWARD })), AWKWARD);
  });

  await step("list", async () => {
    const { tools } = await client.listTools();
    const names = tools.map(({ name }) => name).sort();
    expect("tools", names, TOOLS);
    const { resources } = await client.listResources();
    expect("resources", resources.map(({ uri }) => uri), [NOTE]);
    expect("note", (await client.readResource({ uri: NOTE })).contents[0].text, "a note");
    expect("echo", text(await call("echo", { text: AWKWARD })), AWKWARD);
  });

  await step("progress", async () => {
    const from = wire.length;
    const seen = [];
    const result = await call("count", { steps: 5 }, { onprogress: (it) => seen.push(it.progress) });
    expect("result", text(result), "counted to 5");
    const order = wire
      .slice(from)
      .filter((message) => message.method === "notifications/progress" || message.result)
      .map((message) => message.params?.progress ?? "result");
    expect("order on the wire", order, [1, 2, 3, 4, 5, "result"]);
    // The SDK loses what arrives in one piece with the result.
    expect("progress", seen, [1, 2, 3, 4, 5].slice(0, seen.length));
  });

  await step("elicitation", async () => {
    const result = await call("ask", { what: "elicitation" });
    expect("result", text(result), "the host said Ren\u00e9e");
    expect("asked", asked.splice(0), [["elicitation", "Who are you?"]]);
  });

  await step("sampling", async () => {
    const result = await call("ask", { what: "sampling" });
    expect("result", text(result), "the host said because \u2713");
    expect("asked", asked.splice(0), [["sampling", 17]]);
  });

  await step("address", async () => {
    // Where both are legacy, the server refuses the call and names the address.
    let result = await call("visit").catch((error) => error);
    if (result instanceof Error) {
      expect("code", result.code, -32042);
      asked.push(["elicitation", "Sign in."], ["address", result.data.elicitations[0].url]);
      result = await call("visit");
    }
    expect("result", text(result), "visited");
    expect("asked", asked.splice(0), [
      ["elicitation", "Sign in."],
      ["address", ADDRESS],
    ]);
  });

  await step("subscription", async () => {
    const filter = { toolsListChanged: true, resourceSubscriptions: [NOTE] };
    let subscription;
    if (modern) subscription = await client.listen(filter);
    else await client.subscribeResource({ uri: NOTE });
    await call("change");
    await until(() => updates.length > 0 && lists > 0);
    expect("updated", updates[0], NOTE);
    if (modern) await subscription.close();
    else await client.unsubscribeResource({ uri: NOTE });
  });

  await step("cancellation", async () => {
    const before = Number(text(await call("cancelled")));
    const abort = new AbortController();
    const outcome = call("wait", {}, { signal: abort.signal }).then(
      () => "result",
      () => "cancelled",
    );
    // It has to be there before it can be cancelled there.
    await sleep(300);
    abort.abort("enough");
    expect("outcome", await outcome, "cancelled");
    for (;;) {
      const now = Number(text(await call("cancelled")));
      if (now === before + 1) break;
      expect("cancelled", now, before);
      await sleep(50);
    }
  });

  await step("log level", async () => {
    for (const [level, expected] of [
      ["error", ["error"]],
      ["debug", ["debug", "error"]],
    ]) {
      logs.length = 0;
      if (!modern) await client.setLoggingLevel(level);
      await call("log", {}, undefined, modern && { [LOG_LEVEL_META_KEY]: level });
      await until(() => logs.includes("error"));
      expect(`at ${level}`, logs, expected);
    }
  });

  await step("close", async () => {
    const bridge = transport.pid;
    await client.close();
    const status = await until(() =>
      watched.status(bridge) === undefined ? undefined : [watched.status(bridge)],
    );
    expect("exit status", status, [0]);
    expect("processes left", watched.running(), []);
  });
});
