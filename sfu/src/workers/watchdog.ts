import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';

interface WatchdogOptions<Sample> {
  /** A call that a live worker answers at once. */
  probe: () => Promise<Sample>;
  intervalMs: number;
  /** Silence after which the worker counts as hung. */
  hungMs: number;
  onSample: (sample: Sample) => void;
  /** No answer, or no answer that makes sense. */
  onHung: () => void;
  signal: AbortSignal;
}

const SILENT = Symbol('silent');

/**
 * Probes until the signal aborts or the worker hangs, one probe at a time. Its owner aborts when the
 * worker is dead: a probe that fails before that comes from one that nobody can talk to any more.
 */
export async function watch<Sample>(options: WatchdogOptions<Sample>): Promise<void> {
  const { probe, intervalMs, hungMs, onSample, onHung, signal } = options;
  try {
    while (!signal.aborted) {
      const sample = await answered(probe(), hungMs, signal);
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
 * The answer, or SILENT. Time in which this process itself stood still is not the worker's fault,
 * so silence is counted in slices, and a slice that took far too long counts as one.
 */
async function answered<T>(
  answer: Promise<T>,
  hungMs: number,
  signal: AbortSignal,
): Promise<T | typeof SILENT> {
  const slices = 4;
  for (let slice = 0; slice < slices; slice += 1) {
    const timer = new AbortController();
    const abort = () => timer.abort();
    signal.addEventListener('abort', abort, { once: true });
    try {
      const first = await Promise.race([
        answer,
        sleep(hungMs / slices, SILENT, { signal: timer.signal, ref: false }),
      ]);
      if (first !== SILENT) return first;
    } finally {
      signal.removeEventListener('abort', abort);
      timer.abort();
    }
    // Let an answer that waits in the socket come in before the next verdict.
    await nextTurn();
  }
  return SILENT;
}
