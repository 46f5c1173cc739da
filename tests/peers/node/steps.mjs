// Everything that a client can do with the reference server, in the order of a session. Written
// against what `@modelcontextprotocol/sdk` 1.x and `@modelcontextprotocol/client` 2.x share.
import { expect, expectThat, step, until } from "./harness.mjs";

export const CAPABILITIES = {
  sampling: {},
  elicitation: { form: {}, url: {} },
  roots: { listChanged: true },
};

const TOOLS = [
  "echo",
  "get-annotated-message",
  "get-env",
  "get-resource-links",
  "get-resource-reference",
  "get-roots-list",
  "get-structured-content",
  "get-sum",
  "get-tiny-image",
  "gzip-file-as-resource",
  "toggle-simulated-logging",
  "toggle-subscriber-updates",
  "trigger-elicitation-request",
  "trigger-long-running-operation",
  "trigger-sampling-request",
  "trigger-url-elicitation",
];
const PROMPTS = ["args-prompt", "completable-prompt", "resource-prompt", "simple-prompt"];
const DOCUMENT = "demo://resource/static/document/features.md";
const DYNAMIC = "demo://resource/dynamic/text/7";
// Two, three and four bytes in UTF-8, a separator that looks like a line end, and escapes.
const AWKWARD = 'na\u00efve \u65e5\u672c\u8a9e \u{1f980} \u2028 "quoted" \\ tab\t line\nend\u0000';
const SIGN_IN = "https://sign-in.example/start?state=a%2Fb&scope=x+y";

const names = (list) => list.map(({ name }) => name).sort();
const missing = (list, expected) => expected.filter((name) => !list.includes(name));
const text = (result) => result.content.map((block) => block.text ?? "").join("\n");

/** Notes every message from the bridge in the order of the wire, before the SDK sees it. */
export function trace(transport) {
  const messages = [];
  const start = transport.start;
  transport.start = async function () {
    const deliver = this.onmessage;
    this.onmessage = (message, extra) => {
      messages.push(message);
      deliver?.(message, extra);
    };
    return start.call(this);
  };
  return messages;
}

/** The client's side of what a server may ask: answers, and notes the questions. */
export class Host {
  roots = [{ uri: "file:///peers/one", name: "one" }];
  asked = { sampling: [], elicitation: [], roots: 0 };
  logs = [];
  updates = [];

  sampling({ params }) {
    this.asked.sampling.push(params);
    const content = { type: "text", text: "an answer from the host \u2713" };
    return { model: "peer-model", role: "assistant", stopReason: "endTurn", content };
  }

  elicitation({ params }) {
    this.asked.elicitation.push(params);
    if (params.mode === "url") return { action: "accept" };
    return { action: "accept", content: { name: "Ren\u00e9e", check: true, integer: 7 } };
  }

  listRoots() {
    this.asked.roots += 1;
    return { roots: this.roots };
  }
}

