import { type BedsideError, TOKEN_AUDIENCE } from '@bedside/protocol';
import { SignJWT } from 'jose';
import { beforeEach, describe, expect, it } from 'vitest';
import { GuestLinks } from './guest-links.ts';

const MINUTE = 60_000;
const start = 1_700_000_000_000;

/** As a gateway signs one: by a secret that no portal has. */
const invitation = (claims: object = {}) =>
  new SignJWT({
    iss: 'lakeside',
    aud: TOKEN_AUDIENCE,
    sub: 'guest.i1',
    visit: 'v1',
    role: 'interpreter',
    invite: 'i1',
    exp: start / 1000 + 3600,
    jti: 'j1',
    ...claims,
  })
    .setProtectedHeader({ alg: 'HS256', kid: 'bedside-guest' })
    .sign(new TextEncoder().encode('a secret of the gateways alone, long enough'));

const codeOf = (act: () => unknown): string => {
  try {
    act();
    return 'none';
  } catch (error) {
    return (error as BedsideError).code;
  }
};

describe('a guest’s link', () => {
  let now: number;
  let links: GuestLinks;
  beforeEach(() => {
    now = start;
    links = new GuestLinks('lakeside', () => now);
  });

  it('gives the token to the first who shows its code, and to nobody after', async () => {
    const token = await invitation();
    const { code } = links.keep({ token });
    expect(links.redeem({ code })).toEqual({ token, visit: 'v1', role: 'interpreter' });
    expect(codeOf(() => links.redeem({ code }))).toBe('invite-used');
  });

  it('has a code that says nothing of the token, and can be typed in any way', async () => {
    const token = await invitation();
    const { code } = links.keep({ token });
    expect(code).toMatch(/^[a-z2-9]{4}-[a-z2-9]{4}-[a-z2-9]{4}$/);
    expect(links.redeem({ code: ` ${code.toUpperCase().replaceAll('-', ' ')}` }).token).toBe(token);
  });

  it('lasts as long as the invitation, and no more than a day', async () => {
    const token = await invitation();
    const short = links.keep({ token, expiresAt: now + MINUTE });
    const long = links.keep({ token, expiresAt: now + 10_000 * MINUTE });
    expect(short.expiresAt).toBe(now + MINUTE);
    expect(long.expiresAt).toBe(now + 24 * 60 * MINUTE);
    now += MINUTE;
    expect(codeOf(() => links.redeem(short))).toBe('invite-used');
    expect(codeOf(() => links.redeem(long))).toBe('none');
  });

  it('lasts for a quarter of an hour where nothing is said', async () => {
    expect(links.keep({ token: await invitation() }).expiresAt).toBe(now + 15 * MINUTE);
  });

  it('takes a code that never was for one that was used', () => {
    expect(codeOf(() => links.redeem({ code: 'aaaa-bbbb-cccc' }))).toBe('invite-used');
  });

  it.each([
    ['what is no token', () => 'abc'],
    ['a token of another tenant', () => invitation({ iss: 'elsewhere' })],
    ['a token without a visit', () => invitation({ visit: undefined })],
  ])('is not made of %s', async (_, token) => {
    const body = { token: await token() };
    expect(codeOf(() => links.keep(body))).toBe('invalid-request');
  });

  it('gives each its own code', async () => {
    const token = await invitation();
    const codes = Array.from({ length: 100 }, () => links.keep({ token }).code);
    expect(new Set(codes).size).toBe(100);
  });
});
