import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TokenBucket, TokenBuckets } from './token-bucket.ts';

const rate = fc.record({
  burst: fc.integer({ min: 1, max: 100 }),
  perSecond: fc.double({ min: 0.01, max: 1000, noNaN: true }),
});
/** Milliseconds between takes. */
const pauses = fc.array(fc.oneof(fc.constant(0), fc.double({ min: 0, max: 5000, noNaN: true })), {
  minLength: 1,
  maxLength: 300,
});
/** Sums of small doubles are not exact. */
const EPSILON = 1e-6;

describe('TokenBucket', () => {
  test('lets no more through, from its start, than the burst and what has come since', () => {
    fc.assert(
      fc.property(rate, pauses, (rate, pauses) => {
        const bucket = new TokenBucket(rate, 0);
        let now = 0;
        let taken = 0;
        for (const pause of pauses) {
          now += pause;
          if (bucket.take(now) === 0) taken += 1;
          expect(taken).toBeLessThanOrEqual(rate.burst + (now / 1000) * rate.perSecond + EPSILON);
        }
      }),
    );
  });

  test('lets no more than the burst through at once, however long it was idle', () => {
    fc.assert(
      fc.property(rate, fc.double({ min: 0, max: 1e9, noNaN: true }), (rate, idle) => {
        const bucket = new TokenBucket(rate, 0);
        const takes = Array.from({ length: rate.burst + 5 }, () => bucket.take(idle));
        expect(takes.filter((wait) => wait === 0)).toHaveLength(rate.burst);
      }),
    );
  });

  test('lets the burst through at once, and not one more', () => {
    fc.assert(
      fc.property(rate, (rate) => {
        const bucket = new TokenBucket(rate, 7);
        for (let i = 0; i < rate.burst; i += 1) expect(bucket.take(7)).toBe(0);
        expect(bucket.take(7)).toBeGreaterThan(0);
      }),
    );
  });

  test('who waits as long as it says is let through', () => {
    fc.assert(
      fc.property(rate, pauses, (rate, pauses) => {
        const bucket = new TokenBucket(rate, 0);
        let now = 0;
        for (const pause of pauses) {
          now += pause;
          const wait = bucket.take(now);
          expect(Number.isInteger(wait)).toBe(true);
          if (wait === 0) continue;
          now += wait + EPSILON;
          expect(bucket.take(now)).toBe(0);
        }
      }),
    );
  });

  test('a part of a millisecond is waited for', () => {
    const bucket = new TokenBucket({ burst: 1, perSecond: 3.3 }, 0);
    expect(bucket.take(0)).toBe(0);
    expect(bucket.take(0)).toBe(304);
    expect(bucket.take(303)).toBe(1);
    expect(bucket.take(304)).toBe(0);
  });

  test('a clock that goes back gives nothing', () => {
    const bucket = new TokenBucket({ burst: 1, perSecond: 1 }, 5000);
    expect(bucket.take(5000)).toBe(0);
    expect(bucket.take(0)).toBeGreaterThan(0);
    expect(bucket.take(5000)).toBeGreaterThan(0);
    expect(bucket.take(6000)).toBe(0);
  });
});

describe('TokenBuckets', () => {
  test('keys do not share a bucket', () => {
    const buckets = new TokenBuckets({ burst: 1, perSecond: 1 });
    expect(buckets.take('a', 0)).toBe(0);
    expect(buckets.take('b', 0)).toBe(0);
    expect(buckets.take('a', 0)).toBeGreaterThan(0);
  });

  test('made-up keys do not fill the memory', () => {
    const buckets = new TokenBuckets({ burst: 1, perSecond: 0.001 }, 100);
    for (let i = 0; i < 10_000; i += 1) {
      buckets.take(`made-up-${i}`, i);
      expect(buckets.size).toBeLessThanOrEqual(100);
    }
  });

  test('a key that is at its limit is forgotten after those that are not', () => {
    const buckets = new TokenBuckets({ burst: 2, perSecond: 1 }, 10);
    for (let i = 0; i < 9; i += 1) buckets.take(`calm-${i}`, 0);
    buckets.take('busy', 4000);
    buckets.take('busy', 4000);
    for (let i = 0; i < 5; i += 1) buckets.take(`new-${i}`, 4000);
    expect(buckets.take('busy', 4000)).toBeGreaterThan(0);
  });
});
