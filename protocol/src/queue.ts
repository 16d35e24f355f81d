import type { QueueEntry } from './clinic.ts';

/**
 * The order of a queue: who waits longest comes first, visits in which nobody waits come last, and
 * ties go by visit id.
 */
export function compareEntries(a: QueueEntry, b: QueueEntry): number {
  const [first, second] = [waitsSince(a), waitsSince(b)];
  if (first !== second) return first < second ? -1 : 1;
  return a.visit < b.visit ? -1 : a.visit > b.visit ? 1 : 0;
}

const waitsSince = ({ waiting }: QueueEntry): number =>
  Math.min(...waiting.map(({ since }) => since));
