import {
  AckEnvelope,
  BedsideError,
  type ControlCommandName,
  type ControlEventName,
  type ControlEventPayload,
  type ControlRequest,
  type ControlResponse,
  controlCommands,
  controlEvents,
  type GatewayId,
  type GatewayToNode,
  type NodeToGateway,
  parse,
  unwrap,
} from '@bedside/protocol';
import type { Clock } from '@bedside/service';
import type { Logger } from 'pino';
import { io, type ManagerOptions, type Socket, type SocketOptions } from 'socket.io-client';
import type { ControlCredentials } from './handshake.ts';

/** A node that has not answered a call by then may have died. */
const CALL_DEADLINE_MS = 2_000;
const RECONNECT_MIN_MS = 100;
const RECONNECT_MAX_MS = 2_000;
/** A link that is down for this long is lost with its node, as far as this gateway can tell; at once where the node's port refuses. */
const LOST_MS = 700;
/** A cause that lasts is written to the log this often at the most. */
const REPEAT_MS = 60_000;

export interface NodeLinkOptions {
  /** Control address of the node: http(s)://host:port */
  url: string;
  gatewayId: GatewayId;
  credentials: ControlCredentials;
  clock: Clock;
  log: Logger;
  onWelcome: (welcome: ControlEventPayload<'welcome'>) => void;
  onDown: () => void;
  /** Down, and not back soon enough: once an outage. */
  onLost: () => void;
  onEvent: <Name extends Exclude<ControlEventName, 'welcome'>>(
    name: Name,
    payload: ControlEventPayload<Name>,
  ) => void;
}

const REPORTS = [
  'load',
  'transport-state',
  'scores',
  'speaker',
  'peers-lost',
  'pipes-silent',
  'visits-lost',
] as const;

/** The control link with one node. Reconnects by itself until it is closed. */
export class NodeLink {
  readonly #options: NodeLinkOptions;
  readonly #socket: Socket<NodeToGateway, GatewayToNode>;
  /** When each cause was last written to the log. */
  readonly #reported = new Map<string, number>();
  #cancelRetry: () => void = () => {};
  #welcomed = false;
  #cancelLost: (() => void) | undefined;

