import { type BedsideError, toBedsideError } from '@bedside/protocol';
import {
  initialState,
  type SessionEffect,
  type SessionEvent,
  type SessionState,
  transition,
} from './machine.ts';

/** What the session has done for it. A promise that rejects tells the session that its step failed. */
export interface SessionPort {
  getToken(): Promise<void>;
  /** Opens a socket and waits for `welcome`. */
  openSocket(): Promise<{ resumed: boolean }>;
  /** `current` is false once the session wants something else; then nothing may be set up any more. */
  join(current: () => boolean): Promise<void>;
  resume(current: () => boolean): Promise<void>;
  closeSocket(): void;
  closeMedia(): void;
  forgetSession(): void;
  sendLeave(): void;
  release(): void;
  /** After the effects of a transition. `error` is the one behind `state.failure`, where a step threw it. */
  changed(state: SessionState, previous: SessionState, error: BedsideError | undefined): void;
}

/** Time and chance, so that tests choose them. */
export interface Clock {
  now(): number;
  random(): number;
}

/**
 * Runs the machine: the only writer of its state. Events queue up and effects run one at a time;
 * what takes time reports back as an event with the ticket it was started with.
 */
export class Session {
  readonly #port: SessionPort;
  readonly #clock: Clock;
  readonly #queue: SessionEvent[] = [];
  #state: SessionState = initialState;
  #running = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #error: BedsideError | undefined;

  constructor(
    port: SessionPort,
    clock: Clock = { now: () => performance.now(), random: Math.random },
  ) {
    this.#port = port;
    this.#clock = clock;
  }

  get state(): SessionState {
    return this.#state;
  }

  /** The clock's part of an event. */
  moment(): { at: number; random: number } {
    return { at: this.#clock.now(), random: this.#clock.random() };
  }

  dispatch(event: SessionEvent): void {
    this.#queue.push(event);
    if (this.#running) return;
    this.#running = true;
    try {
      for (let next = this.#queue.shift(); next; next = this.#queue.shift()) this.#advance(next);
    } finally {
      this.#running = false;
    }
  }

  #advance(event: SessionEvent): void {
    const previous = this.#state;
    const { state, effects } = transition(previous, event);
    this.#state = state;
    if (state.ticket !== previous.ticket) clearTimeout(this.#timer);
    for (const effect of effects) this.#run(effect);
    if (state === previous) return;
    const error = this.#error?.code === state.failure?.code ? this.#error : undefined;
    if (error?.code === 'unauthorized') warnOfToken(error);
    this.#port.changed(state, previous, error);
  }

  #run(effect: SessionEffect): void {
    const port = this.#port;
    switch (effect.type) {
      case 'get-token':
        this.#step(effect.ticket, port.getToken(), () => ({
          type: 'token-ready',
          ticket: effect.ticket,
        }));
        return;
      case 'open-socket':
        this.#step(effect.ticket, port.openSocket(), ({ resumed }) => ({
          type: 'welcome',
          ticket: effect.ticket,
          resumed,
          ...this.moment(),
        }));
        return;
      case 'join':
        this.#step(effect.ticket, port.join(this.#current(effect.ticket)), () => ({
          type: 'joined',
          ticket: effect.ticket,
        }));
        return;
      case 'resume':
        this.#step(effect.ticket, port.resume(this.#current(effect.ticket)), () => ({
          type: 'resumed',
          ticket: effect.ticket,
        }));
        return;
      case 'wait':
        this.#timer = setTimeout(
          () => this.dispatch({ type: 'wait-over', ticket: effect.ticket }),
          effect.ms,
        );
        return;
      case 'close-socket':
        port.closeSocket();
        return;
      case 'close-media':
        port.closeMedia();
        return;
      case 'forget-session':
        port.forgetSession();
        return;
      case 'send-leave':
        port.sendLeave();
        return;
      case 'release':
        port.release();
        return;
    }
  }

  #current(ticket: number): () => boolean {
    return () => this.#state.ticket === ticket;
  }

  #step<Value>(
    ticket: number,
    promise: Promise<Value>,
    done: (value: Value) => SessionEvent,
  ): void {
    promise.then(
      (value) => this.dispatch(done(value)),
      (thrown: unknown) => {
        if (this.#state.ticket !== ticket) return;
        const error = toBedsideError(thrown);
        this.#error = error;
        const { code, retryable, retryAfterMs } = error;
        this.dispatch({
          type: 'step-failed',
          ticket,
          failure: { code, retryable, retryAfterMs },
          ...this.moment(),
        });
      },
    );
  }
}

/** The person reads that their link has expired; who embeds the visit needs to know where to look. */
function warnOfToken({ cause }: BedsideError): void {
  const { field } = (cause ?? {}) as Partial<BedsideError>;
  console.warn(
    cause
      ? `Bedside: this is no token of a visit${field ? `: see its \`${field}\`` : ''}.`
      : 'Bedside: the gateway refuses the token. Its metric bedside_gateway_token_failures_total says why.',
  );
}
