import type { VisitId } from '@bedside/protocol';
import type { Gateway } from './gateway.ts';

/** Tells those who wait how many are seen before them, where that has changed. */
export class Positions {
  readonly #gateway: Pick<Gateway, 'share'>;
  /** What was told last; those who wait no more are forgotten. */
  #told = new Map<VisitId, number>();

  constructor(gateway: Pick<Gateway, 'share'>) {
    this.#gateway = gateway;
  }

  /** @param visits in the order of the queue */
  async share(visits: readonly VisitId[]): Promise<void> {
    const before = this.#told;
    this.#told = new Map(visits.map((visit, ahead) => [visit, ahead]));
    const changed = [...this.#told].filter(([visit, ahead]) => before.get(visit) !== ahead);
    await Promise.all(
      changed.map(([visit, ahead]) =>
        this.#gateway.share(visit, { ahead }).catch(() => {
          // A hint. The next change of the queue tells it again.
          this.#told.delete(visit);
        }),
      ),
    );
  }
}
