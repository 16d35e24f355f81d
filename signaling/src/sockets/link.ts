import type {
  ClientEventMap,
  ClientEventPayload,
  CloseReason,
  EventMap,
  PayloadOf,
} from '@bedside/protocol';
import type { Socket } from 'socket.io';
import type { ClientLink } from '../ports.ts';

/** What may be sent before `welcome` is out: an actor opens a visit while the handshake still runs. A page that would miss some of it is closed, and comes back. */
export const MAX_HELD = 256;

/**
 * One Socket.IO socket, as those behind it see it. Before `open()` it holds what is sent, so that
 * `welcome` is the first message on every socket; after the socket's end it drops what is sent.
 */
export class SocketLink<Events extends EventMap> {
  readonly #socket: Socket;
  readonly #onClose: (reason: CloseReason) => void;
  #held: Array<() => void> | undefined = [];
  #closed = false;
  /** Ends of the events that wait for their acknowledgement. */
  readonly #waiting = new Set<(acted: boolean) => void>();

  constructor(socket: Socket, onClose: (reason: CloseReason) => void) {
    this.#socket = socket;
    this.#onClose = onClose;
    socket.conn.once('close', () => {
      for (const settle of this.#waiting) settle(false);
    });
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Says `welcome`, then everything held. */
  open(welcome: PayloadOf<Events, 'welcome'>): void {
    this.#socket.emit('welcome', welcome);
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const send of held) send();
  }

  send<Name extends keyof Events & string>(name: Name, payload: PayloadOf<Events, Name>): void {
    this.#whenOpen(() => this.#socket.emit(name, payload));
  }

  /** Resolves true once the page has acted on the event, false when it is gone. */
  protected sendAcknowledged<Name extends keyof Events & string>(
    name: Name,
    payload: PayloadOf<Events, Name>,
  ): Promise<boolean> {
    return new Promise((resolve) => {
      const settle = (acted: boolean) => {
        this.#waiting.delete(settle);
        resolve(acted);
      };
      this.#waiting.add(settle);
      const emit = () => {
        // However late: a page that was blocked for long acts on it when it wakes.
        this.#socket.emit(name, payload, () => settle(true));
      };
      if (!this.#whenOpen(emit)) settle(false);
    });
  }

  /** Says `closing` and closes the socket. */
  close(reason: CloseReason, retryAfterMs?: number): void {
    if (this.#closed) return;
    this.#closed = true;
    const say = () => {
      this.#socket.emit(
        'closing',
        retryAfterMs === undefined ? { reason } : { reason, retryAfterMs },
      );
      this.#socket.disconnect(true);
    };
    if (this.#held === undefined) say();
    else this.#held.push(say);
    this.#onClose(reason);
  }

  /** False where it will never be sent. */
  #whenOpen(action: () => void): boolean {
    if (this.#closed || this.#socket.conn.readyState !== 'open') return false;
    if (this.#held !== undefined && this.#held.length >= MAX_HELD) {
      this.#socket.conn.close();
      return false;
    }
    if (this.#held === undefined) action();
    else this.#held.push(action);
    return true;
  }
}

/** A page of a visit. */
export class VisitLink extends SocketLink<ClientEventMap> implements ClientLink {
  sendConsumers(payload: ClientEventPayload<'consumers'>): Promise<boolean> {
    return this.sendAcknowledged('consumers', payload);
  }
}
