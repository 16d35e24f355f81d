import { Random } from './random.ts';

const BEGIN = 1_700_000_000_000;
const realSetImmediate = globalThis.setImmediate;

interface Due {
  at: number;
  order: number;
  call: () => void;
}

/**
 * Time and chance of one run. Everything that happens is a call at a time; those of one time run in the
 * order in which they were asked for, each with all promises that follow from it.
 */
export class World {
  readonly random: Random;
  /** What happened, to be told where it went wrong. */
  readonly history: string[] = [];
  readonly #heap: Due[] = [];
  #now = BEGIN;
  #order = 0;
  #names = 0;

  constructor(seed: number) {
    this.random = new Random(seed);
  }

  /** Milliseconds since 1970, on a clock that is always right. */
  get now(): number {
    return this.#now;
  }

  /** Milliseconds since the run began. */
  get elapsed(): number {
    return this.#now - BEGIN;
  }

  /** One that nothing else has. */
  name(kind: string): string {
    return `${kind}-${++this.#names}`;
  }

  note(text: string): void {
    this.history.push(`${(this.elapsed / 1000).toFixed(3)} ${text}`);
  }

  after(ms: number, call: () => void): () => void {
    const due = { at: this.#now + Math.max(0, ms), order: this.#order++, call };
    push(this.#heap, due);
    return () => {
      due.call = () => {};
    };
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.after(ms, resolve));
  }

  /** Lets time pass until then. */
  async runUntil(end: number): Promise<void> {
    for (let next = this.#heap[0]; next && next.at <= end; next = this.#heap[0]) {
      pop(this.#heap);
      this.#now = Math.max(this.#now, next.at);
      next.call();
      await new Promise<void>((resolve) => realSetImmediate(resolve));
    }
    this.#now = Math.max(this.#now, end);
  }
}

/** Makes what the product takes from its surroundings the run's own; undone by the result. */
export function inWorld(world: World): () => void {
  const { setImmediate } = globalThis;
  const { random } = Math;
  Math.random = world.random.next;
  globalThis.setImmediate = ((call: () => void) =>
    world.after(0, call)) as unknown as typeof setImmediate;
  current = world;
  return () => {
    Math.random = random;
    globalThis.setImmediate = setImmediate;
    current = undefined;
  };
}

let current: World | undefined;

/** In place of node:crypto's. */
export const randomBytes = (length: number): Buffer =>
  (current?.random ?? new Random(0)).bytes(length);
export const randomUUID = (): string => randomBytes(16).toString('hex');

const isBefore = (one: Due, other: Due): boolean =>
  one.at < other.at || (one.at === other.at && one.order < other.order);

function push(heap: Due[], due: Due): void {
  let at = heap.length;
  heap.push(due);
  while (at > 0) {
    const above = (at - 1) >> 1;
    const parent = heap[above] as Due;
    if (!isBefore(due, parent)) break;
    heap[at] = parent;
    at = above;
  }
  heap[at] = due;
}

function pop(heap: Due[]): void {
  const last = heap.pop() as Due;
  if (heap.length === 0) return;
  let at = 0;
  for (;;) {
    let below = 2 * at + 1;
    const [left, right] = [heap[below], heap[below + 1]];
    if (!left) break;
    if (right && isBefore(right, left)) below++;
    const child = heap[below] as Due;
    if (!isBefore(child, last)) break;
    heap[at] = child;
    at = below;
  }
  heap[at] = last;
}
