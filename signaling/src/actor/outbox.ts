import type { ClientEventPayload, CloseReason } from '@bedside/protocol';
import type { ClientLink } from '../ports.ts';

/**
 * What goes to one page, in the order in which it may see it: while a command that gives the page its
 * view of the visit is being answered (the handshake, join, resume), events wait behind the answer.
 */
export class Outbox {
  readonly #link: ClientLink;
  #held: (() => void)[] = [];
  #holds = 0;

  constructor(link: ClientLink) {
    this.#link = link;
  }

  isOf(link: ClientLink): boolean {
    return this.#link === link;
  }

  send: ClientLink['send'] = (name, payload) => this.#pass(() => this.#link.send(name, payload));

  /** Calls back once the page has acted on it; not at all where it is gone. */
  sendConsumers(payload: ClientEventPayload<'consumers'>, onAcknowledged: () => void): void {
    this.#pass(
      () => void this.#link.sendConsumers(payload).then((acted) => acted && onAcknowledged()),
    );
  }

  close(reason: CloseReason, retryAfterMs?: number): void {
    this.#pass(() => this.#link.close(reason, retryAfterMs));
  }

  /** Holds events back until the answer that `answering` yields has been handed to the socket. */
  async behind<Answer>(answering: () => Promise<Answer>): Promise<Answer> {
    this.#holds++;
    try {
      return await answering();
    } finally {
      // The caller writes the answer in this turn of the event loop.
      setImmediate(() => this.#release());
    }
  }

  #release(): void {
    if (--this.#holds > 0) return;
    for (const send of this.#held.splice(0)) send();
  }

  #pass(send: () => void): void {
    if (this.#holds > 0) this.#held.push(send);
    else send();
  }
}
