/** The value below which `share` (0 to 1) of the values lie: the nearest rank. NaN of nothing. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

/** "113 / 188": p50 and p95, rounded; a dash where nothing was measured. */
export function p50p95(values: readonly number[]): string {
  if (values.length === 0) return '–';
  return `${Math.round(percentile(values, 0.5))} / ${Math.round(percentile(values, 0.95))}`;
}
