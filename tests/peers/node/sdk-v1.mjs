// A session with the TypeScript SDK 1.x.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import {
  StdioClientTransport,
  getDefaultEnvironment,
} from "@modelcontextprotocol/sdk/client/stdio.js";
import * as types from "@modelcontextprotocol/sdk/types.js";
import { expect, main } from "./harness.mjs";
import { CAPABILITIES, Host, session, trace } from "./steps.mjs";

await main(async (watched, negotiate) => {
  expect("--negotiate: this SDK only knows", negotiate, "legacy");
  const host = new Host();
  const client = new Client(
    { name: "peer-sdk-v1", version: "1.0.0" },
    { capabilities: CAPABILITIES },
  );
  client.setRequestHandler(types.CreateMessageRequestSchema, (request) => host.sampling(request));
  client.setRequestHandler(types.ElicitRequestSchema, (request) => host.elicitation(request));
  client.setRequestHandler(types.ListRootsRequestSchema, () => host.listRoots());
  client.setNotificationHandler(types.LoggingMessageNotificationSchema, ({ params }) => {
    host.logs.push(params);
  });
  client.setNotificationHandler(types.ResourceUpdatedNotificationSchema, ({ params }) => {
    host.updates.push(params);
  });

  const { command, args } = watched;
  const transport = new StdioClientTransport({ command, args, env: getDefaultEnvironment() });
  const callTool = (params, options) =>
    client.callTool(params, types.CallToolResultSchema, options);
  await session({ client, callTool, transport, host, wire: trace(transport), watched });
});
