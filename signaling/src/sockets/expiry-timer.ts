import { CLOCK_SKEW_SECONDS } from '@bedside/protocol';

/** Longest delay that setTimeout takes, milliseconds. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** One timer a socket, for the end of its token with the clock skew that its beginning was given too. */
export class ExpiryTimer {
  readonly #onExpired: () => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(onExpired: () => void) {
    this.#onExpired = onExpired;
  }

  /** `expiresAt`: milliseconds since 1970. */
  set(expiresAt: number): void {
    this.clear();
    const delayMs = Math.max(0, expiresAt + CLOCK_SKEW_SECONDS * 1000 - Date.now());
    this.#timer = setTimeout(
      () => (delayMs > MAX_TIMER_MS ? this.set(expiresAt) : this.#onExpired()),
      Math.min(delayMs, MAX_TIMER_MS),
    );
    this.#timer.unref();
  }

  clear(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
