/** A token bucket: `burst` at once, then `perSecond`. */
export interface Rate {
  burst: number;
  perSecond: number;
}

/** A token bucket. `nowMs` is a monotonic clock in milliseconds. */
export class TokenBucket {
  readonly #rate: Rate;
  #tokens: number;
  #at: number;

  constructor(rate: Rate, nowMs: number) {
    this.#rate = rate;
    this.#tokens = rate.burst;
    this.#at = nowMs;
  }

  /** Takes one token. Answers 0, or the milliseconds until there is one. */
  take(nowMs: number): number {
    this.#refill(nowMs);
    if (this.#tokens >= 1) {
      this.#tokens -= 1;
      return 0;
    }
    return Math.ceil(((1 - this.#tokens) / this.#rate.perSecond) * 1000);
  }

  /** Whether it has filled up again, so that forgetting it changes nothing. */
  isFull(nowMs: number): boolean {
    this.#refill(nowMs);
    return this.#tokens >= this.#rate.burst;
  }

  #refill(nowMs: number): void {
    const gained = (Math.max(0, nowMs - this.#at) / 1000) * this.#rate.perSecond;
    this.#tokens = Math.min(this.#rate.burst, this.#tokens + gained);
    this.#at = Math.max(this.#at, nowMs);
  }
}

/**
 * One bucket a key. Holds at most `capacity` keys: full buckets are forgotten first, then the oldest,
 * so that made-up keys can not fill the memory.
 */
export class TokenBuckets {
  readonly #buckets = new Map<string, TokenBucket>();
  readonly #rate: Rate;
  readonly #capacity: number;

  constructor(rate: Rate, capacity = 50_000) {
    this.#rate = rate;
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#buckets.size;
  }

  /** As TokenBucket.take, for one key. */
  take(key: string, nowMs: number): number {
    let bucket = this.#buckets.get(key);
    if (bucket === undefined) {
      if (this.#buckets.size >= this.#capacity) this.#makeRoom(nowMs);
      bucket = new TokenBucket(this.#rate, nowMs);
      this.#buckets.set(key, bucket);
    }
    return bucket.take(nowMs);
  }

  #makeRoom(nowMs: number): void {
    for (const [key, bucket] of this.#buckets) if (bucket.isFull(nowMs)) this.#buckets.delete(key);
    // Where all are in use, a tenth goes: looking through all of them again for each new key would be the attack.
    const surplus = this.#buckets.size - Math.floor(this.#capacity * 0.9);
    let dropped = 0;
    for (const key of this.#buckets.keys()) {
      if (dropped >= surplus) break;
      this.#buckets.delete(key);
      dropped += 1;
    }
  }
}
