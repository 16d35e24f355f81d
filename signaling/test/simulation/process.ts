import type { Clock } from '@bedside/service';
import type { World } from './world.ts';

/**
 * A process of the operating system: whatever reaches it, timers and messages alike, comes through
 * `deliver`, so that a stopped one stands still and then has all at once, and a killed one nothing.
 */
export class Process {
  readonly world: World;
  /** By how much its clock is wrong, milliseconds. */
  skew = 0;
  #state: 'runs' | 'stopped' | 'killed' = 'runs';
  #held: (() => void)[] = [];
  /** The end of what is being delivered late. */
  readonly #onEnd: (() => void)[] = [];

  constructor(world: World) {
    this.world = world;
  }

  get runs(): boolean {
    return this.#state === 'runs';
  }

  get killed(): boolean {
    return this.#state === 'killed';
  }

  readonly clock: Clock = {
    now: () => Math.floor(this.world.now + this.skew),
    after: (ms, call) => {
      let cancelled = false;
      this.world.after(ms, () => this.deliver(() => !cancelled && call()));
      return () => {
        cancelled = true;
      };
    },
  };

  deliver(call: () => void): void {
    if (this.#state === 'runs') call();
    else if (this.#state === 'stopped') this.#held.push(call);
  }

  /** Resolves or rejects in the process, where it lives then. */
  awaits<Result>(outside: Promise<Result>): Promise<Result> {
    return new Promise((resolve, reject) => {
      outside.then(
        (result) => this.deliver(() => resolve(result)),
        (error: unknown) => this.deliver(() => reject(error)),
      );
    });
  }

  /** SIGSTOP. */
  stop(): void {
    if (this.#state === 'runs') this.#state = 'stopped';
  }

  /** SIGCONT: all that came meanwhile is there, one after the other. */
  continue(): void {
    if (this.#state !== 'stopped') return;
    this.#state = 'runs';
    for (const call of this.#held.splice(0)) this.world.after(0, () => this.deliver(call));
  }

  /** SIGKILL. */
  kill(): void {
    if (this.#state === 'killed') return;
    this.#state = 'killed';
    this.#held = [];
    for (const call of this.#onEnd) call();
  }

  /** Called when it is killed: what others notice of it. */
  onEnd(call: () => void): void {
    this.#onEnd.push(call);
  }
}
