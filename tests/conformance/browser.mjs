#!/usr/bin/env node
// A stand-in for the browser and for the person before it: follows the redirects from the sign-in
// page back to the bridge.
//
//     browser.mjs URL
//
// Every address, without what may be secret in it, goes to the file that
// APEXMCP_CONFORMANCE_BROWSER_LOG names: the bridge throws away what a browser prints.
import { appendFileSync } from 'node:fs';

const MAX_REDIRECTS = 10;
const PATIENCE_SECONDS = 20;
const LOOPBACK = ['localhost', '127.0.0.1', '[::1]'];

function log(line) {
  appendFileSync(process.env.APEXMCP_CONFORMANCE_BROWSER_LOG, `${line}\n`);
}

async function visit(url) {
  const signal = AbortSignal.timeout(PATIENCE_SECONDS * 1000);
  for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
    // A scenario may name any host; nothing here may leave the machine.
    if (!LOOPBACK.includes(url.hostname)) throw new Error(`${url.origin} is not on this machine`);
    const answer = await fetch(url, { redirect: 'manual', signal });
    log(`${answer.status} ${url.origin}${url.pathname}`);
    const location = answer.headers.get('location');
    await answer.arrayBuffer();
    if (!location) return;
    url = new URL(location, url);
  }
  throw new Error(`more than ${MAX_REDIRECTS} redirects`);
}

try {
  await visit(new URL(process.argv[2]));
} catch (error) {
  log(`failed: ${error.cause ?? error}`);
  process.exitCode = 1;
}
