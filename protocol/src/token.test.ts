import { expect, test } from 'vitest';
import { LIMITS } from './limits.ts';
import { TokenClaims } from './token.ts';
import { Grant, Role } from './visit.ts';

const claims = {
  iss: 'clinic',
  aud: 'bedside',
  sub: 'p-1',
  visit: 'v-1',
  role: 'patient',
  exp: 1_900_000_000,
  jti: 'j-1',
};
const takes = (change: object) => TokenClaims.safeParse({ ...claims, ...change }).success;

test('what a token must say is enough', () => {
  expect(TokenClaims.parse(claims)).toEqual(claims);
});

test('claims of other systems are dropped', () => {
  expect(TokenClaims.parse({ ...claims, iat: 1, email: 'ana@example.org' })).toEqual(claims);
});

test('a role is one of the list', () => {
  for (const role of Role.options) expect(takes({ role })).toBe(true);
  for (const role of ['king', 'Patient', '', '__proto__', 'constructor'])
    expect(takes({ role }), role).toBe(false);
});

test('grants are of the list', () => {
  expect(takes({ grants: [] })).toBe(true);
  expect(takes({ grants: Grant.options })).toBe(true);
  expect(takes({ grants: ['everything'] })).toBe(false);
  expect(takes({ grants: 'end' })).toBe(false);
});

test('a name has up to 80 characters, in any script', () => {
  expect(takes({ name: 'أنا' })).toBe(true);
  expect(takes({ name: 'a'.repeat(LIMITS.nameLength) })).toBe(true);
  expect(takes({ name: 'a'.repeat(LIMITS.nameLength + 1) })).toBe(false);
  expect(takes({ name: '' })).toBe(false);
});

test.each(['en', 'es-419', 'zh-Hant-TW', 'ase', 'sgn-US', 'de-CH-1996'])(
  'the language tag %s is taken',
  (lang) => {
    expect(takes({ lang })).toBe(true);
  },
);

test.each(['', 'e', 'english language', 'en_US', 'en-', '-en', `en-${'a'.repeat(9)}`])(
  'the language tag "%s" is refused',
  (lang) => {
    expect(takes({ lang })).toBe(false);
  },
);

test('an audience may be one of several', () => {
  expect(takes({ aud: ['bedside', 'elsewhere'] })).toBe(true);
  expect(takes({ aud: 1 })).toBe(false);
});

test('the end of its life is a whole number of seconds', () => {
  for (const exp of [1.5, '1900000000', -1, Number.NaN, null])
    expect(takes({ exp }), String(exp)).toBe(false);
});
