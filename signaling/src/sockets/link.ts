import type {
  ClientEventName,
  ClientEventPayload,
  ClientToGateway,
  CloseReason,
  GatewayToClient,
} from '@bedside/protocol';
import type { Socket } from 'socket.io';
import type { ClientLink } from '../ports.ts';

export type ClientSocket = Socket<ClientToGateway, GatewayToClient, Record<string, never>, unknown>;

/** What the actor may send before `welcome` is out: it opens a visit while the handshake still runs. A page that would miss some of it is closed, and comes back. */
export const MAX_HELD = 256;

/**
 * ClientLink over one Socket.IO socket. Before `open()` it holds what is sent, so that `welcome` is
 * the first message on every socket; after the socket's end it drops what is sent.
 */
export class SocketLink implements ClientLink {
  readonly #socket: ClientSocket;
  readonly #onClose: (reason: CloseReason) => void;
  #held: Array<() => void> | undefined = [];
  #closed = false;
  /** Ends of the `consumers` that wait for their acknowledgement. */
  readonly #waiting = new Set<(acted: boolean) => void>();

  constructor(socket: ClientSocket, onClose: (reason: CloseReason) => void) {
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
  open(welcome: ClientEventPayload<'welcome'>): void {
    this.#socket.emit('welcome', welcome);
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const send of held) send();
  }

  send<Name extends Exclude<ClientEventName, 'consumers' | 'welcome' | 'closing'>>(
    name: Name,
    payload: ClientEventPayload<Name>,
  ): void {
    // The pair of name and payload is checked by this method's signature; Socket.IO's overloads lose it.
    const emit = this.#socket.emit.bind(this.#socket) as (
      name: string,
      payload: unknown,
    ) => boolean;
    this.#whenOpen(() => emit(name, payload));
  }

  sendConsumers(payload: ClientEventPayload<'consumers'>): Promise<boolean> {
    return new Promise((resolve) => {
      const settle = (acted: boolean) => {
        this.#waiting.delete(settle);
        resolve(acted);
      };
      this.#waiting.add(settle);
      const emit = () => {
        // However late: a page that was blocked for long sets them up when it wakes.
        this.#socket.emit('consumers', payload, () => settle(true));
      };
      if (!this.#whenOpen(emit)) settle(false);
    });
  }

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
