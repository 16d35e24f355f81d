import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type * as z from 'zod/mini';
import * as ids from './ids.ts';
import { LIMITS } from './limits.ts';

const texts = fc.oneof(
  fc.stringMatching(/^[A-Za-z0-9._~:-]{1,20}$/),
  fc.string({ minLength: 1, maxLength: 20 }),
);

describe.each(Object.entries(ids) as [string, z.ZodMiniType][])('%s', (_name, Id) => {
  const takes = (value: unknown) => Id.safeParse(value).success;

  test(`has 1 to ${LIMITS.idLength} characters`, () => {
    expect(takes('')).toBe(false);
    expect(takes('a')).toBe(true);
    expect(takes('a'.repeat(LIMITS.idLength))).toBe(true);
    expect(takes('a'.repeat(LIMITS.idLength + 1))).toBe(false);
  });

  test('is safe in an address, a Redis key and a header: no other character', () => {
    fc.assert(
      fc.property(texts, (text) => {
        expect(takes(text)).toBe(/^[A-Za-z0-9._~:-]+$/.test(text));
        if (takes(text)) expect(encodeURIComponent(text).replaceAll('%3A', ':')).toBe(text);
      }),
    );
    for (const text of ['a b', 'a/b', 'a{b}', 'a\n', '\na', 'ä', 'a\u0000', '%41'])
      expect(takes(text), JSON.stringify(text)).toBe(false);
  });

  test('is a text', () => {
    for (const value of [1, null, undefined, true, ['a'], { a: 'a' }])
      expect(takes(value)).toBe(false);
  });
});
