import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';

interface WatchdogOptions<Sample> {
  /** A call that a live worker answers at once. */
  probe: () => Promise<Sample>;
  intervalMs: number;
  /** Silence after which the worker counts as hung; a third of it where it does not even want the CPU. */
  hungMs: number;
  /** Whether the worker has not run since it was last asked this, nor waits for its turn. */
  standsStill: () => boolean;
  onSample: (sample: Sample) => void;
  /** No answer, or no answer that makes sense. */
  onHung: () => void;
  signal: AbortSignal;
}

const SILENT = Symbol('silent');
const SLICES = 12;
/** So many in a row in which a worker that has something to do stands still are no coincidence. */
const STILL_SLICES = 4;

/**
 * Probes until the signal aborts or the worker hangs, one probe at a time. Its owner aborts when the
 * worker is dead: a probe that fails before that comes from one that nobody can talk to any more.
 */
export async function watch<Sample>(options: WatchdogOptions<Sample>): Promise<void> {
  const { probe, intervalMs, onSample, onHung, signal } = options;
  try {
    while (!signal.aborted) {
      const sample = await answered(probe(), options);
      if (sample === SILENT) {
        if (!signal.aborted) onHung();
        return;
      }
      onSample(sample);
      await sleep(intervalMs, undefined, { signal, ref: false });
    }
  } catch {
    if (!signal.aborted) onHung();
  }
}

/**
 * The answer, or SILENT. Time in which this process itself stood still is not the worker's fault, so silence
 * is counted in slices, and a slice that took far too long counts as one. A machine with too much to do lets a
 * worker wait for its turn; one that is stopped, or waits for a lock, wants none.
 */
async function answered<T>(
  answer: Promise<T>,
  { hungMs, standsStill, signal }: Pick<WatchdogOptions<T>, 'hungMs' | 'standsStill' | 'signal'>,
): Promise<T | typeof SILENT> {
  let still = 0;
  for (let slice = 0; slice < SLICES && still < STILL_SLICES; slice += 1) {
    const timer = new AbortController();
    const abort = () => timer.abort();
    signal.addEventListener('abort', abort, { once: true });
    try {
      const first = await Promise.race([
        answer,
        sleep(hungMs / SLICES, SILENT, { signal: timer.signal, ref: false }),
      ]);
      if (first !== SILENT) return first;
    } finally {
      signal.removeEventListener('abort', abort);
      timer.abort();
    }
    // Let an answer that waits in the socket come in before the next verdict.
    await nextTurn();
    still = standsStill() ? still + 1 : 0;
  }
  return Promise.race([answer, Promise.resolve(SILENT)]);
}
