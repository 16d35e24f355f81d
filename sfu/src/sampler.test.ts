import fc from 'fast-check';
import { expect, test } from 'vitest';
import { sample } from './sampler.ts';

test('a sample has different items of the whole, and as many as were asked for where there are', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat()), fc.nat(20), (items, count) => {
      const taken = sample(items, count, Math.random);
      expect(taken).toHaveLength(Math.min(count, items.length));
      expect(new Set(taken).size).toBe(taken.length);
      expect(items).toEqual(expect.arrayContaining(taken));
    }),
  );
});
