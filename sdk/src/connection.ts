import {
  BedsideError,
  type CommandMap,
  type EventMap,
  type GatewayId,
  type PayloadOf,
  type RequestId,
  type RequestOf,
  type ResponseOf,
  type SessionId,
  SUPPORTED_VERSIONS,
} from '@bedside/protocol';
import { io } from 'socket.io-client';
import { unwrap } from './wire/answer.ts';
import { parse, type Shape } from './wire/shape.ts';
import { errorShape } from './wire/shapes.ts';

/** What is spoken on a namespace of the gateway. One of the events is `welcome`. */
export interface Wire<Commands extends CommandMap, Events extends EventMap> {
  /** Of Socket.IO; empty for the main one. */
  namespace: string;
  answers: { readonly [Name in keyof Commands]: Shape<ResponseOf<Commands, Name>> };
  events: { readonly [Name in keyof Events]: Shape<PayloadOf<Events, Name>> };
}

export type Welcome<Events extends EventMap> = PayloadOf<Events, 'welcome'>;
export type Body<Commands extends CommandMap, Name extends keyof Commands> = Omit<
  RequestOf<Commands, Name>,
  'requestId'
>;

/** What the page does with the gateway's events. A promise is awaited before the event is acknowledged. */
export type Handlers<Events extends EventMap> = {
  [Name in Exclude<keyof Events, 'welcome'>]: (
    payload: PayloadOf<Events, Name>,
  ) => void | Promise<void>;
} & {
  /** An open socket is lost. */
  lost: () => void;
};

/** The part of a Socket.IO socket that is used here; tests put their own in its place. */
export interface SocketPort {
  on(name: string, listener: (...args: never[]) => void): unknown;
  emit(name: string, ...args: unknown[]): unknown;
  removeAllListeners(): unknown;
  disconnect(): unknown;
}

export interface SocketOptions {
  /** With the namespace. */
  url: string;
  /** What the balancer, and the gateway, go by. */
  query: Readonly<Record<string, string>>;
  auth: { token: string; versions: typeof SUPPORTED_VERSIONS; sessionId?: SessionId };
}

export type CreateSocket = (options: SocketOptions) => SocketPort;

const OPEN_DEADLINE_MS = 10_000;
const COMMAND_DEADLINE_MS = 10_000;
const REDIRECTS_MAX = 3;
const RETRY_FIRST_MS = 300;
/** Commands that wait for an answer or for the socket; more than this is a page gone wild. */
const PENDING_MAX = 64;

interface Pending {
  name: string;
  payload: Record<string, unknown>;
  /** Belongs to this socket alone (`join`, `resume`): sent at once, never repeated. */
  immediate: boolean;
  attempt: number;
  deadlineAt: number;
  timer: ReturnType<typeof setTimeout>;
  retryTimer?: ReturnType<typeof setTimeout>;
  settle: (answer: unknown, error?: BedsideError) => void;
}

export interface RequestOptions {
  immediate?: boolean;
  /** Milliseconds until the promise rejects with `deadline`, time without a socket included. */
  deadlineMs?: number;
}

/**
 * The control connection: one socket at a time, commands with deadlines. A command whose answer was
 * lost with its socket is sent again, under the same request id, as soon as the session is resumed.
 */
export class Connection<Commands extends CommandMap, Events extends EventMap> {
  readonly #url: string;
  readonly #wire: Wire<Commands, Events>;
  readonly #handlers: Partial<Handlers<Events>>;
  readonly #createSocket: CreateSocket;
  readonly #pending = new Set<Pending>();
  #socket: SocketPort | undefined;
  #abortOpen: ((error: BedsideError) => void) | undefined;
  #ready = false;
  /** Who is asked for: the one that the last refusal named. */
  #gateway: GatewayId | undefined;

  constructor(
    url: string,
    wire: Wire<Commands, Events>,
    handlers: Partial<Handlers<Events>>,
    createSocket: CreateSocket = createIoSocket,
  ) {
    this.#url = url + wire.namespace;
    this.#wire = wire;
    this.#handlers = handlers;
    this.#createSocket = createSocket;
  }

  get isOpen(): boolean {
    return this.#socket !== undefined && !this.#abortOpen;
  }

  /** Whether commands flow: the session on this socket has been joined or resumed. */
  get isReady(): boolean {
    return this.#ready;
  }

  /** Follows the gateway to another one. @throws BedsideError the gateway's refusal, or `connection-failed`. */
  async openAt(
    query: SocketOptions['query'],
    token: string,
    sessionId?: SessionId,
  ): Promise<Welcome<Events>> {
    for (let redirects = 0; ; redirects++) {
      try {
        const gateway = this.#gateway;
        return await this.#open({ ...query, ...(gateway && { gateway }) }, token, sessionId);
      } catch (error) {
        const { code, gateway } = error as BedsideError;
        if (code !== 'moved' || gateway === this.#gateway || redirects >= REDIRECTS_MAX) {
          this.#gateway = undefined;
          throw error;
        }
        this.#gateway = gateway;
      }
    }
  }

