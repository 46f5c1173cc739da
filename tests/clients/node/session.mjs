// What the drivers of the TypeScript SDKs share: an OAuth client in memory with a redirect listener,
// and the steps of a session.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';

const APPROVE = new URL('../approve.mjs', import.meta.url).pathname;
const CONTROL = JSON.parse(process.env.MOCK_CONTROL);

// Implements the SDKs' `OAuthClientProvider`: keeps everything in memory, and opens the "browser".
export class Provider {
  static async listen() {
    const provider = new Provider();
    provider.server = createServer((request, answer) => {
      provider.arrived(new URL(request.url, provider.redirectUrl));
      answer.end('Done.');
    });
    provider.callback = new Promise((resolve) => { provider.arrived = resolve; });
    provider.server.listen(0, '127.0.0.1');
    await once(provider.server, 'listening');
    provider.redirectUrl = `http://127.0.0.1:${provider.server.address().port}/callback`;
    return provider;
  }

  get clientMetadata() {
    return {
      client_name: 'SDK driver', redirect_uris: [this.redirectUrl], token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code', 'refresh_token'], response_types: ['code'],
    };
  }

  clientInformation() { return this.client; }
  saveClientInformation(client) { this.client = client; }
  tokens() { return this.saved; }
  saveTokens(tokens) { this.saved = tokens; }
  saveCodeVerifier(verifier) { this.verifier = verifier; }
  codeVerifier() { return this.verifier; }
  saveDiscoveryState(state) { this.discovery = state; }
  discoveryState() { return this.discovery; }

  redirectToAuthorization(url) {
    spawn(process.execPath, [APPROVE, String(url)], { stdio: 'inherit' });
  }
}

const report = (step) => console.log(JSON.stringify({ step }));

// `connect` makes a client and its transport; `Unauthorized` is what the SDK throws when it has
// opened a browser.
export async function session(connect, Unauthorized) {
  const provider = await Provider.listen();
  let { client, transport } = connect(provider);
  await assert.rejects(client.connect(transport), Unauthorized);
  const answer = (await provider.callback).searchParams;
  // The newer SDK checks `iss` (RFC 9207); the older one does not look at it.
  await transport.finishAuth(answer.get('code'), answer.get('iss') ?? undefined);
  report('sign-in');
  ({ client, transport } = connect(provider));
  await client.connect(transport);
  const { tools } = await client.listTools();
  assert.ok(tools.some((it) => it.name === 'query_postgres_orders'));
  report('tools');
  const echo = () => client.callTool({ name: 'echo', arguments: { text: 'hello' } });
  assert.equal((await echo()).content[0].text, 'hello');
  report('call');
  const before = provider.saved.refresh_token;
  const act = await fetch(`${CONTROL.url}/act`, {
    method: 'POST', body: 'expire_access_tokens', headers: { Authorization: `Bearer ${CONTROL.token}` },
  });
  assert.equal(act.status, 204);
  assert.equal((await echo()).content[0].text, 'hello');
  assert.notEqual(provider.saved.refresh_token, before);
  report('renewal');
  await client.close();
  provider.server.close();
}
