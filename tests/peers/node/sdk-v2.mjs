// A session with the TypeScript SDK 2.x.
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport, getDefaultEnvironment } from "@modelcontextprotocol/client/stdio";
import { main } from "./harness.mjs";
import { CAPABILITIES, Host, session, trace } from "./steps.mjs";

await main(async (watched, negotiate) => {
  const host = new Host();
  const client = new Client(
    { name: "peer-sdk-v2", version: "1.0.0" },
    { capabilities: CAPABILITIES, versionNegotiation: { mode: negotiate } },
  );
  client.setRequestHandler("sampling/createMessage", (request) => host.sampling(request));
  client.setRequestHandler("elicitation/create", (request) => host.elicitation(request));
  client.setRequestHandler("roots/list", () => host.listRoots());
  client.setNotificationHandler("notifications/message", ({ params }) => {
    host.logs.push(params);
  });
  client.setNotificationHandler("notifications/resources/updated", ({ params }) => {
    host.updates.push(params);
  });

  const { command, args } = watched;
  const transport = new StdioClientTransport({ command, args, env: getDefaultEnvironment() });
  const callTool = (params, options) => client.callTool(params, options);
  await session({ client, callTool, transport, host, wire: trace(transport), watched });
});
