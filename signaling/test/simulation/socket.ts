import {
  type BedsideError,
  type ClientEventName,
  type ClientEventPayload,
  type CloseReason,
  type SessionId,
  toBedsideError,
} from '@bedside/protocol';
import type {
  ClientLink,
  Identity,
  VisitCommandName,
  VisitConnection,
  WelcomePart,
} from '../../src/ports.ts';
import type { GatewayHost, Life } from './gateway-host.ts';
import type { World } from './world.ts';

/** Pings that are not answered end a connection after this long, milliseconds. */
const SILENCE_MS = 15_000;

export interface SocketEvents {
  welcome(welcome: WelcomePart): void;
  refused(error: BedsideError): void;
  event(name: ClientEventName, payload: unknown): void;
  /** Resolves whether the page acted on it. */
  consumers(payload: ClientEventPayload<'consumers'>): boolean;
  closing(reason: CloseReason, retryAfterMs: number | undefined): void;
  lost(): void;
}

/** One WebSocket between a page and a gateway: in order, late, and gone when somebody breaks it. */
export class PageSocket {
  readonly gateway: GatewayHost;
  readonly #life: Life;
  readonly #world: World;
  readonly #events: SocketEvents;
  #connection: VisitConnection | undefined;
  /** The page's end, and the gateway's. */
  #open = true;
  #attached = true;
  #upUntil = 0;
  #downUntil = 0;
  /** Held back until the welcome is out. */
  #held: (() => void)[] | undefined = [];

  constructor(
    world: World,
    gateway: GatewayHost,
    identity: Identity,
    sessionId: SessionId | undefined,
    events: SocketEvents,
  ) {
    this.#world = world;
    this.gateway = gateway;
    this.#life = gateway.life;
    this.#events = events;
    this.#up(() => this.#enter(identity, sessionId));
    this.#life.process.onEnd(() => this.#down(() => this.#lose()));
    if (this.#life.process.killed) this.#down(() => this.#lose());
    this.#listen();
  }

  get open(): boolean {
    return this.#open;
  }

  get life(): Life {
    return this.#life;
  }

  /** Answers at most once; a lost answer never comes. */
  command(
    name: VisitCommandName,
    request: object,
    answered: (answer: { ok: unknown; kept: boolean } | { error: BedsideError }) => void,
  ): void {
    this.#up(() => {
      const connection = this.#connection;
      if (!connection) return;
      const answer = (given: Parameters<typeof answered>[0]) => this.#down(() => answered(given));
      connection.command(name, request as never).then(
        (ok) => answer({ ok, kept: !this.#life.store.available }),
        (thrown: unknown) => answer({ error: toBedsideError(thrown) }),
      );
    });
  }

  /** The page closes it. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#up(() => this.#detach(), true);
  }

  /** The network lost it: each end notices by itself. */
  break(): void {
    if (!this.#open) return;
    this.#lose();
    const { process } = this.#life;
    this.#world.after(this.#world.random.within(0, SILENCE_MS), () =>
      process.deliver(() => this.#detach()),
    );
  }

  #enter(identity: Identity, sessionId: SessionId | undefined): void {
    const link: ClientLink = {
      send: (name, payload) => this.#send(() => this.#events.event(name, payload)),
      sendConsumers: (payload) =>
        new Promise((resolve) =>
          this.#send(() => {
            const acted = this.#events.consumers(payload);
            this.#up(() => resolve(acted));
          }),
        ),
      close: (reason, retryAfterMs) => {
        if (!this.#attached) return;
        this.#send(() => {
          this.#events.closing(reason, retryAfterMs);
          this.#lose();
        });
        if (this.#held) this.#held.push(() => this.#detach());
        else this.#detach();
      },
    };
    this.#life.visits.connect(identity, link, sessionId).then(
      (connection) => {
        if (!this.#attached) return connection.disconnected();
        this.#connection = connection;
        this.#down(() => this.#events.welcome(connection.welcome));
        const held = this.#held ?? [];
        this.#held = undefined;
        for (const send of held) send();
      },
      (thrown: unknown) => {
        this.#attached = false;
        this.#down(() => {
          this.#open = false;
          this.#events.refused(toBedsideError(thrown));
        });
      },
    );
  }

  #send(call: () => void): void {
    if (!this.#attached) return;
    if (this.#held) this.#held.push(() => this.#down(call));
    else this.#down(call);
  }

  /** The gateway's end is over. */
  #detach(): void {
    if (!this.#attached) return;
    this.#attached = false;
    // As the end of the connection comes to the gateway: in a turn of its own.
    this.#world.after(0, () => this.#life.process.deliver(() => this.#connection?.disconnected()));
  }

  #lose(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#events.lost();
  }

  #up(call: () => void, last = false): void {
    this.#upUntil = Math.max(this.#upUntil, this.#world.now + this.#delay());
    this.#world.after(this.#upUntil - this.#world.now, () => {
      if (this.#open || last) this.#life.process.deliver(() => this.#attached && call());
    });
  }

  #down(call: () => void): void {
    this.#downUntil = Math.max(this.#downUntil, this.#world.now + this.#delay());
    this.#world.after(this.#downUntil - this.#world.now, () => this.#open && call());
  }

  /** A gateway that stands still answers no ping. */
  #listen(): void {
    if (!this.#open) return;
    let heard = false;
    this.#life.process.deliver(() => {
      heard = true;
    });
    this.#world.after(SILENCE_MS, () => {
      if (heard) this.#listen();
      else this.break();
    });
  }

  #delay(): number {
    return this.#world.random.within(1, 20);
  }
}
