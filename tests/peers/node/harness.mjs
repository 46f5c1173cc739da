// What both TypeScript drivers share: the command line, the bridge's process, steps with a time
// limit, and the words for a failure.
import { deepStrictEqual } from "node:assert";
import { readFileSync, readdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const WATCH = fileURLToPath(new URL("../watch.sh", import.meta.url));
const STEP_SECONDS = 20;
/** How a host may find out which era is spoken; the last one is pinned. */
const NEGOTIATE = ["legacy", "auto", "2026-07-28"];

/** A step's expectation that did not hold. */
class Unmet extends Error {}

export function expect(what, got, expected) {
  try {
    deepStrictEqual(got, expected);
  } catch {
    throw new Unmet(`${what}: expected ${JSON.stringify(expected)}, got ${JSON.stringify(got)}`);
  }
}

export function expectThat(what, holds, got) {
  if (!holds) throw new Unmet(`${what}: expected it to hold, got ${JSON.stringify(got)}`);
}

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits until `condition` gives a truthy value, and returns it; the step's limit bounds it. */
export async function until(condition) {
  for (;;) {
    const value = condition();
    if (value) return value;
    await sleep(10);
  }
}

/** Runs one step; a failure is printed by `main`. */
export async function step(name, body) {
  let timer;
  const limit = new Promise((_, reject) => {
    timer = setTimeout(
      () => reject(new Unmet(`no end after ${STEP_SECONDS} s`)),
      STEP_SECONDS * 1000,
    );
  });
  try {
    const result = await Promise.race([body(), limit]);
    console.log(`ok ${name}`);
    return result;
  } catch (error) {
    throw new Error(name, { cause: error });
  } finally {
    clearTimeout(timer);
  }
}

/** The bridge's processes, as `watch.sh` saw them. */
export class Watched {
  constructor(commandLine) {
    this.directory = mkdtempSync(join(tmpdir(), "peers-"));
    this.command = WATCH;
    this.args = [this.directory, ...commandLine];
  }

  #read(name) {
    try {
      return Number(readFileSync(join(this.directory, name), "utf8"));
    } catch {
      return undefined;
    }
  }

  /** The exit status of the process that `watch.sh` with this id started. */
  status(id) {
    return this.#read(`${id}.exit`);
  }

  running() {
    return readdirSync(this.directory)
      .filter((name) => name.endsWith(".child"))
      .filter((name) => this.status(name.replace(".child", "")) === undefined)
      .map((name) => this.#read(name));
  }

  /** Ends what a failed run left behind. */
  async dispose() {
    for (const id of this.running()) {
      try {
        process.kill(id, "SIGKILL");
      } catch {
        // It has just ended.
      }
    }
    for (let ms = 0; ms < 2000 && this.running().length > 0; ms += 10) await sleep(10);
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/**
 * Reads the command line, runs `body`, exits.
 *
 *   node DRIVER [--negotiate legacy|auto|2026-07-28] -- COMMAND [ARGUMENT...]
 *
 * COMMAND is the bridge, and its first ARGUMENT the URL of the server.
 */
export async function main(body) {
  const { values, positionals } = parseArgs({
    options: { negotiate: { type: "string", default: "legacy" } },
    allowPositionals: true,
  });
  if (positionals.length === 0 || !NEGOTIATE.includes(values.negotiate)) {
    console.error(`usage: node DRIVER [--negotiate ${NEGOTIATE.join("|")}] -- COMMAND [ARGUMENT...]`);
    process.exit(2);
  }
  const watched = new Watched(positionals);
  let status = 0;
  try {
    await body(watched, values.negotiate);
  } catch (error) {
    const cause = error.cause ?? error;
    console.log(`not ok ${error.message}`);
    console.log(`  ${cause instanceof Unmet ? cause.message : cause}`);
    status = 1;
  } finally {
    await watched.dispose();
  }
  process.exit(status);
}
