// A person with a real browser: signs in on the gateway's pages, approves or denies, and lands on
// the bridge's page.
//
//     node tests/browser/sign_in.mjs BRIDGE GATEWAY [SCREENSHOT_FOLDER]
//
// Everything stays on loopback; the processes that are started here are ended here.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import readline from 'node:readline';

// Installed with the other pinned packages.
const require = createRequire(new URL('../peers/node/package.json', import.meta.url));
const { chromium } = require('playwright-core');

const [bridgeProgram, gatewayProgram, screenshots] = process.argv.slice(2);
const PATIENCE = 20_000;
const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
];

const home = fs.mkdtempSync(path.join(os.tmpdir(), 'apexmcp-browser-'));
const children = [];
const watchdog = setTimeout(() => finish(new Error('it took too long')), 120_000);

function start(program, args, env) {
  const child = spawn(program, args, { env, stdio: ['pipe', 'pipe', 'pipe'] });
  children.push(child);
  child.errors = '';
  child.stderr.on('data', (text) => { child.errors += text; });
  child.lines = readline.createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return child;
}

async function nextLine(child) {
  const late = new Promise((_, reject) => {
    setTimeout(() => reject(new Error(`no line; stderr: ${child.errors}`)), PATIENCE).unref();
  });
  return JSON.parse((await Promise.race([child.lines.next(), late])).value);
}

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

async function withPage(browser, scheme, work) {
  const context = await browser.newContext({ colorScheme: scheme, viewport: { width: 1000, height: 800 } });
  context.setDefaultTimeout(PATIENCE);
  const page = await context.newPage();
  const complaints = [];
  page.on('console', (message) => complaints.push(message.text()));
  const shot = async (name) => {
    if (screenshots) await page.screenshot({ path: path.join(screenshots, `${name}-${scheme}.png`), fullPage: true });
  };
  await work(page, shot);
  // No favicon is served, and pages that say no are sent with 400; nothing else may go wrong.
  assert.deepEqual(complaints.filter((text) => !/status of (400|404)/.test(text)), []);
  await context.close();
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
  const gateway = start(gatewayProgram, ['--port', '0', '--until-stdin-closes'], { PATH: process.env.PATH });
  const ready = await nextLine(gateway);
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: FLAGS });
  children.push({ kill: () => browser.close().catch(() => {}) });

  for (const [scheme, url] of [['light', ready.http.acme], ['dark', ready.sse.acme]]) {
    const bridge = startBridge(url, `approve-${scheme}`);
    await withPage(browser, scheme, async (page, shot) => {
      await signIn(page, await openedAddress(), shot);
      await page.getByRole('button', { name: 'Approve', exact: true }).click();
      await page.getByText('You are signed in').waitFor();
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
  await withPage(browser, 'light', async (page, shot) => {
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

function finish(error) {
  clearTimeout(watchdog);
  for (const child of children) child.kill();
  fs.rmSync(home, { recursive: true, force: true });
  if (error) {
    console.error(error);
    process.exit(1);
  }
}

run().then(() => finish(), finish);
