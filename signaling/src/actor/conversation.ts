import { LIMITS, type Message, type ParticipantId } from '@bedside/protocol';

/** A message with whom it is for: the sender, and those who were there. */
export interface Said {
  message: Message;
  audience: readonly ParticipantId[];
}

/** What was written in a visit, as far as it is kept: who reconnects gets what was for them meanwhile. */
export class Conversation {
  #said: Said[] = [];

  add(message: Message, audience: readonly ParticipantId[]): void {
    this.#said.push({ message, audience });
    if (this.#said.length > LIMITS.messagesPerVisit) this.#said.shift();
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
