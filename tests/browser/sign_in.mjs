// A person with a real browser: signs in on the gateway's pages, approves or denies, and lands on
// the bridge's page.
//
//     node tests/browser/sign_in.mjs BRIDGE GATEWAY [SCREENSHOT_FOLDER]
//
// Everything stays on loopback; the processes that are started here are ended here.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';

import { PATIENCE, home, main, nextLine, start, startBrowser, startGateway, withPage } from './harness.mjs';

const [bridgeProgram, gatewayProgram, screenshots] = process.argv.slice(2);

async function answer(child, id) {
  for (;;) {
    const message = await nextLine(child);
    if (message.id === id && message.method === undefined) return message;
  }
}

// What the bridge opens instead of a browser; it only writes the address down.
const opener = path.join(home, 'opener');
const address = path.join(home, 'address');
fs.writeFileSync(opener, `#!/bin/sh\nprintf '%s' "$1" > '${address}.new' && mv '${address}.new' '${address}'\n`, { mode: 0o755 });

async function openedAddress() {
  for (const end = Date.now() + PATIENCE; Date.now() < end;) {
    if (fs.existsSync(address)) {
      const url = fs.readFileSync(address, 'utf8');
      fs.rmSync(address);
      return url;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error('no browser was opened');
}

function startBridge(url, name) {
  const bridge = start(bridgeProgram, [url], {
    PATH: process.env.PATH,
    HOME: home,
    APEXMCP_BRIDGE_STATE_DIR: path.join(home, name),
    APEXMCP_BRIDGE_TOKEN_STORE: 'file',
    APEXMCP_BRIDGE_BROWSER: opener,
  });
  bridge.say = (message) => bridge.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
  bridge.say({
    id: 0,
    method: 'initialize',
    params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'browser', version: '1' } },
  });
  return bridge;
}

async function end(bridge, status) {
  bridge.stdin.end();
  const [code] = bridge.exitCode === null ? await once(bridge, 'exit') : [bridge.exitCode];
  assert.equal(code, status, bridge.errors);
}

async function signIn(page, url, shot) {
  await page.goto(url);
  await shot('sign-in');
  await page.fill('#user', 'ada');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.waitForURL(/consent/);
  await shot('consent');
}

async function run() {
  const { gateway, ready } = await startGateway(gatewayProgram);
  const browser = await startBrowser();

  for (const [scheme, url] of [['light', ready.http.acme], ['dark', ready.sse.acme]]) {
    const bridge = startBridge(url, `approve-${scheme}`);
    await withPage(browser, scheme, screenshots, async (page, shot) => {
      await signIn(page, await openedAddress(), shot);
      await page.getByRole('button', { name: 'Approve', exact: true }).click();
      await page.getByText('You are signed in').waitFor();
      await page.getByText(new URL(ready.gateway).host).waitFor();
      await shot('signed-in');
      // A second visit must not disturb what works.
      await page.reload().catch(() => {});
    });
    assert.ok((await answer(bridge, 0)).result, bridge.errors);
    bridge.say({ method: 'notifications/initialized' });
    bridge.say({ id: 1, method: 'tools/list' });
    assert.ok((await answer(bridge, 1)).result.tools.length > 0);
    await end(bridge, 0);
    console.log(`${scheme}: approved, and the tools are listed`);
  }

  const denied = startBridge(ready.http.acme, 'denied');
  await withPage(browser, 'light', screenshots, async (page, shot) => {
    const url = await openedAddress();
    // Somebody else's answer first: it changes nothing.
    const redirect = new URL(new URL(url).searchParams.get('redirect_uri'));
    await page.goto(`${redirect}?code=stolen&state=wrong`).catch(() => {});
    await page.getByText('This tab is out of date').waitFor();
    await shot('stale');
    await signIn(page, url, async () => {});
    await page.getByRole('button', { name: 'Deny', exact: true }).click();
    await page.getByText('You declined access').waitFor();
    await shot('denied');
  });
  let refused = await answer(denied, 0);
  if (refused.result) {
    // This took longer than `initialize` waits for a person.
    denied.say({ id: 1, method: 'tools/list' });
    refused = await answer(denied, 1);
  }
  assert.equal(refused.error?.code, -31002, JSON.stringify(refused));
  await end(denied, 4);
  console.log('light: a forged answer is ignored, and a denial is told to the host');

  gateway.stdin.end();
  await once(gateway, 'exit');
}

main(run);
