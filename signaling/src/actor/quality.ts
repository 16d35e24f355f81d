import type {
  ClientEventPayload,
  ControlEventPayload,
  ParticipantId,
  ProducerId,
} from '@bedside/protocol';
import { present, type Visit } from '../visit/state.ts';

type Levels = ClientEventPayload<'quality'>['participants'];

/** Connection quality of participants from the scores of what they send: their worst producer counts. */
export class Quality {
  readonly #scores = new Map<ProducerId, number>();
  readonly #levels = new Map<ParticipantId, number>();

  /** The levels that changed. */
  update(visit: Visit, scores: ControlEventPayload<'scores'>['producers']): Levels {
    for (const { producerId, score } of scores) this.#scores.set(producerId, score);
    const sending = new Map(
      present(visit).flatMap(({ id, endpoint }) =>
        (endpoint?.producers ?? []).map((producer) => [producer.id, { id, producer }] as const),
      ),
    );
    const worst = new Map<ParticipantId, number>();
    for (const [producerId, score] of this.#scores) {
      const sender = sending.get(producerId);
      if (!sender) this.#scores.delete(producerId);
      else if (!sender.producer.paused)
        worst.set(sender.id, Math.min(score, worst.get(sender.id) ?? score));
    }
    const changed: Levels = [];
    for (const [participantId, score] of worst) {
      const level = levelOf(score);
      if (this.#levels.get(participantId) === level) continue;
      this.#levels.set(participantId, level);
      changed.push({ participantId, level });
    }
    this.#forgetGone(visit);
    return changed;
  }

  /** 0 lost to 3 good; undefined where nothing was measured. */
  of(participant: ParticipantId): number | undefined {
    return this.#levels.get(participant);
  }

  /** What is known, for who comes in. */
  all(visit: Visit): Levels {
    this.#forgetGone(visit);
    return [...this.#levels].map(([participantId, level]) => ({ participantId, level }));
  }

  #forgetGone(visit: Visit): void {
    const here = new Set(present(visit).map(({ id }) => id));
    for (const id of this.#levels.keys()) if (!here.has(id)) this.#levels.delete(id);
  }
}

/** mediasoup's score (0 worst to 10 best) as a level: 0 lost, 1 poor, 2 fair, 3 good. */
export function levelOf(score: number): number {
  if (score <= 0) return 0;
  if (score <= 3) return 1;
  return score <= 7 ? 2 : 3;
}
