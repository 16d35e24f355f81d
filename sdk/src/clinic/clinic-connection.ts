import {
  type BedsideError,
  CLINIC_NAMESPACE,
  type ClientCommandName,
  type ClientCommands,
  type ClientResponse,
  type ClinicCommandName,
  type ClinicCommands,
  type ClinicEventMap,
  type ClinicResponse,
  type VisitId,
} from '@bedside/protocol';
import {
  type Body,
  Connection,
  type CreateSocket,
  type Handlers,
  type Wire,
} from '../connection.ts';
import { watchNetwork } from '../network.ts';
import { Lifecycle } from '../session/lifecycle.ts';
import { backoffMs } from '../session/machine.ts';
import { Session } from '../session/session.ts';
import { visitWire } from '../signal.ts';
import { TokenKeeper } from '../token-keeper.ts';
import { clinicAnswers, clinicPayloads } from '../wire/shapes.ts';
import type { ClinicOptions } from './types.ts';

const clinicWire: Wire<ClinicCommands, ClinicEventMap> = {
  namespace: CLINIC_NAMESPACE,
  answers: clinicAnswers,
  events: clinicPayloads,
};

/** A synchronisation that is not answered in this time is tried again on a new socket. */
const SYNC_DEADLINE_MS = 8_000;
/** For so long a visit is tried that is just passing to another gateway. */
const ATTEND_MS = 10_000;

export interface ClinicPort {
  /** On each new socket, and whenever the network changed: bring the page in step with the gateway. */
  sync(): Promise<void>;
  /** `connectionStateChanged` of the page. */
  stateChanged(): void;
  /** What the page does with the clinic's events. */
  events: Partial<Omit<Handlers<ClinicEventMap>, 'closing' | 'lost'>>;
}

/** The connection of a clinic's staff: opened, kept open until it is closed, with a fresh token. */
export class ClinicConnection {
  readonly life = new Lifecycle();
  readonly #options: ClinicOptions;
  readonly #createSocket: CreateSocket | undefined;
  readonly #connection: Connection<ClinicCommands, ClinicEventMap>;
  readonly #session: Session;
  readonly #tokens: TokenKeeper;
  /** The gateway's clock less this page's, milliseconds. */
  #clockAhead = 0;
  #unwatch: (() => void) | undefined;

  constructor(
    options: ClinicOptions,
    { sync, stateChanged, events }: ClinicPort,
    createSocket?: CreateSocket,
  ) {
    this.#options = options;
    this.#createSocket = createSocket;
    this.#tokens = new TokenKeeper(options, (token) =>
      this.#connection.request('renew-token', { token }),
    );
    const handlers: Partial<Handlers<ClinicEventMap>> = {
      ...events,
      closing: ({ reason, retryAfterMs }) =>
        this.#session.dispatch({
          type: 'closing',
          reason,
          retryAfterMs,
          ...this.#session.moment(),
        }),
      lost: () => this.#session.dispatch({ type: 'socket-lost', ...this.#session.moment() }),
    };
    this.#connection = new Connection(options.url, clinicWire, handlers, createSocket);
    const inStep = async () => {
      await sync();
      this.#connection.ready();
    };
    this.#session = new Session({
      getToken: async () => {
        this.#watch();
        await this.#tokens.fetch();
      },
      openSocket: () => this.#openSocket(),
      join: inStep,
      resume: inStep,
      closeSocket: () => {
        this.#tokens.stop();
        this.#connection.close();
      },
      closeMedia() {},
      forgetSession() {},
      sendLeave() {},
      release: () => {
        this.#unwatch?.();
        this.#unwatch = undefined;
        this.#tokens.stop();
        this.#connection.abandon();
      },
      changed: (state, previous, error) => this.life.follow(state, previous, error, stateChanged),
    });
  }

  /** The gateway's clock, milliseconds since 1970. */
  get now(): number {
    return Date.now() + this.#clockAhead;
  }

  /** Resolves when in step; goes on until `close()`. @throws BedsideError */
  connect(): Promise<void> {
    if (this.life.state === 'connected') return Promise.resolve();
    const connected = this.life.connected();
    this.#session.dispatch({
      type: 'connect',
      renewable: this.#tokens.isRenewable,
      endless: true,
      ...this.#session.moment(),
    });
    return connected;
  }

  close(): void {
    this.#session.dispatch({ type: 'leave' });
  }

  /** A command that belongs to a synchronisation: sent at once, never repeated. @throws BedsideError */
  ask<Name extends ClinicCommandName>(
    name: Name,
    body: Body<ClinicCommands, Name>,
  ): Promise<ClinicResponse<Name>> {
    const options = { immediate: true, deadlineMs: SYNC_DEADLINE_MS };
    return this.#connection.request(name, body, options);
  }

  /** @throws BedsideError */
  request<Name extends ClinicCommandName>(
    name: Name,
    body: Body<ClinicCommands, Name>,
  ): Promise<ClinicResponse<Name>> {
    return this.#connection.request(name, body);
  }

  /** One command to a visit of the clinic, from outside of it, on a socket of its own. @throws BedsideError */
  async attend<Name extends ClientCommandName>(
    visit: VisitId,
    name: Name,
    body: Body<ClientCommands, Name>,
  ): Promise<ClientResponse<Name>> {
    const connection = new Connection(this.#options.url, visitWire, {}, this.#createSocket);
    const end = Date.now() + ATTEND_MS;
    try {
      for (let attempt = 0; !connection.isOpen; attempt += 1) {
        await connection
          .openAt({ visit }, this.#tokens.current)
          .catch((error: BedsideError) => pauseAfter(error, attempt, end));
      }
      // Not repeated where the answer is lost: somebody else may have acted since.
      return await connection.request(name, body, { immediate: true });
    } finally {
      connection.abandon();
    }
  }

  async #openSocket(): Promise<{ resumed: boolean }> {
    const { clinic } = this.#options;
    const welcome = await this.#connection.openAt({ clinic }, this.#tokens.current);
    this.#clockAhead = welcome.now - Date.now();
    this.#tokens.expiresIn(welcome.tokenExpiresInMs);
    return { resumed: false };
  }

  #watch(): void {
    this.#unwatch ??= watchNetwork({
      networkChanged: () => this.#session.dispatch({ type: 'network-changed' }),
      devicesChanged() {},
    });
  }
}

/** Before the next attempt. @throws the error where there is none to be made */
async function pauseAfter(error: BedsideError, attempt: number, end: number): Promise<void> {
  const pauseMs = (error.retryAfterMs ?? 0) + backoffMs(attempt, Math.random());
  if (!error.retryable || Date.now() + pauseMs > end) throw error;
  await new Promise((resolve) => setTimeout(resolve, pauseMs));
}
