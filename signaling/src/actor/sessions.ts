import type { ClientEventPayload, ParticipantId } from '@bedside/protocol';
import type { Clock } from '@bedside/service';
import type { ClientLink } from '../ports.ts';
import type { Person } from '../visit/state.ts';
import type { Outbox } from './outbox.ts';
import type { Lane } from './queue.ts';
import type { RequestMemory } from './requests.ts';

/** Events that need nothing of the page but to be heard. */
type Sent = Parameters<ClientLink['send']>[0];

/** One page: from the handshake until its participant has left and its socket is gone. */
export interface Session {
  /** Hash of the session id. */
  readonly hash: string;
  person: Person;
  /** Who comes to listen waits for who takes part; as long as the page is there, so that its own order stays. */
  readonly lane: Lane;
  outbox: Outbox | undefined;
  /** The page has all its consumers from an answer, so events may add to them. */
  reconciled: boolean;
  /** The number of the visit as the page was shown it last: its own, since not every change is for it. */
  seq: number;
  /** Who the page was told speaks. */
  speaker: ParticipantId | null;
  readonly requests: RequestMemory;
  /** To Redis, that the page has waited for since it came, or since its last `join`. */
  roundTrips: number;
}

/** The pages of one visit, one a participant, and the grace time of those whose socket is gone. */
export class Sessions {
  readonly #sessions = new Map<ParticipantId, Session>();
  readonly #grace = new Map<ParticipantId, () => void>();
  readonly #clock: Clock;
  readonly #graceMs: number;

  constructor(clock: Clock, graceMs: number) {
    this.#clock = clock;
    this.#graceMs = graceMs;
  }

  get size(): number {
    return this.#sessions.size;
  }

  get(id: ParticipantId): Session | undefined {
    return this.#sessions.get(id);
  }

  set(id: ParticipantId, session: Session): void {
    this.#sessions.set(id, session);
  }

  delete(id: ParticipantId): void {
    this.#sessions.delete(id);
  }

  values(): IterableIterator<Session> {
    return this.#sessions.values();
  }

  /** Whether the participant's page has a socket. */
  isConnected(id: ParticipantId): boolean {
    return this.#sessions.get(id)?.outbox !== undefined;
  }

  send<Name extends Sent>(id: ParticipantId, name: Name, payload: ClientEventPayload<Name>): void {
    this.#sessions.get(id)?.outbox?.send(name, payload);
  }

  /** From now on the participant has the grace time to come back; then `expire`. */
  startGrace(id: ParticipantId, expire: () => void): void {
    this.cancelGrace(id);
    const cancel = this.#clock.after(this.#graceMs, () => {
      this.#grace.delete(id);
      expire();
    });
    this.#grace.set(id, cancel);
  }

  cancelGrace(id: ParticipantId): void {
    this.#grace.get(id)?.();
    this.#grace.delete(id);
  }

  cancelAllGrace(): void {
    for (const cancel of this.#grace.values()) cancel();
    this.#grace.clear();
  }

  clear(): void {
    this.#sessions.clear();
    this.cancelAllGrace();
  }
}
