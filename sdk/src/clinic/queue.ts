import {
  type ClinicEventPayload,
  compareEntries,
  type ParticipantId,
  type VisitId,
} from '@bedside/protocol';
import { Emitter } from '../emitter.ts';
import { ClinicConnection } from './clinic-connection.ts';
import type { ClinicOptions, QueueApi, QueueEntry, QueueEvents } from './types.ts';

/** Who waits in the visits of a clinic, live, and what its staff can do for them from outside. */
export class Queue extends Emitter<QueueEvents> implements QueueApi {
  readonly #connection: ClinicConnection;
  #entries: ClinicEventPayload<'queue'>['entries'] = [];
  #isStale = true;

  constructor(options: ClinicOptions) {
    super();
    this.#connection = new ClinicConnection(options, {
      sync: async () => {
        const whole = await this.#connection.ask('watch-queue', {});
        this.#entries = [];
        this.#apply({ ...whole, removed: [] });
      },
      stateChanged: () => {
        const { state, reason } = this.#connection.life;
        if (state !== 'connected' && !this.#isStale) {
          this.#isStale = true;
          this.emit('changed');
        }
        this.emit('connectionStateChanged', state, reason);
      },
      events: { queue: (news) => this.#apply(news) },
    });
  }

  get state() {
    return this.#connection.life.state;
  }

  get disconnectReason() {
    return this.#connection.life.reason;
  }

  get error() {
    return this.#connection.life.error;
  }

  get entries(): readonly QueueEntry[] {
    return this.#entries;
  }

  get isStale(): boolean {
    return this.#isStale;
  }

  get now(): number {
    return this.#connection.now;
  }

  connect(): Promise<void> {
    return this.#connection.connect();
  }

  close(): void {
    this.#connection.close();
  }

  async admit(
    visit: QueueEntry | VisitId,
    participantIds?: readonly ParticipantId[],
  ): Promise<void> {
    const body = participantIds ? { participantIds: [...participantIds] } : {};
    await this.#connection.attend(idOf(visit), 'admit', body);
  }

  async remove(visit: QueueEntry | VisitId, participantId: ParticipantId): Promise<void> {
    await this.#connection.attend(idOf(visit), 'remove', { participantId });
  }

  async sendMessage(
    visit: QueueEntry | VisitId,
    participantId: ParticipantId,
    text: string,
  ): Promise<void> {
    const to = { type: 'participant', participantId } as const;
    await this.#connection.attend(idOf(visit), 'send-message', { to, kind: 'chat', text });
  }

  async reassign(visit: QueueEntry | VisitId, to: ParticipantId | null): Promise<void> {
    await this.#connection.attend(idOf(visit), 'reassign', { to });
  }

  async answerReassign(visit: QueueEntry | VisitId, accept: boolean): Promise<void> {
    await this.#connection.attend(idOf(visit), 'answer-reassign', { accept });
  }

  #apply({ entries, removed, stale }: ClinicEventPayload<'queue'>): void {
    const known = new Map(this.#entries.map((entry) => [entry.visit, entry]));
    for (const visit of removed) known.delete(visit);
    for (const entry of entries) known.set(entry.visit, entry);
    this.#entries = [...known.values()].sort(compareEntries);
    this.#isStale = stale;
    this.emit('changed');
  }
}

const idOf = (visit: QueueEntry | VisitId): VisitId =>
  typeof visit === 'string' ? visit : visit.visit;
