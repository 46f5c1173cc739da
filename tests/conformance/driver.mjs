// The client that the conformance suite starts: an MCP host which speaks stdio, and between it and
// the suite's server the bridge.
//
//     driver.mjs URL
//
// From the suite come MCP_CONFORMANCE_SCENARIO, _CONTEXT and _PROTOCOL_VERSION. From `run.py` comes
// APEXMCP_CONFORMANCE_BRIDGE, the bridge's command line as JSON. The last line on stdout is `passed`
// or `failed: …`, which `run.py` reads: the suite does not mind the end of some scenarios.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { Bridge, Refusal } from './bridge.mjs';
import { StatefulHost, StatelessHost, answer } from './host.mjs';
import { scenario } from './scenarios.mjs';

const FIRST_STATELESS = '2026-07-28';
const LIMIT_SECONDS = 75;

const { env } = process;
const version = env.MCP_CONFORMANCE_PROTOCOL_VERSION;
const context = JSON.parse(env.MCP_CONFORMANCE_CONTEXT ?? '{}');
const folder = mkdtempSync(join(tmpdir(), 'apexmcp-conformance-'));
const browserLog = join(folder, 'browser.log');
const { flags, play, isRefused } = scenario(env.MCP_CONFORMANCE_SCENARIO, context, folder);

function startBridge(url) {
  const [program, ...more] = JSON.parse(env.APEXMCP_CONFORMANCE_BRIDGE);
  const args = [url, '--token-store', 'file', ...flags, ...more];
  // Nothing else of this environment, so that the result is the same everywhere.
  const environment = {
    // The browser is a program for the same Node.js.
    PATH: [dirname(process.execPath), env.PATH].join(':'),
    HOME: folder,
    APEXMCP_BRIDGE_STATE_DIR: join(folder, 'state'),
    APEXMCP_BRIDGE_BROWSER: fileURLToPath(new URL('browser.mjs', import.meta.url)),
    APEXMCP_CONFORMANCE_BROWSER_LOG: browserLog,
  };
  return new Bridge([program, ...args], environment, answer);
}

/** The whole session; what went wrong in it, if anything did. */
async function session(bridge) {
  // With the other kind of host everything has to be translated.
  const kind = env.APEXMCP_CONFORMANCE_HOST;
  const stateful = kind ? kind === 'stateful' : version < FIRST_STATELESS;
  const fits = stateful === version < FIRST_STATELESS;
  const spoken = fits ? version : stateful ? '2025-11-25' : FIRST_STATELESS;
  const host = stateful ? new StatefulHost(bridge, spoken) : new StatelessHost(bridge, spoken);
  try {
    await host.open();
    await play(host, context);
  } catch (error) {
    return isRefused && error instanceof Refusal ? [] : [error.message];
  }
  return isRefused ? ['expected an error, and everything went well'] : [];
}

async function main() {
  const bridge = startBridge(process.argv[2]);
  const watchdog = setTimeout(() => {
    bridge.complaints.push(`no end after ${LIMIT_SECONDS} s`);
    bridge.kill();
  }, LIMIT_SECONDS * 1000);
  const problems = await session(bridge);
  const status = await bridge.end();
  clearTimeout(watchdog);
  problems.push(...bridge.complaints);
  // After a refusal the bridge says with its status what it was about.
  const orderly = isRefused ? Number.isInteger(status) && status < 10 : status === 0;
  if (!orderly) problems.push(`the bridge's exit status is ${status}`);
  return problems;
}

function printBrowserLog() {
  try {
    process.stderr.write(readFileSync(browserLog, 'utf8').replace(/^(?=.)/gm, 'browser: '));
  } catch {
    console.error('browser: never opened');
  }
}

try {
  const problems = await main();
  printBrowserLog();
  console.log(problems.length === 0 ? 'passed' : `failed: ${problems.join('; ')}`);
  process.exitCode = problems.length === 0 ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
