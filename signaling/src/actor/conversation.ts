import { LIMITS, type Message, type ParticipantId } from '@bedside/protocol';
import { listensSince } from '../visit/audience.ts';
import { find, type Said, type Visit } from '../visit/state.ts';

/** What was written in a visit, as far as it is kept: who reconnects gets what was for them meanwhile. */
export class Conversation {
  #said: Said[];
  /** Number of the last one that is on record. */
  #recorded: number;

  /** @param said What was written before this gateway took the visit. */
  constructor(said: readonly Said[]) {
    this.#said = [...said];
    this.#recorded = said.at(-1)?.message.number ?? 0;
  }

  add(said: Said): void {
    this.#said.push(said);
    if (this.#said.length > LIMITS.messagesPerVisit) this.#said.shift();
  }

  /** It is on record, and all before it. */
  recorded({ message }: Said): void {
    this.#recorded = message.number;
  }

  /** The number of what a request said, if it did. */
  numberOf(request: string): number | undefined {
    return this.#said.find((said) => said.request === request)?.message.number;
  }

  /** Messages above a number that are on record and for this participant of the visit, in order. */
  after(number: number, id: ParticipantId, visit: Visit): Message[] {
    const participant = find(visit, id);
    const since = participant && listensSince(visit, participant);
    const heard = ({ message, listeners }: Said) =>
      since !== undefined && message.at >= since && listeners?.except.includes(id) === false;
    return this.#said
      .filter(({ message }) => message.number > number && message.number <= this.#recorded)
      .filter((said) => said.audience.includes(id) || heard(said))
      .map(({ message }) => message);
  }

  clear(): void {
    this.#said = [];
  }
}
