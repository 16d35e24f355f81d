import type { LanguageTag } from '@bedside/protocol';
import type { Caller } from '../native/caller.ts';

/** The tag of the n-th command: a language that only this counter speaks. */
const tagOf = (number: number) => `en-x-n${number.toString().padStart(7, '0')}` as LanguageTag;
/** The number in the tag of a participant's language; 0 where none was set. */
export const numberIn = (speaks: readonly string[] | undefined): number =>
  Number(/^en-x-n(\d+)$/.exec(speaks?.[0] ?? '')?.[1] ?? 0);

/**
 * Commands of one participant, one after the other, each with a number that stays in the visit's state: of
 * what was acknowledged, nothing may be missing there in the end.
 */
export class CountedCommands {
  readonly #caller: Caller;
  readonly #pauseMs: number;
  #running = true;
  readonly #done: Promise<void>;
  #sent = 0;
  /** The number of the last one that was acknowledged; 0 for none. */
  acknowledged = 0;
  refused = 0;
  #slowestMs = 0;
  #startedAt: number | undefined;

  constructor(caller: Caller, pauseMs = 250) {
    this.#caller = caller;
    this.#pauseMs = pauseMs;
    this.#done = this.#run();
  }

  /** From here on. */
  begin(): void {
    this.#slowestMs = 0;
  }

  /** The longest time from a command to its answer since `begin`, of the one under way too. */
  slowest(now: number): number {
    return Math.max(this.#slowestMs, this.#startedAt === undefined ? 0 : now - this.#startedAt);
  }

  stop(): Promise<void> {
    this.#running = false;
    return this.#done;
  }

  async #run(): Promise<void> {
    while (this.#running) {
      const number = ++this.#sent;
      const startedAt = performance.now();
      this.#startedAt = startedAt;
      try {
        await this.#caller.command('set-languages', { speaks: [tagOf(number)] });
        this.acknowledged = number;
      } catch {
        this.refused += 1;
      }
      this.#startedAt = undefined;
      this.#slowestMs = Math.max(this.#slowestMs, performance.now() - startedAt);
      await new Promise((resolve) => setTimeout(resolve, this.#pauseMs));
    }
  }
}
