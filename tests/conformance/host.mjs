// The MCP host that the driver plays, in the two shapes that the protocol has had.
import { Refusal } from './bridge.mjs';
import { acceptedForm } from './samples.mjs';

const CLIENT = { name: 'conformance-driver', version: '1.0.0' };
const CAPABILITIES = { roots: {}, sampling: {}, elicitation: {} };
const UNSUPPORTED_VERSION = -32022;
const MAX_ROUNDS = 10;

/** The result for a request of the server; nothing for a method that a host does not know. */
export function answer({ method, params }) {
  switch (method) {
    case 'ping':
      return {};
    case 'roots/list':
      return { roots: [{ uri: 'file:///workspace', name: 'workspace' }] };
    case 'elicitation/create':
      return acceptedForm(params);
    case 'sampling/createMessage':
      return {
        role: 'assistant',
        content: { type: 'text', text: 'Certainly.' },
        model: 'stand-in',
        stopReason: 'endTurn',
      };
    default:
      return undefined;
  }
}

/** Up to 2025-11-25: `initialize` first, and the server asks by itself. */
export class StatefulHost {
  constructor(bridge, version) {
    this.bridge = bridge;
    this.version = version;
  }

  async open() {
    const { version: protocolVersion } = this;
    const params = { protocolVersion, capabilities: CAPABILITIES, clientInfo: CLIENT };
    const result = await this.bridge.request('initialize', params);
    this.bridge.notify('notifications/initialized');
    return result.capabilities;
  }

  request(method, params = {}) {
    return this.bridge.request(method, params);
  }
}

/** From 2026-07-28 on: every request says who asks, and an answer may be what the server needs. */
export class StatelessHost {
  constructor(bridge, version) {
    this.bridge = bridge;
    this.version = version;
  }

  async open() {
    return (await this.request('server/discover')).capabilities;
  }

  /** `between` is called before a request is repeated with the inputs that the server asked for. */
  async request(method, params = {}, between = () => {}) {
    let result = await this.#once(method, params);
    for (let round = 1; result?.resultType === 'input_required'; round++) {
      if (MAX_ROUNDS < round) throw new Error(`${method}: input required for the ${round}th time`);
      await between();
      const asked = Object.entries(result.inputRequests ?? {});
      const inputResponses = Object.fromEntries(asked.map(([name, ask]) => [name, answer(ask)]));
      const { requestState } = result;
      result = await this.#once(method, { ...params, inputResponses, requestState });
    }
    return result;
  }

  async #once(method, params) {
    try {
      return await this.bridge.request(method, this.#signed(params));
    } catch (error) {
      const [supported] = (error instanceof Refusal && error.error.data?.supported) || [];
      if (error.error?.code !== UNSUPPORTED_VERSION || !supported) throw error;
      this.version = supported;
      return await this.bridge.request(method, this.#signed(params));
    }
  }

  #signed(params) {
    const name = (text) => `io.modelcontextprotocol/${text}`;
    const _meta = {
      [name('protocolVersion')]: this.version,
      [name('clientInfo')]: CLIENT,
      [name('clientCapabilities')]: CAPABILITIES,
    };
    return { ...params, _meta };
  }
}
