import type { ConsumerId, ControlEventPayload, PeerId, ProducerId } from '@bedside/protocol';

type Scores = ControlEventPayload<'scores'>;

interface Entry<Value> {
  value: Value;
  sent: Value | undefined;
}

/**
 * The latest scores of one visit. `take` gives those that differ from what was last taken, so that
 * a score which swings and comes back within a second is not worth a message.
 */
export class ScoreBook {
  readonly #producers = new Map<ProducerId, Entry<number>>();
  readonly #consumers = new Map<
    ConsumerId,
    Entry<{ peer: PeerId; score: number; producerScore: number }>
  >();

  producer(id: ProducerId, score: number): void {
    this.#producers.set(id, { value: score, sent: this.#producers.get(id)?.sent });
  }

  consumer(peer: PeerId, id: ConsumerId, score: number, producerScore: number): void {
    this.#consumers.set(id, {
      value: { peer, score, producerScore },
      sent: this.#consumers.get(id)?.sent,
    });
  }

  forgetProducer(id: ProducerId): void {
    this.#producers.delete(id);
  }

  forgetConsumer(id: ConsumerId): void {
    this.#consumers.delete(id);
  }

  /** What changed since the last time, or undefined. */
  take(): Omit<Scores, 'visit'> | undefined {
    const producers: Scores['producers'] = [];
    for (const [producerId, entry] of this.#producers) {
      if (entry.sent === entry.value) continue;
      entry.sent = entry.value;
      producers.push({ producerId, score: entry.value });
    }
    const consumers: Scores['consumers'] = [];
    for (const [consumerId, entry] of this.#consumers) {
      const { value, sent } = entry;
      if (sent && sent.score === value.score && sent.producerScore === value.producerScore)
        continue;
      entry.sent = value;
      consumers.push({ consumerId, ...value });
    }
    return producers.length + consumers.length > 0 ? { producers, consumers } : undefined;
  }
}
