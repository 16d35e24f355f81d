/** Entries that are forgotten by themselves, and never more than so many of them: the oldest go first. */
export class Memory<Key, Value> {
  readonly #entries = new Map<Key, { value: Value; until: number }>();
  readonly #limit: number;
  readonly #now: () => number;

  constructor(limit: number, now: () => number = Date.now) {
    this.#limit = limit;
    this.#now = now;
  }

  /** @param until milliseconds since 1970 */
  set(key: Key, value: Value, until: number): void {
    // Again is anew: it is the youngest now.
    this.#entries.delete(key);
    this.#entries.set(key, { value, until });
    if (this.#entries.size <= this.#limit) return;
    this.#sweep();
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.#limit) break;
      this.#entries.delete(oldest);
    }
  }

  get(key: Key): Value | undefined {
    const entry = this.#entries.get(key);
    return entry && entry.until > this.#now() ? entry.value : undefined;
  }

  /** Gives it to the first who asks. */
  take(key: Key): Value | undefined {
    const value = this.get(key);
    this.#entries.delete(key);
    return value;
  }

  delete(key: Key): void {
    this.#entries.delete(key);
  }

  /** In the order in which they were set. */
  values(): Value[] {
    this.#sweep();
    return [...this.#entries.values()].map(({ value }) => value);
  }

  #sweep(): void {
    const now = this.#now();
    for (const [key, { until }] of this.#entries) if (until <= now) this.#entries.delete(key);
  }
}
