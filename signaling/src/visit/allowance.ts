/**
 * How often one participant may do what goes into the record as proof, so that nobody fills it: some at
 * once, and then one more in each interval.
 */
export interface Allowance {
  atOnce: number;
  everyMs: number;
}

/** To come back after they left. Within the grace time is no coming back. */
export const COMINGS: Allowance = { atOnce: 32, everyMs: 60_000 };
/** To begin a whisper. */
export const WHISPERS: Allowance = { atOnce: 64, everyMs: 10_000 };

/** @param spent What this returned the last time. Undefined where nothing is left now. */
export function spend(
  spent: number | undefined,
  now: number,
  { atOnce, everyMs }: Allowance,
): number | undefined {
  const after = Math.max(spent ?? now, now) + everyMs;
  return after - now > atOnce * everyMs ? undefined : after;
}
