import type { ParticipantId } from '@bedside/protocol';
import type { Participant, VisitApi } from '../types.ts';

/** When somebody was in the visit, in milliseconds since 1970, as this page saw it. */
export interface Stay {
  participant: Participant;
  /** Undefined for who was never admitted. */
  from: number | undefined;
  /** Undefined while they are there. */
  to: number | undefined;
}

/** The times of a visit, for the page that is shown after it. */
export class Times {
  readonly stays = new Map<ParticipantId, Stay>();
  #own: Stay | undefined;

  /** When oneself was in the visit; undefined before. */
  get own(): { from: number; to: number | undefined } | undefined {
    const { from, to } = this.#own ?? {};
    return from === undefined ? undefined : { from, to };
  }

  /** Looks at everybody; `now` in milliseconds since 1970. */
  look({ localParticipant, participants, state }: VisitApi, now: number): void {
    if (state !== 'connected') return;
    for (const one of [localParticipant, ...participants.values()]) {
      const stay = this.stays.get(one.id) ?? { participant: one, from: undefined, to: undefined };
      if (one.state === 'admitted') stay.from ??= now;
      stay.to = undefined;
      stay.participant = one;
      this.stays.set(one.id, stay);
      if (one.isLocal) this.#own = stay;
    }
  }

  left(id: ParticipantId, now: number): void {
    const stay = this.stays.get(id);
    if (stay) stay.to ??= now;
  }

  end(now: number): void {
    for (const stay of this.stays.values()) stay.to ??= now;
  }

  clear(): void {
    this.stays.clear();
    this.#own = undefined;
  }
}
