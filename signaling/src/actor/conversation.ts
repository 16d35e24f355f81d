import { LIMITS, type Message, type ParticipantId } from '@bedside/protocol';
import { listensSince } from '../visit/audience.ts';
import { find, type Said, type Visit } from '../visit/state.ts';

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

  /** Messages above a number that are for this participant of the visit, in order. */
  after(number: number, id: ParticipantId, visit: Visit): Message[] {
    const participant = find(visit, id);
    const since = participant && listensSince(visit, participant);
    const heard = ({ message, listeners }: Said) =>
      since !== undefined && message.at >= since && listeners?.except.includes(id) === false;
    return this.#said
      .filter((said) => said.message.number > number)
      .filter((said) => said.audience.includes(id) || heard(said))
      .map(({ message }) => message);
  }

  clear(): void {
    this.#said = [];
  }
}
