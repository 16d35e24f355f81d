import { setTimeout as delay } from 'node:timers/promises';

/**
 * Asks again and again until the answer is right, and gives it.
 * @throws Error that shows the last answer, after `deadlineMs`.
 */
export async function until<T>(
  what: string,
  ask: () => Promise<T>,
  right: (answer: T) => boolean,
  deadlineMs = 60_000,
): Promise<T> {
  const end = performance.now() + deadlineMs;
  for (;;) {
    const answer = await ask();
    if (right(answer)) return answer;
    if (performance.now() > end) {
      throw new Error(`${what}: not in ${deadlineMs} ms; last ${JSON.stringify(answer)}`);
    }
    await delay(100);
  }
}

/** Runs `work` on each item, at most `width` at a time. The first failure is thrown, after all ended. */
export async function eachOf<T, R>(
  items: readonly T[],
  width: number,
  work: (item: T, index: number) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const lane = async () => {
    while (next < items.length) {
      const index = next;
      next += 1;
      results[index] = await work(items[index] as T, index);
    }
  };
  const lanes = await Promise.allSettled(Array.from({ length: width }, lane));
  for (const outcome of lanes) if (outcome.status === 'rejected') throw outcome.reason;
  return results;
}
