interface Flow {
  lastAt: number;
  longestMs: number;
}

/** How long each flow was silent. Times in milliseconds of one clock. */
export class Gaps {
  readonly #flows = new Map<string, Flow>();

  /** A packet of this flow has come. */
  arrived(name: string, at: number): void {
    const flow = this.#flows.get(name);
    if (!flow) {
      this.#flows.set(name, { lastAt: at, longestMs: 0 });
      return;
    }
    flow.longestMs = Math.max(flow.longestMs, at - flow.lastAt);
    flow.lastAt = Math.max(flow.lastAt, at);
  }

  /** From here on: a silence that has begun before counts in full. */
  begin(): void {
    for (const flow of this.#flows.values()) flow.longestMs = 0;
  }

  /** The longest silence of a flow since `begin`, that which lasts at `now` included; infinite for one that never was. */
  longest(name: string, now: number): number {
    const flow = this.#flows.get(name);
    return flow ? Math.max(flow.longestMs, now - flow.lastAt) : Number.POSITIVE_INFINITY;
  }

  /** For how long the flow is silent at `now`. */
  silent(name: string, now: number): number {
    const flow = this.#flows.get(name);
    return flow ? now - flow.lastAt : Number.POSITIVE_INFINITY;
  }
}
