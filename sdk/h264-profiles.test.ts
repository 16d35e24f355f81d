import { createRequire } from 'node:module';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import * as ours from './h264-profiles.ts';

/** The package that mediasoup-client brings. */
const theirs: typeof ours = createRequire(
  createRequire(import.meta.url).resolve('mediasoup-client'),
)('h264-profile-level-id');

/** Level 1b, which the package takes for more than 1.1: no browser offers it. */
const is1b = (id: string) => id.endsWith('0b') && (Number.parseInt(id.slice(2, 4), 16) & 0x10) > 0;

const hex = (digits: number, values: readonly number[]) =>
  fc
    .oneof(fc.constantFrom(...values), fc.nat(0xff))
    .map((n) => n.toString(16).padStart(digits, '0'));
const id = fc
  .tuple(
    hex(2, [0x42, 0x4d, 0x58, 0x64, 0xf4]),
    hex(2, [0, 0x0c, 0x10, 0x40, 0x80, 0xc0, 0xe0]),
    hex(2, [10, 11, 12, 13, 20, 31, 42, 52]),
  )
  .map((bytes) => bytes.join(''));
const parameters = fc.record(
  {
    'profile-level-id': fc.oneof(
      { weight: 20, arbitrary: id },
      fc.constantFrom('', '42e0', '000000'),
    ),
    'level-asymmetry-allowed': fc.constantFrom<unknown>(0, 1, '1', true, undefined),
  },
  { requiredKeys: [] },
);

const answer = (of: typeof ours, local: object, remote: object) => {
  try {
    return of.generateProfileLevelIdStringForAnswer({ ...local }, { ...remote });
  } catch (error) {
    return error instanceof TypeError ? 'refused' : error;
  }
};

test('says of any two codecs what the package says', () => {
  let same = 0;
  fc.assert(
    fc.property(parameters, parameters, (local, remote) => {
      const isSame = ours.isSameProfile(local, remote);
      expect(isSame).toBe(theirs.isSameProfile(local, remote));
      if (isSame) same += 1;
      if ([local, remote].some((each) => is1b(each['profile-level-id'] ?? ''))) return;
      expect(answer(ours, local, remote)).toBe(answer(theirs, local, remote));
    }),
    { numRuns: 5_000 },
  );
  expect(same).toBeGreaterThan(100);
});

test('knows every profile and level that the package knows', () => {
  const differing: string[] = [];
  // No level is above 52.
  for (let number = 0; number < 0x100 * 56; number++)
    for (const profile of [0x42, 0x4d, 0x58, 0x64, 0xf4]) {
      const bytes = [profile, Math.floor(number / 56), number % 56];
      const text = bytes.map((byte) => byte.toString(16).padStart(2, '0')).join('');
      const one = { 'profile-level-id': text, 'level-asymmetry-allowed': 1 };
      if (answer(ours, one, one) !== answer(theirs, one, one)) differing.push(text);
    }
  expect(differing).toEqual([]);
});

test('level 1b is between 1 and 1.1', () => {
  const of = (text: string) => ({ 'profile-level-id': text });
  const lower = (one: string, other: string) =>
    ours.generateProfileLevelIdStringForAnswer(of(one), of(other));
  expect([lower('42100b', '42000a'), lower('42000a', '42100b')]).toEqual(['42000a', '42000a']);
  expect([lower('42100b', '42000b'), lower('42000b', '42100b')]).toEqual(['42100b', '42100b']);
});