  constructor(options: NodeLinkOptions) {
    this.#options = options;
    const { credentials, gatewayId, url } = options;
    const settings = credentials.withTls<Partial<ManagerOptions & SocketOptions>>({
      transports: ['websocket'],
      forceNew: true,
      reconnectionDelay: RECONNECT_MIN_MS,
      reconnectionDelayMax: RECONNECT_MAX_MS,
      timeout: CALL_DEADLINE_MS,
      // Called for every connection: a token lives a minute.
      auth: (give) => {
        void credentials.handshake(gatewayId, url).then(give, () => give({}));
      },
    });
    this.#socket = io(url, settings);
    this.#socket.on('disconnect', (reason) => {
      this.#down();
      // The node closed the link: Socket.IO leaves the next try to us.
      if (reason === 'io server disconnect') this.#retry();
    });
    this.#socket.on('connect_error', (error) => {
      // Not reached is retried by Socket.IO itself; refused by the node's middleware is not.
      if (this.#socket.active) {
        const cause = causeOf(error);
        this.#report(cause, 'a node can not be reached');
        if (cause.code === 'ECONNREFUSED') this.#lost();
        return;
      }
      this.#report({ message: error.message }, 'a node refused the control link');
      this.#retry();
    });
    this.#socket.on('welcome', (payload: unknown) =>
      this.#receive('welcome', payload, (welcome) => {
        this.#welcomed = true;
        this.#cancelLost?.();
        this.#cancelLost = undefined;
        this.#reported.clear();
        options.onWelcome(welcome);
      }),
    );
    for (const name of REPORTS) {
      this.#socket.on(name, (payload: unknown) =>
        this.#receive(name, payload, (checked) => options.onEvent(name, checked)),
      );
    }
  }

  /** The node has said its welcome, and was heard since. */
  get up(): boolean {
    return this.#welcomed;
  }

  /**
   * @throws BedsideError the node's, `media-unavailable` where it is not linked or doesn't answer, or
   * `internal` where its answer is none
   */
  async call<Name extends ControlCommandName>(
    name: Name,
    request: ControlRequest<Name>,
  ): Promise<ControlResponse<Name>> {
    if (!this.#welcomed)
      throw new BedsideError('media-unavailable', { retryAfterMs: RECONNECT_MIN_MS });
    let answer: unknown;
    try {
      // Socket.IO can't relate a generic name to its request; GatewayToNode does, and so does our signature.
      const emitter = this.#socket.timeout(CALL_DEADLINE_MS) as unknown as {
        emitWithAck(event: string, request: unknown): Promise<unknown>;
      };
      answer = await emitter.emitWithAck(name, request);
    } catch (cause) {
      throw new BedsideError('media-unavailable', { retryAfterMs: RECONNECT_MIN_MS, cause });
    }
    try {
      const data: unknown = unwrap(controlCommands[name].response, answer);
      return data as ControlResponse<Name>;
    } catch (error) {
      const envelope = AckEnvelope.safeParse(answer);
      if (envelope.success && !envelope.data.ok) throw error;
      // The answer is not of the protocol: no fault of whoever asked.
      throw new BedsideError('internal', { cause: error });
    }
  }

  /** Whoever was at the other end is gone: where the link is down it does not wait to be lost. */
  giveUp(): void {
    this.#lost();
    this.close();
  }

  close(): void {
    this.#cancelRetry();
    this.#socket.disconnect();
    this.#down();
    this.#cancelLost?.();
    this.#cancelLost = undefined;
  }

  #receive<Name extends ControlEventName>(
    name: Name,
    payload: unknown,
    use: (checked: ControlEventPayload<Name>) => void,
  ): void {
    let checked: ControlEventPayload<Name>;
    try {
      const data: unknown = parse(controlEvents[name].payload, payload);
      checked = data as ControlEventPayload<Name>;
    } catch (error) {
      const field = error instanceof BedsideError ? error.field : undefined;
      this.#options.log.error(
        { event: name, field },
        'a node sent an event that does not match its schema',
      );
      return;
    }
    use(checked);
  }

  #report(cause: LinkFailure, message: string): void {
    const { clock, log, url } = this.#options;
    const key = `${message} ${cause.code ?? cause.message}`;
    const now = clock.now();
    if (now - (this.#reported.get(key) ?? Number.NEGATIVE_INFINITY) < REPEAT_MS) return;
    this.#reported.set(key, now);
    // Without user, password and query, should the address have such.
    log.warn({ control: new URL(url).origin, reason: cause.message, code: cause.code }, message);
  }

  #down(): void {
    if (!this.#welcomed) return;
    this.#welcomed = false;
    this.#cancelLost = this.#options.clock.after(LOST_MS, () => this.#lost());
    this.#options.onDown();
  }

  #lost(): void {
    if (!this.#cancelLost) return;
    this.#cancelLost();
    this.#cancelLost = undefined;
    this.#options.onLost();
  }

  #retry(): void {
    this.#cancelRetry();
    const delay = RECONNECT_MAX_MS * (0.5 + Math.random() / 2);
    this.#cancelRetry = this.#options.clock.after(delay, () => this.#socket.connect());
  }
}

interface LinkFailure {
  code?: string;
  message: string;
}

/** What the WebSocket stumbled over: Socket.IO says no more than "websocket error", and hangs it below. */
function causeOf(error: Error): LinkFailure {
  const event = 'description' in error ? error.description : undefined;
  const inner = typeof event === 'object' && event !== null && 'error' in event && event.error;
  if (!(inner instanceof Error)) return { message: error.message };
  const code = 'code' in inner && typeof inner.code === 'string' ? inner.code : undefined;
  // Of several addresses tried, Node's error has the code alone.
  return {
    message: inner.message || (code ?? error.message),
    ...(code === undefined ? {} : { code }),
  };
}
