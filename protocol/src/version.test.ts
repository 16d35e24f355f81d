import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parse, VersionRange } from './contract.ts';
import {
  negotiateVersion,
  PROTOCOL_VERSION,
  PROTOCOL_VERSION_MIN,
  SUPPORTED_VERSIONS,
} from './version.ts';

const version = fc.integer({ min: 1, max: 12 });
const range = fc
  .tuple(version, version)
  .map(([a, b]): VersionRange => ({ min: Math.min(a, b), max: Math.max(a, b) }));
const speaks = ({ min, max }: VersionRange, one: number) => min <= one && one <= max;

test('the highest version that both speak is chosen, none where there is none', () => {
  fc.assert(
    fc.property(range, range, (offered, supported) => {
      const common = Array.from({ length: 12 }, (_, n) => n + 1).filter(
        (one) => speaks(offered, one) && speaks(supported, one),
      );
      expect(negotiateVersion(offered, supported)).toBe(common.at(-1));
    }),
  );
});

test('both sides come to the same version, whoever asks', () => {
  fc.assert(
    fc.property(range, range, (a, b) => {
      expect(negotiateVersion(a, b)).toBe(negotiateVersion(b, a));
    }),
  );
});

test('whatever a stranger offers, the choice is in both ranges', () => {
  const anything = fc.record({ min: fc.maxSafeInteger(), max: fc.maxSafeInteger() });
  fc.assert(
    fc.property(anything, (offered) => {
      const chosen = negotiateVersion(parse(VersionRange, offered));
      if (chosen === undefined) return;
      expect(speaks(offered, chosen) && speaks(SUPPORTED_VERSIONS, chosen)).toBe(true);
    }),
  );
});

test('a range that is upside down meets none', () => {
  expect(negotiateVersion({ min: PROTOCOL_VERSION, max: PROTOCOL_VERSION - 1 })).toBeUndefined();
});

test('this build speaks its own version and at most the one before', () => {
  expect(SUPPORTED_VERSIONS).toEqual({ min: PROTOCOL_VERSION_MIN, max: PROTOCOL_VERSION });
  expect([0, 1]).toContain(PROTOCOL_VERSION - PROTOCOL_VERSION_MIN);
});
