// A small MCP client, with a person who approves it in a page of their own.

import { createHash, randomBytes } from 'node:crypto';

import { PATIENCE } from './harness.mjs';

const REDIRECT_URI = 'http://127.0.0.1:7777/callback';

export async function post(url, headers, message) {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { Accept: 'application/json, text/event-stream', 'Content-Type': 'application/json', ...headers },
    body: JSON.stringify(message),
  });
  await answer.arrayBuffer();
  return answer;
}

const json = async (url, options) => (await fetch(url, options)).json();

// Signs in as clients do, from the first 401 on. The person is a page in `context`.
export async function connect(ready, context) {
  const url = ready.http.acme;
  const begin = { jsonrpc: '2.0', id: 0, method: 'initialize', params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'watched', version: '1' } } };
  const refusal = await post(url, {}, begin);
  const [, metadata] = /resource_metadata="([^"]*)"/.exec(refusal.headers.get('www-authenticate'));
  const { authorization_servers: [issuer] } = await json(metadata);
  const server = await json(`${issuer}/.well-known/oauth-authorization-server`);
  const client = await json(server.registration_endpoint, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ client_name: 'A watched client', redirect_uris: [REDIRECT_URI], grant_types: ['authorization_code', 'refresh_token'], token_endpoint_auth_method: 'none' }),
  });
  const verifier = randomBytes(32).toString('base64url');
  const query = new URLSearchParams({
    response_type: 'code', client_id: client.client_id, redirect_uri: REDIRECT_URI, state: 'x', resource: url,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'), code_challenge_method: 'S256',
  });
  const code = await approve(context, `${server.authorization_endpoint}?${query}`);
  const tokens = await json(server.token_endpoint, {
    method: 'POST',
    body: new URLSearchParams({ grant_type: 'authorization_code', client_id: client.client_id, code, redirect_uri: REDIRECT_URI, code_verifier: verifier }),
  });
  const headers = { Authorization: `Bearer ${tokens.access_token}` };
  const begun = await post(url, headers, begin);
  Object.assign(headers, { 'Mcp-Session-Id': begun.headers.get('mcp-session-id'), 'MCP-Protocol-Version': '2025-06-18' });
  await post(url, headers, { jsonrpc: '2.0', method: 'notifications/initialized' });
  await post(url, headers, { jsonrpc: '2.0', id: 1, method: 'tools/list' });
  return { url, headers };
}

async function approve(context, url) {
  const page = await context.newPage();
  // Nobody listens at the redirect URI; the request for it is enough.
  const back = new Promise((resolve) => {
    page.route(`${REDIRECT_URI}**`, (route) => {
      resolve(new URL(route.request().url()));
      return route.fulfill({ contentType: 'text/html', body: '<h1>Done</h1>' });
    });
  });
  await page.goto(url);
  await page.getByRole('button', { name: 'ada' }).click();
  await page.getByRole('button', { name: 'Approve', exact: true }).click({ timeout: PATIENCE });
  const code = (await back).searchParams.get('code');
  await page.close();
  return code;
}

export async function call(ready, { url, headers }, name) {
  const params = { name, arguments: name === 'slow' ? { seconds: 0.01 } : { text: 'hello' } };
  return post(url, headers, { jsonrpc: '2.0', id: 2, method: 'tools/call', params });
}

// Opens the stream of a session; what comes back ends it.
export async function listen(ready, { url, headers }) {
  const end = new AbortController();
  await fetch(url, { headers: { Accept: 'text/event-stream', ...headers }, signal: end.signal });
  return () => end.abort();
}
