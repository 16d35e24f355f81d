import {
  CLINIC_AUDIENCE,
  type InviteId,
  type ParticipantId,
  SERVICE_AUDIENCE,
  type TenantId,
  TOKEN_AUDIENCE,
  type VisitId,
} from '@bedside/protocol';
import { decodeJwt, type JWTHeaderParameters, SignJWT } from 'jose';
import { describe, expect, test } from 'vitest';
import { GUEST_KID, Tenant } from '../config.ts';
import { GUEST_TOKEN_SECONDS, GuestKeys } from './guest-tokens.ts';
import { createKeyrings, TokenRefused, verifyJwt, verifyToken } from './tokens.ts';

const GUEST_SECRET = 'guest-secret-of-this-cluster-0123456789';
const SECRET = 'secret-of-the-clinic-0123456789abcdef';

const tenants = [
  { id: 'clinic', secrets: [{ kid: 'k1', secret: SECRET }] },
  { id: 'hospital', secrets: [{ kid: 'k1', secret: `${SECRET}-2` }] },
  { id: 'keyed', jwks: { keys: [{ kty: 'OKP', crv: 'Ed25519', x: 'AA' }] }, algorithms: ['EdDSA'] },
].map((tenant) => Tenant.parse(tenant));
const guests = new GuestKeys(GUEST_SECRET);
const keyrings = createKeyrings(tenants, () => undefined, guests);

const ana = {
  tenant: 'clinic' as TenantId,
  visit: 'v1' as VisitId,
  participant: 'ana' as ParticipantId,
  role: 'specialist' as const,
  name: 'Ana',
  invite: 'i1' as InviteId,
};

async function verdict(token: string, verify = verifyToken): Promise<string> {
  try {
    await verify(keyrings, token);
    return 'ok';
  } catch (error) {
    if (error instanceof TokenRefused) return error.reason;
    throw error;
  }
}

describe('a token of the gateways', () => {
  test('says who comes into which visit, and by which invitation', async () => {
    const { identity, tenant } = await verifyToken(keyrings, await guests.mint(ana));
    expect(tenant.id).toBe('clinic');
    expect(identity).toMatchObject({ ...ana, grants: undefined });
  });

  test('lives for twelve hours, and has an id of its own', async () => {
    const before = Math.floor(Date.now() / 1000);
    const [one, other] = [decodeJwt(await guests.mint(ana)), decodeJwt(await guests.mint(ana))];
    const life = (one.exp as number) - before;
    expect(life).toBeGreaterThanOrEqual(GUEST_TOKEN_SECONDS);
    expect(life).toBeLessThan(GUEST_TOKEN_SECONDS + 60);
    expect(one.jti).not.toBe(other.jti);
  });

  test('is good for a tenant that takes other algorithms only: its own keys are not concerned', async () => {
    const token = await guests.mint({ ...ana, tenant: 'keyed' as TenantId });
    expect((await verifyToken(keyrings, token)).identity.tenant).toBe('keyed');
  });

  test('is good at every gateway that has the secret, and at no other', async () => {
    const elsewhere = createKeyrings(tenants, () => undefined, new GuestKeys(GUEST_SECRET));
    const stranger = createKeyrings(tenants, () => undefined, new GuestKeys(`${GUEST_SECRET}-2`));
    const token = await guests.mint(ana);
    expect((await verifyToken(elsewhere, token)).identity.invite).toBe('i1');
    await expect(verifyToken(stranger, token)).rejects.toEqual(new TokenRefused('signature'));
    const without = createKeyrings(tenants, () => undefined);
    await expect(verifyToken(without, token)).rejects.toEqual(new TokenRefused('unknown-key'));
  });

  test('is good for visits alone', async () => {
    const token = await guests.mint(ana);
    for (const audience of [SERVICE_AUDIENCE, CLINIC_AUDIENCE, TOKEN_AUDIENCE])
      await expect(verifyJwt(keyrings, token, audience)).rejects.toEqual(
        new TokenRefused('unknown-key'),
      );
  });
});

describe('a token with the kid of the gateways is refused', () => {
  const sign = (
    claims: object = {},
    header: JWTHeaderParameters = { alg: 'HS256', kid: GUEST_KID },
    secret = GUEST_SECRET,
  ) =>
    new SignJWT({
      iss: 'clinic',
      aud: TOKEN_AUDIENCE,
      sub: 'ana',
      visit: 'v1',
      role: 'specialist',
      invite: 'i1',
      exp: Math.floor(Date.now() / 1000) + 600,
      jti: 'j1',
      ...claims,
    })
      .setProtectedHeader(header)
      .sign(new TextEncoder().encode(secret));

  test('unless it is right in every part', async () => {
    expect(await verdict(await sign())).toBe('ok');
  });

  test('signed by a tenant', async () => {
    const header = { alg: 'HS256', kid: GUEST_KID };
    expect(await verdict(await sign({}, header, SECRET))).toBe('signature');
  });

  test('by another algorithm', async () => {
    expect(await verdict(await sign({}, { alg: 'HS512', kid: GUEST_KID }))).toBe('algorithm');
    const [, payload, signature] = (await sign()).split('.');
    const none = Buffer.from(JSON.stringify({ alg: 'none', kid: GUEST_KID })).toString('base64url');
    expect(await verdict(`${none}.${payload}.${signature}`)).toBe('algorithm');
  });

  test.each<[string, object, string]>([
    ['without an invitation', { invite: undefined }, 'claims'],
    ['with an invitation that is no id', { invite: 'a b' }, 'claims'],
    ['without exp', { exp: undefined }, 'claims'],
    ['that has expired', { exp: 1 }, 'expired'],
    ['of a tenant that does not exist', { iss: 'nobody' }, 'unknown-tenant'],
    ['for another audience', { aud: SERVICE_AUDIENCE }, 'audience'],
    ['without a visit', { visit: undefined }, 'claims'],
  ])('%s', async (_name, claims, reason) => {
    expect(await verdict(await sign(claims))).toBe(reason);
  });
});

test('a portal gives nobody an invitation by its own token', async () => {
  const token = await new SignJWT({ visit: 'v1', role: 'specialist', invite: 'i1' })
    .setIssuer('clinic')
    .setAudience(TOKEN_AUDIENCE)
    .setSubject('ana')
    .setExpirationTime('10m')
    .setJti('j1')
    .setProtectedHeader({ alg: 'HS256', kid: 'k1' })
    .sign(new TextEncoder().encode(SECRET));
  expect((await verifyToken(keyrings, token)).identity.invite).toBeUndefined();
});
