// What all browser tests share: programs that are started and ended here, and a headless Chromium.
//
// Everything stays on loopback; the processes that are started here are ended here.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import readline from 'node:readline';

// Installed with the other pinned packages.
const require = createRequire(new URL('../peers/node/package.json', import.meta.url));
const { chromium } = require('playwright-core');

export const PATIENCE = 20_000;
const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
];

export const home = fs.mkdtempSync(path.join(os.tmpdir(), 'apexmcp-browser-'));
const children = [];

export function start(program, args, env = { PATH: process.env.PATH }) {
  const child = spawn(program, args, { env, stdio: ['pipe', 'pipe', 'pipe'] });
  children.push(child);
  child.errors = '';
  child.stderr.on('data', (text) => { child.errors += text; });
  child.lines = readline.createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return child;
}

export async function nextLine(child) {
  const late = new Promise((_, reject) => {
    setTimeout(() => reject(new Error(`no line; stderr: ${child.errors}`)), PATIENCE).unref();
  });
  return JSON.parse((await Promise.race([child.lines.next(), late])).value);
}

export async function startGateway(program, ...flags) {
  const gateway = start(program, ['--port', '0', '--until-stdin-closes', ...flags]);
  return { gateway, ready: await nextLine(gateway) };
}

export async function startBrowser() {
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: FLAGS });
  children.push({ kill: () => browser.close().catch(() => {}) });
  return browser;
}

// What browsers complain about although nothing is wrong: no favicon is served, and pages that say
// no are sent with 4xx.
const FINE = /status of (400|401|403|404)/;

// A page of its own, with its own cookies. `look` is `light` or `dark`, and may have a width.
export async function withPage(browser, look, screenshots, work) {
  const { scheme, width = 1000 } = typeof look === 'string' ? { scheme: look } : look;
  const context = await browser.newContext({ colorScheme: scheme, viewport: { width, height: 800 } });
  context.setDefaultTimeout(PATIENCE);
  const page = await context.newPage();
  const complaints = [];
  page.on('console', (message) => complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(String(error)));
  // Pages bring everything with them.
  page.on('request', (request) => {
    if (!['127.0.0.1', 'localhost'].includes(new URL(request.url()).hostname)) complaints.push(request.url());
  });
  const shot = async (name) => {
    await fits(page, name);
    if (screenshots) {
      await page.screenshot({ path: path.join(screenshots, `${name}-${scheme}-${width}.png`), fullPage: true });
    }
  };
  await work(page, shot, context);
  assert.deepEqual(complaints.filter((text) => !FINE.test(text)), []);
  await context.close();
}

// Nothing sticks out at the side, and everything that can be operated has a name.
async function fits(page, name) {
  const found = await page.evaluate(() => ({
    sticksOut: document.documentElement.scrollWidth - innerWidth,
    nameless: [...document.querySelectorAll('button, a, input:not([type=hidden]), select, textarea')]
      .filter((it) => !it.textContent.trim() && !it.ariaLabel && !it.labels?.length)
      .map((it) => it.outerHTML),
    headings: document.querySelectorAll('h1').length,
    language: document.documentElement.lang,
  }));
  assert.deepEqual(found, { sticksOut: 0, nameless: [], headings: 1, language: 'en' }, name);
}

// Runs a test, and ends what it has started.
export function main(run) {
  const finish = (error) => {
    clearTimeout(watchdog);
    for (const child of children) child.kill();
    fs.rmSync(home, { recursive: true, force: true });
    if (error) {
      console.error(error);
      process.exit(1);
    }
  };
  const watchdog = setTimeout(() => finish(new Error('it took too long')), 120_000);
  run().then(() => finish(), finish);
}
