import { setTimeout as sleep } from 'node:timers/promises';

/** Bytes that have gone out and come in by one end of a pipe so far. */
export interface PipeCounts {
  readonly sent: number;
  readonly received: number;
}

export interface PipeWatch {
  counts: () => Promise<PipeCounts>;
  /** What is sent and stays without any answer for this long goes nowhere. */
  silenceMs: number;
  onSilent: () => void;
  signal: AbortSignal;
}

/** In two halves: an answer may be on its way at the moment of one look. */
const LOOKS = 2;

/**
 * A pipe has no ICE, which would notice that its other end is out of reach. But whoever receives media reports
 * on it (RTCP, in mediasoup's worker at least every 5 s): an end that sends, and gets nothing back, sends to
 * nobody. What is not sent to says nothing. Reports at every look while it is so: who should hear of it may be
 * away. Ends with the signal.
 */
export async function watchPipe(watch: PipeWatch): Promise<void> {
  const { counts, silenceMs, onSilent, signal } = watch;
  let before: PipeCounts | undefined;
  let unanswered = 0;
  while (!signal.aborted) {
    // A look that fails tells nothing: its worker is late, or gone, which others notice.
    const now = await counts().catch(() => undefined);
    if (signal.aborted) return;
    if (now && before) {
      if (now.received > before.received) unanswered = 0;
      else if (now.sent > before.sent) unanswered += 1;
      if (unanswered >= LOOKS) onSilent();
    }
    before = now ?? before;
    await sleep(silenceMs / LOOKS, undefined, { signal, ref: false }).catch(() => {});
  }
}
