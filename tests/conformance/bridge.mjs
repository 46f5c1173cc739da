// The bridge's process, and JSON-RPC with it: requests by their id, and answers to what it asks.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

const ANSWER_SECONDS = 25;
const GOODBYE_SECONDS = 10;

/** An error that the bridge gave as the answer. */
export class Refusal extends Error {
  constructor(method, error) {
    super(`${method}: ${error?.code} ${error?.message}`);
    this.error = error;
  }
}

export class Bridge {
  #child;
  #exit;
  #waiting = new Map();
  #id = 0;
  /** What is wrong with the conversation; empty if nothing is. */
  complaints = [];

  /** `answer` gives the result for a request of the server, or nothing if it is not known. */
  constructor([program, ...args], environment, answer) {
    this.#child = spawn(program, args, { env: environment, stdio: ['pipe', 'pipe', 'inherit'] });
    this.#exit = new Promise((resolve) => {
      this.#child.on('error', (error) => resolve(`it did not start: ${error.message}`));
      this.#child.on('close', (status, signal) => resolve(status ?? signal));
    });
    this.#exit.then((status) => this.#abandon(`the bridge has ended (${status})`));
    // A bridge that has ended is told by its exit, not by a broken pipe.
    this.#child.stdin.on('error', () => {});
    const lines = createInterface({ input: this.#child.stdout });
    lines.on('line', (line) => this.#receive(line, answer));
  }

  /** Sends a request; its result, or a `Refusal`. */
  request(method, params) {
    const id = ++this.#id;
    return new Promise((resolve, reject) => {
      const late = () => this.#settle(id, new Error(`${method}: no answer in ${ANSWER_SECONDS} s`));
      const timer = setTimeout(late, ANSWER_SECONDS * 1000);
      this.#waiting.set(id, { method, resolve, reject, timer });
      this.#send({ id, method, params });
    });
  }

  notify(method, params) {
    this.#send({ method, params });
  }

  /** Closes stdin, and waits for the end; the exit status, or how the end came otherwise. */
  async end() {
    this.#child.stdin.end();
    const kill = setTimeout(() => {
      this.complaints.push(`the bridge had not ended ${GOODBYE_SECONDS} s after its stdin`);
      this.kill();
    }, GOODBYE_SECONDS * 1000);
    const status = await this.#exit;
    clearTimeout(kill);
    return status;
  }

  kill() {
    this.#child.kill('SIGKILL');
  }

  #send(message) {
    this.#child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
  }

  async #receive(line, answer) {
    let message;
    try {
      message = JSON.parse(line);
    } catch {
      this.complaints.push(`stdout has a line that is not JSON: ${line.slice(0, 200)}`);
      return;
    }
    if (message.method === undefined) {
      this.#settle(message.id, message);
    } else if (message.id !== undefined) {
      const result = answer(message);
      const error = { code: -32601, message: `Method not found: ${message.method}` };
      this.#send(result ? { id: message.id, result } : { id: message.id, error });
    }
  }

  #settle(id, answer) {
    const waiting = this.#waiting.get(id);
    if (!waiting) {
      this.complaints.push(`an answer to no request, or a second one: ${JSON.stringify(answer)}`);
      return;
    }
    this.#waiting.delete(id);
    clearTimeout(waiting.timer);
    if (answer instanceof Error) waiting.reject(answer);
    else if (answer.error) waiting.reject(new Refusal(waiting.method, answer.error));
    else waiting.resolve(answer.result);
  }

  #abandon(reason) {
    for (const [id, { method }] of this.#waiting) {
      this.#settle(id, new Error(`${method}: ${reason}`));
    }
  }
}
