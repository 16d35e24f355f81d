import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';

interface WatchdogOptions<Sample> {
  /** A call that a live worker answers at once. */
  probe: () => Promise<Sample>;
  intervalMs: number;
  /**
   * Silence after which the worker counts as hung; a third of it where it does not even want the CPU, and three
   * times of it where it wants one and hardly gets it.
   */
  hungMs: number;
  /** What the worker did since this was last asked. */
  look: () => Look;
  onSample: (sample: Sample) => void;
  /** No answer, or no answer that makes sense. */
  onHung: () => void;
  signal: AbortSignal;
}

/** still: did not run, and waits for no turn. starved: waited for its turn nearly all of the time. */
export type Look = 'still' | 'starved' | 'running';

const SILENT = Symbol('silent');
const SLICES = 12;
/** A slice in which the worker hardly got a turn says less. */
const STARVED_SLICE = 1 / 3;
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
 * worker wait for its turn, and to kill it then takes the media of those who have it; one that is stopped, or
 * waits for a lock, wants none.
 */
async function answered<T>(
  answer: Promise<T>,
  { hungMs, look, signal }: Pick<WatchdogOptions<T>, 'hungMs' | 'look' | 'signal'>,
): Promise<T | typeof SILENT> {
  let still = 0;
  let silent = 0;
  while (silent < SLICES && still < STILL_SLICES) {
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
    const seen = look();
    still = seen === 'still' ? still + 1 : 0;
    silent += seen === 'starved' ? STARVED_SLICE : 1;
  }
  return Promise.race([answer, Promise.resolve(SILENT)]);
}
