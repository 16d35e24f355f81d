/** Milliseconds before attempt `attempt` (0 is the first retry): doubling, capped, half of it jitter. */
export function backoff(attempt: number, random: number, baseMs = 100, capMs = 5_000): number {
  const full = Math.min(capMs, baseMs * 2 ** Math.min(attempt, 30));
  return full / 2 + (full / 2) * random;
}
