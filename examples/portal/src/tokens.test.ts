import { BedsideError, TOKEN_AUDIENCE } from '@bedside/protocol';
import fc from 'fast-check';
import { jwtVerify } from 'jose';
import { describe, expect, it } from 'vitest';
import { readConfig } from './config.ts';
import { mintToken } from './tokens.ts';

const secret = 'a secret that only tests know, long enough';
const config = readConfig({ PORTAL_TENANT_SECRET: secret, PORTAL_TENANT: 'lakeside' });
const page = 'page-0123456789abcdef';
const wanted = { visit: 'v1', role: 'patient', participant: page };

const claimsOf = async (body: unknown) => {
  const token = await mintToken(config, body);
  const key = new TextEncoder().encode(secret);
  return jwtVerify(token, key, { issuer: 'lakeside', audience: TOKEN_AUDIENCE });
};
const fieldOf = (body: unknown): Promise<string | undefined> =>
  mintToken(config, body).then(
    () => 'a token',
    (error: BedsideError) => {
      expect(error).toBeInstanceOf(BedsideError);
      expect(error.code).toBe('invalid-request');
      return error.field;
    },
  );

describe('mintToken()', () => {
  it('signs what a gateway expects, for an hour', async () => {
    const { payload, protectedHeader } = await claimsOf({ ...wanted, name: 'Ana', lang: 'es' });
    expect(protectedHeader).toMatchObject({ alg: 'HS256', kid: 'demo-1' });
    expect(payload).toMatchObject({ visit: 'v1', role: 'patient', name: 'Ana', lang: 'es' });
    expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(3600);
    expect(payload.jti).toBeTruthy();
  });

  it('gives a page the same participant over its reloads, with a new token each time', async () => {
    const [first, second] = [await claimsOf(wanted), await claimsOf(wanted)];
    expect(second.payload.sub).toBe(first.payload.sub);
    expect(second.payload.jti).not.toBe(first.payload.jti);
  });

  it('gives other pages, roles and visits other participants', async () => {
    const bodies = [
      wanted,
      { ...wanted, participant: 'page-fedcba9876543210' },
      { ...wanted, role: 'provider' },
      { ...wanted, visit: 'v2' },
      { visit: 'v1', role: 'patient' },
      { visit: 'v1', role: 'patient' },
    ];
    const subjects = await Promise.all(
      bodies.map(async (body) => (await claimsOf(body)).payload.sub),
    );
    expect(new Set(subjects).size).toBe(bodies.length);
  });

  it('does not let one who has seen a participant’s id become them', async () => {
    const { sub } = (await claimsOf(wanted)).payload;
    expect(sub).not.toContain(page);
    expect((await claimsOf({ ...wanted, participant: sub })).payload.sub).not.toBe(sub);
  });

  it('grants nothing that was not asked of the portal’s own rules', async () => {
    const { payload } = await claimsOf({ ...wanted, grants: ['end'], sub: 'x', iss: 'y', exp: 1 });
    expect(payload.grants).toBeUndefined();
    expect(payload.iss).toBe('lakeside');
  });

  it('leaves out a name that is empty', async () => {
    expect((await claimsOf({ ...wanted, name: '  ' })).payload).not.toHaveProperty('name');
  });

  it.each([
    ['nothing', undefined, '(root)'],
    ['text', 'visit', '(root)'],
    ['no visit', { role: 'patient' }, 'visit'],
    ['a visit with spaces', { ...wanted, visit: 'my visit' }, 'visit'],
    ['a role that there is not', { ...wanted, role: 'admin' }, 'role'],
    ['a number for a name', { ...wanted, name: 7 }, 'name'],
    ['a name too long', { ...wanted, name: 'x'.repeat(81) }, 'name'],
    ['no language', { ...wanted, lang: 'not a language' }, 'lang'],
    ['a participant that is easily guessed', { ...wanted, participant: '1' }, 'participant'],
    ['a participant of odd letters', { ...wanted, participant: `${page}<>` }, 'participant'],
  ])('refuses %s and names the field', async (_, body, field) =>
    expect(await fieldOf(body)).toBe(field),
  );

  it('answers whatever it is sent with a token or with the field that is wrong', async () => {
    await fc.assert(
      fc.asyncProperty(fc.anything(), async (body) => {
        expect(await fieldOf(body)).toBeTruthy();
      }),
    );
  });
});
