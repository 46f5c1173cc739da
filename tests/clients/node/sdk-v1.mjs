// The TypeScript SDK 1.x: node sdk-v1.mjs URL
import { UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';

import { session } from './session.mjs';

const url = new URL(process.argv[2]);
const Transport = url.pathname.endsWith('/sse') ? SSEClientTransport : StreamableHTTPClientTransport;

await session((authProvider) => ({
  client: new Client({ name: 'sdk-v1', version: '1.0.0' }),
  transport: new Transport(url, { authProvider }),
}), UnauthorizedError);