export async function session({ client, callTool, transport, host, wire, watched }) {
  const call = (name, args = {}, options) => callTool({ name, arguments: args }, options);

  await step("initialize", async () => {
    await client.connect(transport);
    expect("name", client.getServerVersion()?.name, "mcp-servers/everything");
    expectThat("instructions", client.getInstructions()?.length > 0, client.getInstructions());
    const { logging, prompts, resources, tools } = client.getServerCapabilities();
    expectThat(
      "capabilities",
      logging && prompts && resources?.subscribe && tools,
      client.getServerCapabilities(),
    );
  });
  const bridge = transport.pid;
  // From 2026-07-28 on nothing is set for a session, and a host is asked in the course of calls.
  const sessionless = client.getNegotiatedProtocolVersion?.() >= "2026-07-28";

  await step("list tools", async () => {
    // The server adds the tools for this client's capabilities when `initialized` comes: one
    // that overtakes it gets a short list.
    const { tools } = await client.listTools();
    expect("missing tools", missing(names(tools), TOOLS), []);
    expect("input of echo", tools.find(({ name }) => name === "echo").inputSchema.required, [
      "message",
    ]);
  });

  await step("echo", async () => {
    expect("echo", text(await call("echo", { message: AWKWARD })), `Echo: ${AWKWARD}`);
  });

  await step("echo a megabyte", async () => {
    const message = "0123456789abcde\u00e9".repeat(1 << 16);
    const answer = text(await call("echo", { message }));
    expectThat("echo", answer === `Echo: ${message}`, `${answer.length} characters`);
  });

  await step("structured content", async () => {
    const { structuredContent } = await call("get-structured-content", { location: "Chicago" });
    expect("weather", structuredContent, {
      temperature: 36,
      conditions: "Light rain / drizzle",
      humidity: 82,
    });
  });

  await step("progress", async () => {
    let seen = [];
    let from = wire.length;
    const run = () => {
      [seen, from] = [[], wire.length];
      return call(
        "trigger-long-running-operation",
        { duration: 1, steps: 5 },
        {
          onprogress: ({ progress, total }) => seen.push([progress, total]),
        },
      );
    };
    let result = await run();
    // Once in its life the server asks for the roots. Where questions are results, this may be in
    // the middle of the call, and what comes between the question and its answer is for nobody.
    if (wire.slice(from).some(({ result }) => result?.resultType === "input_required")) {
      result = await run();
    }
    expectThat("result", text(result).includes("Steps: 5"), text(result));
    const order = wire
      .slice(from)
      .filter((message) => message.method === "notifications/progress" || message.result)
      .map((message) => message.params?.progress ?? "result");
    expect("order on the wire", order, [1, 2, 3, 4, 5, "result"]);
    // The SDK loses the last one when it arrives in one piece with the result.
    const all = [1, 2, 3, 4, 5].map((progress) => [progress, 5]);
    expectThat("enough progress", seen.length >= 4, seen);
    expect("progress", seen, all.slice(0, seen.length));
  });

  await step("calls side by side", async () => {
    const slow = call("trigger-long-running-operation", { duration: 1, steps: 2 });
    const sums = await Promise.all(
      Array.from({ length: 16 }, (_, n) => call("get-sum", { a: n, b: 0.5 })),
    );
    sums.forEach((sum, n) => expect("sum", text(sum), `The sum of ${n} and 0.5 is ${n + 0.5}.`));
    expectThat("slow call", text(await slow).includes("completed"), await slow);
  });

  await step("cancel a call", async () => {
    const abort = new AbortController();
    let first;
    const progress = new Promise((resolve) => (first = resolve));
    const outcome = call(
      "trigger-long-running-operation",
      { duration: 20, steps: 100 },
      {
        signal: abort.signal,
        onprogress: first,
      },
    ).then(
      () => "result",
      () => "cancelled",
    );
    await progress;
    abort.abort("enough");
    expect("outcome", await outcome, "cancelled");
    expect(
      "echo after it",
      text(await call("echo", { message: "still here" })),
      "Echo: still here",
    );
  });

  await step("resources", async () => {
    const { resources } = await client.listResources();
    expect(
      "missing",
      missing(
        resources.map(({ uri }) => uri),
        [DOCUMENT],
      ),
      [],
    );
    const [document] = (await client.readResource({ uri: DOCUMENT })).contents;
    expect("kind", [document.uri, document.mimeType], [DOCUMENT, "text/markdown"]);
    expectThat("text", document.text.length > 100, document.text);
    const { resourceTemplates } = await client.listResourceTemplates();
    expect("templates", resourceTemplates.map(({ uriTemplate }) => uriTemplate).sort(), [
      "demo://resource/dynamic/blob/{resourceId}",
      "demo://resource/dynamic/text/{resourceId}",
    ]);
    const [dynamic] = (await client.readResource({ uri: DYNAMIC })).contents;
    expectThat("template", dynamic.text.startsWith("Resource 7: "), dynamic);
    const [blob] = (await client.readResource({ uri: "demo://resource/dynamic/blob/7" })).contents;
    expectThat(
      "blob",
      Buffer.from(blob.blob, "base64").toString().startsWith("Resource 7: "),
      blob,
    );
  });

  await step("prompts", async () => {
    const { prompts } = await client.listPrompts();
    expect("prompts", names(prompts), PROMPTS);
    const { messages } = await client.getPrompt({
      name: "args-prompt",
      arguments: { city: "K\u00f6ln", state: "NRW" },
    });
    expect("messages", messages, [
      { role: "user", content: { type: "text", text: "What's weather in K\u00f6ln, NRW?" } },
    ]);
  });

  await step("completion", async () => {
    const { completion } = await client.complete({
      ref: { type: "ref/prompt", name: "completable-prompt" },
      argument: { name: "name", value: "" },
      context: { arguments: { department: "Sales" } },
    });
    expect("values", completion.values, ["David", "Eve", "Frank"]);
  });

  await step("an error of the server", async () => {
    const error = await client.getPrompt({ name: "no-such-prompt" }).then(
      () => undefined,
      (e) => e,
    );
    expect("code", error?.code, -32602);
    expectThat("message", error.message.includes("no-such-prompt not found"), error.message);
  });

  const legacyStep = sessionless ? async () => {} : step;
  await legacyStep("logging", async () => {
    await client.setLoggingLevel("debug");
    const from = host.logs.length;
    await call("toggle-simulated-logging");
    const log = await until(() =>
      host.logs.slice(from).find(({ data }) => /level.message/.test(data)),
    );
    expectThat("level", typeof log.level === "string", log);
    expectThat("stopped", text(await call("toggle-simulated-logging")).startsWith("Stopped"), log);
  });

  await step("subscription", async () => {
    const subscription = sessionless
      ? await client.listen({ resourceSubscriptions: [DYNAMIC] })
      : await client.subscribeResource({ uri: DYNAMIC });
    await call("toggle-subscriber-updates");
    expect("updated", (await until(() => host.updates[0])).uri, DYNAMIC);
    await call("toggle-subscriber-updates");
    if (sessionless) await subscription.close();
    else await client.unsubscribeResource({ uri: DYNAMIC });
  });

  await legacyStep("roots", async () => {
    // The server asks a third of a second after `initialized`, outside of any call.
    await until(() => host.asked.roots >= 1);
    await until(() =>
      host.logs.some(({ data }) => data === "Roots updated: 1 root(s) received from client"),
    );
    expectThat(
      "list",
      text(await call("get-roots-list")).includes("URI: file:///peers/one"),
      host.roots,
    );
    host.roots = [...host.roots, { uri: "file:///peers/two", name: "two" }];
    await client.sendRootsListChanged();
    await until(() =>
      host.logs.some(({ data }) => data === "Roots updated: 2 root(s) received from client"),
    );
    expectThat(
      "longer list",
      text(await call("get-roots-list")).includes("URI: file:///peers/two"),
      host.roots,
    );
  });

  await step("sampling", async () => {
    const result = text(await call("trigger-sampling-request", { prompt: "why?", maxTokens: 17 }));
    const [question] = host.asked.sampling;
    expect("asked", host.asked.sampling.length, 1);
    expect("limit", question.maxTokens, 17);
    expect(
      "question",
      question.messages[0].content.text,
      "Resource trigger-sampling-request context: why?",
    );
    expectThat("answer", result.includes("an answer from the host \u2713"), result);
  });

  await step("elicitation", async () => {
    const result = text(await call("trigger-elicitation-request"));
    expect("asked", host.asked.elicitation.length, 1);
    expect("schema", host.asked.elicitation[0].requestedSchema.required, ["name"]);
    expectThat("name", result.includes("- Name: Ren\u00e9e"), result);
    expectThat("number", result.includes("- Favorite Integer: 7"), result);
  });

  await step("elicitation by URL", async () => {
    const result = text(
      await call("trigger-url-elicitation", { url: SIGN_IN, elicitationId: "e-1" }),
    );
    const question = host.asked.elicitation[1];
    expect(
      "question",
      [question.mode, question.url, question.elicitationId],
      // It is no part of 2026-07-28.
      ["url", SIGN_IN, sessionless ? undefined : "e-1"],
    );
    expectThat("answer", result.includes(`URL: ${SIGN_IN}`), result);
  });

  await legacyStep("ping", async () => {
    expect("pong", await client.ping(), {});
  });

  await step("close", async () => {
    const begin = performance.now();
    await client.close();
    const status = await until(() =>
      watched.status(bridge) === undefined ? undefined : [watched.status(bridge)],
    );
    const seconds = (performance.now() - begin) / 1000;
    expect("exit status", status, [0]);
    expectThat("end within 2 s", seconds < 2, seconds);
    expect("processes left", watched.running(), []);
  });
}
