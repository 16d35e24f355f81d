interface Flow {
  /** The last one before the beginning. */
  first: number;
  last: number;
  /** Numbers below the last one that have not come. */
  readonly missing: Set<number>;
}

/** Of packets that their sender numbers one by one, which have not come. */
export class Losses {
  readonly #flows = new Map<string, Flow>();

  arrived(name: string, number: number): void {
    const flow = this.#flows.get(name);
    if (!flow) {
      this.#flows.set(name, { first: number, last: number, missing: new Set() });
      return;
    }
    flow.missing.delete(number);
    for (let next = flow.last + 1; next < number; next += 1) flow.missing.add(next);
    flow.last = Math.max(flow.last, number);
  }

  /** From here on: what is missing by now is not counted. */
  begin(): void {
    for (const flow of this.#flows.values()) {
      flow.missing.clear();
      flow.first = flow.last;
    }
  }

  /** How many have not come since `begin`, of those before the last one that has. */
  lost(name: string): number {
    return this.#flows.get(name)?.missing.size ?? 0;
  }

  /** How many there were since `begin`, with those that are lost. */
  numbered(name: string): number {
    const flow = this.#flows.get(name);
    return flow ? flow.last - flow.first : 0;
  }
}
