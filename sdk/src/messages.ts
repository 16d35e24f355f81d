import { LIMITS } from '@bedside/protocol';
import type { Message } from './types.ts';

/** The messages of a visit, each once and in order, over however many sockets they came. */
export class Messages {
  /** The newest ones; a new array with each change. */
  all: readonly Message[] = [];
  readonly #received: (message: Message) => void;

  constructor(received: (message: Message) => void) {
    this.#received = received;
  }

  /** The highest number so far, 0 where there is none: what is above it is missing. */
  get last(): number {
    return this.all.at(-1)?.number ?? 0;
  }

  /** Those at or below `last` are known. */
  add(messages: readonly Message[]): void {
    for (const message of messages) {
      if (message.number <= this.last) continue;
      this.all = [...this.all, message].slice(-LIMITS.messagesPerVisit);
      this.#received(message);
    }
  }

  clear(): void {
    this.all = [];
  }
}
