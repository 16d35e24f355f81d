import { BedsideError, CLINIC_AUDIENCE, TOKEN_AUDIENCE } from '@bedside/protocol';
import fc from 'fast-check';
import { jwtVerify } from 'jose';
import { describe, expect, it } from 'vitest';
import { readConfig } from './config.ts';
import { CLINIC, clinicClaims, sign, visitClaims } from './tokens.ts';

const secret = 'a secret that only tests know, long enough';
const config = readConfig({ PORTAL_TENANT_SECRET: secret, PORTAL_TENANT: 'lakeside' });
const page = 'page-0123456789abcdef';
const wanted = { visit: 'v1', role: 'patient', participant: page };

const verified = (token: string, audience: string) =>
  jwtVerify(token, new TextEncoder().encode(secret), { issuer: 'lakeside', audience });
const claimsOf = async (body: unknown) =>
  verified(await sign(config, visitClaims(config, body)), TOKEN_AUDIENCE);
const clinicClaimsOf = async (body: unknown) =>
  verified(await sign(config, clinicClaims(config, body)), CLINIC_AUDIENCE);
const lifetime = ({ exp = 0 }: { exp?: number }) => exp - Date.now() / 1000;

const fieldOf = (body: unknown, make: typeof visitClaims | typeof clinicClaims = visitClaims) => {
  try {
    make(config, body);
    return 'a token';
  } catch (error) {
    expect(error).toBeInstanceOf(BedsideError);
    expect((error as BedsideError).code).toBe('invalid-request');
    return (error as BedsideError).field;
  }
};

describe('a token of a visit', () => {
  it('signs what a gateway expects, for an hour', async () => {
    const { payload, protectedHeader } = await claimsOf({ ...wanted, name: 'Ana', lang: 'es' });
    expect(protectedHeader).toMatchObject({ alg: 'HS256', kid: 'demo-1' });
    expect(payload).toMatchObject({ visit: 'v1', role: 'patient', name: 'Ana', lang: 'es' });
    expect(lifetime(payload)).toBeGreaterThan(3500);
    expect(lifetime(payload)).toBeLessThanOrEqual(3600);
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
    ['somebody of the staff who is easily guessed', { ...wanted, staff: '1' }, 'staff'],
  ])('refuses %s and names the field', (_, body, field) => expect(fieldOf(body)).toBe(field));

  it('answers whatever it is sent with a token or with the field that is wrong', () => {
    fc.assert(
      fc.property(fc.anything(), (body) => {
        expect(fieldOf(body)).toBeTruthy();
      }),
    );
  });
});

describe('a token of the clinic', () => {
  const skills = { specialties: ['cardiology'], languages: ['en', 'ase'], regions: ['us-ca'] };
  const interpreter = { staff: page, role: 'interpreter', name: 'Noor', skills };

  it('names the clinic, the person and what they can be called for, for ten minutes', async () => {
    const { payload } = await clinicClaimsOf(interpreter);
    expect(payload).toMatchObject({ clinic: CLINIC, role: 'interpreter', name: 'Noor', skills });
    expect(payload).not.toHaveProperty('visit');
    expect(lifetime(payload)).toBeGreaterThan(500);
    expect(lifetime(payload)).toBeLessThanOrEqual(600);
  });

  it('is for the same person as their tokens of visits, in each visit', async () => {
    const { sub } = (await clinicClaimsOf(interpreter)).payload;
    for (const visit of ['v1', 'v2'])
      expect((await claimsOf({ visit, role: 'interpreter', staff: page })).payload.sub).toBe(sub);
    expect((await claimsOf({ ...wanted, role: 'interpreter' })).payload.sub).not.toBe(sub);
  });

  it('grants nothing that was not asked of the portal’s own rules', async () => {
    const { payload } = await clinicClaimsOf({
      ...interpreter,
      grants: ['queue'],
      clinic: 'other',
    });
    expect(payload.grants).toBeUndefined();
    expect(payload.clinic).toBe(CLINIC);
  });

  it.each([
    ['nobody', { role: 'provider' }, 'staff'],
    ['a role that there is not', { ...interpreter, role: 'admin' }, 'role'],
    [
      'skills that are no tags',
      { ...interpreter, skills: { languages: ['?'] } },
      'skills.languages',
    ],
  ])('refuses %s and names the field', (_, body, field) =>
    expect(fieldOf(body, clinicClaims)).toMatch(new RegExp(`^${field}`)),
  );
});
