import { describe, expect, it } from 'vitest';
import { token } from './testing.ts';
import { readClaims, visitOfToken } from './token.ts';

describe('readClaims', () => {
  it('reads names in any script', () => {
    expect(readClaims(token({ name: 'Zoë 李' })).name).toBe('Zoë 李');
  });

  it('reads the visit that the balancer needs', () => {
    expect(visitOfToken(token({ visit: 'visit-7' }))).toBe('visit-7');
  });

  it('knows who comes by an invitation', () => {
    expect(readClaims(token()).isGuest).toBe(false);
    expect(readClaims(token({ invite: 'i1' })).isGuest).toBe(true);
  });

  it.each(['', 'a.b.c', 'a', '.e30.', token({ visit: '' })])(
    'refuses %j as unauthorized',
    (text) => {
      expect(() => readClaims(text)).toThrow(expect.objectContaining({ code: 'unauthorized' }));
    },
  );
});
