// A session of the TypeScript SDK 2.x with the mock gateway: `node gateway.mjs MOCK [ARGUMENT...]`.
// No bridge is between them, so that neither of the two can be made to fit the other by it.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";

const [mock, ...flags] = process.argv.slice(2);
const SECONDS = 30;

/** What the SDK has to find out, and the revision that they agree on. */
const SESSIONS = [
  ["modern", "auto", "2026-07-28"],
  ["dual", "auto", "2026-07-28"],
  ["dual", "legacy", "2025-11-25"],
  ["legacy", "auto", "2025-11-25"],
];

for (const [eras, mode, revision] of SESSIONS) {
  const gateway = spawn(mock, ["--port", "0", "--eras", eras, "--until-stdin-closes", ...flags], {
    stdio: ["pipe", "pipe", "ignore"],
  });
  const late = setTimeout(() => gateway.kill("SIGKILL"), 1000 * SECONDS);
  try {
    const lines = createInterface(gateway.stdout)[Symbol.asyncIterator]();
    const { value: ready } = await lines.next();
    await session(JSON.parse(ready), mode, revision);
    console.log(`${eras}, ${mode}: ok`);
  } finally {
    clearTimeout(late);
    gateway.stdin.end();
  }
}

async function session(ready, mode, revision) {
  const key = { "X-API-Key": ready.api_keys.acme };
  const asked = [];
  const client = new Client(
    { name: "peer-sdk-v2", version: "1.0.0" },
    {
      capabilities: { sampling: {}, elicitation: {}, roots: {} },
      versionNegotiation: { mode },
    },
  );
  const answer = (result) => (request) => {
    asked.push(request.method);
    return result;
  };
  const content = { type: "text", text: "Hello." };
  client.setRequestHandler(
    "sampling/createMessage",
    answer({ role: "assistant", model: "none", content }),
  );
  client.setRequestHandler(
    "elicitation/create",
    answer({ action: "accept", content: { order: 7 } }),
  );
  client.setRequestHandler("roots/list", answer({ roots: [{ uri: "file:///tmp" }] }));
  const heard = [];
  for (const list of ["tools", "prompts"]) {
    client.setNotificationHandler(`notifications/${list}/list_changed`, () => {
      heard.push(list);
    });
  }

  const transport = new StreamableHTTPClientTransport(new URL(ready.http.acme), {
    requestInit: { headers: key },
  });
  await client.connect(transport);
  assert.equal(client.getNegotiatedProtocolVersion(), revision);
  const { tools } = await client.listTools();
  assert.ok(tools.some(({ name }) => name === "ship"));
  const call = async (name, args, options) => {
    const result = await client.callTool({ name, arguments: args }, options);
    assert.ok(!result.isError, JSON.stringify(result));
    return result.content[0].text;
  };
  assert.equal(await call("echo", { text: "é" }), "é");
  // Its arguments have to be in headers, which nobody here writes by hand.
  const address = { country: "México" };
  const shipped = await call("ship", { warehouse: " 山 ", order: 7, express: true, address });
  assert.equal(shipped, "would ship order 7 from  山 ");
  const progress = [];
  await call("progress", { steps: 3 }, { onprogress: (it) => progress.push(it.progress) });
  assert.deepEqual(progress, [1, 2, 3]);
  for (const what of ["sampling", "elicitation", "roots"]) {
    assert.match(await call("ask", { what }), /Hello|order|file/);
  }
  assert.deepEqual(asked, ["sampling/createMessage", "elicitation/create", "roots/list"]);
  const { resources } = await client.listResources();
  const { contents } = await client.readResource({ uri: resources[0].uri });
  assert.match(contents[0].text, /customer/);
  const prompt = await client.getPrompt({
    name: "summarise_orders",
    arguments: { status: "open" },
  });
  assert.match(prompt.messages[0].content.text, /open/);
  await listen(client, call, heard, revision);
  await cancel(client, ready);
  await client.close();
}

/** Before 2026-07-28 the SDK opens its stream by itself. */
async function listen(client, call, heard, revision) {
  const filter = { toolsListChanged: true, promptsListChanged: true };
  const subscription = revision === "2026-07-28" && (await client.listen(filter));
  await call("announce", { what: "prompts" });
  await call("announce", {});
  await until(() => heard.length === 2);
  assert.deepEqual(heard, ["prompts", "tools"]);
  if (subscription) await subscription.close();
}

/** A call that is given up ends at the gateway too. */
async function cancel(client, ready) {
  const signal = AbortSignal.timeout(300);
  const slow = client.callTool({ name: "slow", arguments: { seconds: 1000 } }, { signal });
  await assert.rejects(slow);
  const { url, token } = ready.control;
  const headers = { Authorization: `Bearer ${token}` };
  await until(async () => {
    const runs = await (await fetch(`${url}/calls`, { headers })).json();
    const { tool, ending } = runs.at(-1);
    return tool === "slow" && ending === "cancelled";
  });
}

async function until(done) {
  const end = Date.now() + 5000;
  while (!(await done())) {
    assert.ok(Date.now() < end, `this does not come true: ${done}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
