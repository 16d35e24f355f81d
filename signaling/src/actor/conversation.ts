import { LIMITS, type Message, type ParticipantId } from '@bedside/protocol';
import type { Said } from '../visit/state.ts';

/** What was written in a visit, as far as it is kept: who reconnects gets what was for them meanwhile. */
export class Conversation {
  #said: Said[];

  /** @param said What was written before this gateway took the visit. */
  constructor(said: readonly Said[]) {
    this.#said = [...said];
  }

  add(said: Said): void {
    this.#said.push(said);
    if (this.#said.length > LIMITS.messagesPerVisit) this.#said.shift();
  }

  /** The number of what a request said, if it did. */
  numberOf(request: string): number | undefined {
    return this.#said.find((said) => said.request === request)?.message.number;
  }

  /** Messages above a number that are for this participant, in order. */
  after(number: number, participant: ParticipantId): Message[] {
    return this.#said
      .filter(({ message, audience }) => message.number > number && audience.includes(participant))
      .map(({ message }) => message);
  }

  clear(): void {
    this.#said = [];
  }
}
