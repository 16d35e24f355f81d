import fc from 'fast-check';
import { expect, test } from 'vitest';
import { p50p95, percentile } from './statistics.ts';

test('percentiles are nearest ranks', () => {
  const values = Array.from({ length: 20 }, (_, i) => 20 - i);
  expect(percentile(values, 0.5)).toBe(10);
  expect(percentile(values, 0.95)).toBe(19);
  expect(p50p95(values)).toBe('10 / 19');
  expect(p50p95([])).toBe('–');
});

test('a percentile is one of the values, and grows with the share', () => {
  const values = fc.array(fc.integer(), { minLength: 1 });
  fc.assert(
    fc.property(values, fc.double({ min: 0, max: 1, noNaN: true }), (sample, share) => {
      expect(sample).toContain(percentile(sample, share));
      expect(percentile(sample, share)).toBeLessThanOrEqual(percentile(sample, 1));
    }),
  );
});