  #open(
    query: SocketOptions['query'],
    token: string,
    sessionId?: SessionId,
  ): Promise<Welcome<Events>> {
    this.close();
    return new Promise((resolve, reject) => {
      const socket = this.#createSocket({
        url: this.#url,
        query,
        auth: { token, versions: SUPPORTED_VERSIONS, ...(sessionId && { sessionId }) },
      });
      this.#socket = socket;
      let open = false;
      const fail = (error: BedsideError) => {
        if (this.#socket === socket) this.close();
        reject(error);
      };
      this.#abortOpen = fail;
      const timer = setTimeout(() => fail(new BedsideError('connection-failed')), OPEN_DEADLINE_MS);
      const settled = () => {
        clearTimeout(timer);
        if (this.#abortOpen === fail) this.#abortOpen = undefined;
      };
      socket.on('connect_error', (error: Error & { data?: unknown }) => {
        settled();
        fail(refusal(error));
      });
      socket.on('disconnect', () => {
        settled();
        if (!open) return fail(new BedsideError('connection-failed'));
        this.close();
        this.#handlers.lost?.();
      });
      socket.on('welcome', (payload: unknown) => {
        if (open) return;
        settled();
        try {
          const welcome = parse(this.#wire.events.welcome as Shape<Welcome<Events>>, payload);
          open = true;
          resolve(welcome);
        } catch (error) {
          fail(error as BedsideError);
        }
      });
      for (const name of Object.keys(this.#wire.events)) {
        if (name !== 'welcome') this.#listen(socket, name);
      }
    });
  }

  /** Commands flow from now on; those that waited are sent. Called once joined or resumed. */
  ready(): void {
    this.#ready = true;
    for (const pending of this.#pending) if (!pending.immediate) this.#send(pending);
  }

  /** Idempotent. Commands that may be repeated go on waiting for the next socket. */
  close(): void {
    const socket = this.#socket;
    this.#ready = false;
    this.#socket = undefined;
    socket?.removeAllListeners();
    socket?.disconnect();
    const abort = this.#abortOpen;
    this.#abortOpen = undefined;
    abort?.(new BedsideError('connection-failed'));
    for (const pending of [...this.#pending]) {
      if (pending.immediate) pending.settle(undefined, new BedsideError('connection-failed'));
    }
  }

  /** The visit is over: nothing waits any longer. */
  abandon(): void {
    this.close();
    for (const pending of [...this.#pending])
      pending.settle(undefined, new BedsideError('not-joined'));
  }

  /** @throws BedsideError what the gateway answers, or `deadline`. */
  request<Name extends keyof Commands & string>(
    name: Name,
    body: Body<Commands, Name>,
    { immediate = false, deadlineMs = COMMAND_DEADLINE_MS }: RequestOptions = {},
  ): Promise<ResponseOf<Commands, Name>> {
    if (this.#pending.size >= PENDING_MAX) return Promise.reject(new BedsideError('rate-limited'));
    return new Promise((resolve, reject) => {
      const pending: Pending = {
        name,
        payload: { ...body, requestId: newRequestId() },
        immediate,
        attempt: 0,
        deadlineAt: Date.now() + deadlineMs,
        timer: setTimeout(
          () => pending.settle(undefined, new BedsideError('deadline')),
          deadlineMs,
        ),
        settle: (answer, error) => {
          if (!this.#pending.delete(pending)) return;
          clearTimeout(pending.timer);
          clearTimeout(pending.retryTimer);
          if (error) reject(error);
          else resolve(answer as ResponseOf<Commands, Name>);
        },
      };
      this.#pending.add(pending);
      if (immediate || this.#ready) this.#send(pending);
    });
  }

  #send(pending: Pending): void {
    clearTimeout(pending.retryTimer);
    const socket = this.#socket;
    if (!socket) {
      if (pending.immediate) pending.settle(undefined, new BedsideError('connection-failed'));
      return;
    }
    socket.emit(pending.name, pending.payload, (answer: unknown) => {
      if (this.#socket !== socket || !this.#pending.has(pending)) return;
      try {
        pending.settle(unwrap<unknown>(this.#wire.answers[pending.name] as Shape<unknown>, answer));
      } catch (error) {
        this.#refused(pending, error as BedsideError);
      }
    });
  }

  #refused(pending: Pending, error: BedsideError): void {
    const waitMs =
      error.retryAfterMs ?? RETRY_FIRST_MS * 2 ** pending.attempt * (0.5 + Math.random());
    if (pending.immediate || !error.retryable || Date.now() + waitMs >= pending.deadlineAt) {
      pending.settle(undefined, error);
      return;
    }
    pending.attempt += 1;
    pending.retryTimer = setTimeout(() => {
      if (this.#ready) this.#send(pending);
    }, waitMs);
  }

  #listen(socket: SocketPort, name: string): void {
    socket.on(name, async (payload: unknown, ack?: () => void) => {
      try {
        parse<unknown>(this.#wire.events[name] as Shape<unknown>, payload);
      } catch {
        // A gateway that breaks the protocol must not end the visit on this page.
        return console.warn(`Bedside: event "${name}" is malformed and was ignored.`);
      }
      const handlers = this.#handlers as Record<string, (payload: unknown) => void | Promise<void>>;
      await handlers[name]?.(payload);
      if (this.#socket === socket) ack?.();
    });
  }
}

function refusal(error: Error & { data?: unknown }): BedsideError {
  try {
    return BedsideError.fromBody(parse(errorShape, error.data));
  } catch {
    return new BedsideError('connection-failed', { cause: error });
  }
}

/** 128 random bits. */
function newRequestId(): RequestId {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('') as RequestId;
}

function createIoSocket({ url, query, auth }: SocketOptions): SocketPort {
  return io(url, {
    auth,
    query,
    transports: ['websocket'],
    forceNew: true,
    // The session machine decides when to come back, and with which token and session.
    reconnection: false,
    timeout: OPEN_DEADLINE_MS,
  }) as unknown as SocketPort;
}
