// What is special about a scenario: what the bridge gets besides the URL, what the host does, and
// whether the session must fail. A scenario that is not here needs nothing special.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { toolArguments } from './samples.mjs';

const CLIENT_METADATA = 'https://conformance-test.local/client-metadata.json';

/** Arguments of the bridge; `context` is what the suite tells the client. */
const FLAGS = {
  'auth/basic-cimd': () => ['--client-metadata-url', CLIENT_METADATA],
  'auth/pre-registration': (context) => client(context),
  'auth/client-credentials-basic': (context) => [...client(context), '--client-credentials'],
  'auth/client-credentials-jwt': (context, folder) => [
    ...client(context),
    '--client-credentials',
    ...['--client-private-key', file(folder, 'key.pem', context.private_key_pem)],
  ],
};

/** What the host does after the handshake; the default is `useTools`. */
const PLAYS = {
  'json-schema-2020-12-preservation': echoSchema,
  'http-standard-headers': useEverything,
  'http-custom-headers': callAsTold,
  'json-schema-ref-no-deref': listTools,
  'sep-2322-client-request-state': useToolsInBetween,
};

/** The server misbehaves, and the host must be told so with an error. */
const REFUSED = new Set([
  'auth/scope-retry-limit',
  'auth/resource-mismatch',
  'auth/iss-supported-missing',
  'auth/iss-wrong-issuer',
  'auth/iss-unexpected',
  'auth/iss-normalized',
  'auth/metadata-issuer-mismatch',
]);

export function scenario(name, context, folder) {
  return {
    flags: FLAGS[name]?.(context, folder) ?? [],
    play: PLAYS[name] ?? useTools,
    isRefused: REFUSED.has(name),
  };
}

function client({ client_id, client_secret }) {
  return ['--static-oauth-client-info', JSON.stringify({ client_id, client_secret })];
}

function file(folder, name, text) {
  const path = join(folder, name);
  writeFileSync(path, text, { mode: 0o600 });
  return path;
}

async function listTools(host) {
  const { tools } = await host.request('tools/list');
  return tools;
}

async function useTools(host) {
  const tools = await listTools(host);
  for (const tool of tools) await call(host, tool.name, toolArguments(tool));
}

async function call(host, name, args, ...rest) {
  const result = await host.request('tools/call', { name, arguments: args }, ...rest);
  if (result.isError) throw new Error(`${name}: ${JSON.stringify(result.content)}`);
}

/** The schema of the first tool must come back as it came. */
async function echoSchema(host) {
  const [focal, echo] = await listTools(host);
  await call(host, echo.name, { schema: focal.inputSchema });
}

async function useEverything(host) {
  await useTools(host);
  const { resources } = await host.request('resources/list');
  for (const { uri } of resources) await host.request('resources/read', { uri });
  const { prompts } = await host.request('prompts/list');
  for (const { name } of prompts) await host.request('prompts/get', { name });
}

async function callAsTold(host, { toolCalls }) {
  await listTools(host);
  for (const { name, arguments: args } of toolCalls) await call(host, name, args);
}

/** While one tool waits for input, the others are called. */
async function useToolsInBetween(host) {
  const tools = await listTools(host);
  const unrelated = tools.find(({ name }) => name.endsWith('_unrelated'));
  for (const tool of tools) {
    await call(host, tool.name, {}, () => call(host, unrelated.name, {}));
  }
}
