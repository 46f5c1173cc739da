// The TypeScript SDK 2.x: node sdk-v2.mjs URL
import { Client, StreamableHTTPClientTransport, UnauthorizedError } from '@modelcontextprotocol/client';

import { session } from './session.mjs';

const url = new URL(process.argv[2]);

await session((authProvider) => ({
  client: new Client({ name: 'sdk-v2', version: '1.0.0' }),
  transport: new StreamableHTTPClientTransport(url, { authProvider }),
}), UnauthorizedError);
