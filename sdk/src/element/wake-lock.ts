/** Keeps the screen on while a visit is shown: a phone that goes to sleep would take the person out of it. */
export class WakeLock {
  #wanted = false;
  #held: WakeLockSentinel | undefined;
  /** Browsers let go of it whenever the page is hidden. */
  readonly #onVisibility = (): void => void this.#take();

  set(wanted: boolean): void {
    if (wanted === this.#wanted) return;
    this.#wanted = wanted;
    if (wanted) {
      document.addEventListener('visibilitychange', this.#onVisibility);
      void this.#take();
    } else {
      document.removeEventListener('visibilitychange', this.#onVisibility);
      void this.#held?.release();
      this.#held = undefined;
    }
  }

  async #take(): Promise<void> {
    if (document.visibilityState !== 'visible') return;
    try {
      const held = await navigator.wakeLock?.request('screen');
      if (this.#wanted) this.#held = held;
      else await held?.release();
    } catch {
      // No battery for it, or the page may not: the visit goes on without.
    }
  }
}
