import { CLOCK_SKEW_SECONDS, LIMITS, TOKEN_AUDIENCE } from '@bedside/protocol';
import * as fc from 'fast-check';
import {
  type CryptoKey,
  exportJWK,
  exportSPKI,
  generateKeyPair,
  type JWTHeaderParameters,
  SignJWT,
  UnsecuredJWT,
} from 'jose';
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { Tenant } from '../config.ts';
import { createKeyrings, type Keyring, TokenRefused, verifyToken } from './tokens.ts';

/** A moment at which the clock stands: edges are exact. Milliseconds since 1970. */
const NOW = 1_800_000_000_000;
const seconds = NOW / 1000;

const SECRET = 'secret-of-the-clinic-0123456789abcdef';
const NEXT_SECRET = 'next-secret-of-the-clinic-0123456789';

interface KeyPair {
  privateKey: CryptoKey;
  publicKey: CryptoKey;
}
const pairs = {} as Record<'RS256' | 'ES256' | 'EdDSA', KeyPair>;
let keyrings: ReadonlyMap<string, Keyring>;

beforeAll(async () => {
  for (const alg of ['RS256', 'ES256', 'EdDSA'] as const)
    pairs[alg] = await generateKeyPair(alg, { extractable: true });
  const jwks = {
    keys: await Promise.all(
      Object.entries(pairs).map(async ([alg, { publicKey }]) => ({
        ...(await exportJWK(publicKey)),
        kid: alg,
      })),
    ),
  };
  const secrets = [{ kid: 'k1', secret: SECRET }];
  const tenants = [
    { id: 'clinic', secrets },
    { id: 'rotating', secrets: [...secrets, { kid: 'k2', secret: NEXT_SECRET }] },
    { id: 'keyed', jwks },
    { id: 'both', secrets, jwks },
    { id: 'narrow', secrets, jwks, algorithms: ['EdDSA'] },
  ].map((tenant) => Tenant.parse(tenant));
  keyrings = createKeyrings(tenants, () => undefined);
});

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'], now: NOW });
});
afterEach(() => {
  vi.useRealTimers();
});

const CLAIMS = {
  iss: 'clinic',
  aud: TOKEN_AUDIENCE,
  sub: 'p1',
  visit: 'v1',
  role: 'patient',
  exp: seconds + 600,
  jti: 'j1',
};

const sign = (
  claims: object = {},
  header: JWTHeaderParameters = { alg: 'HS256', kid: 'k1' },
  key: CryptoKey | string = SECRET,
) =>
  new SignJWT({ ...CLAIMS, ...claims })
    .setProtectedHeader(header)
    .sign(typeof key === 'string' ? new TextEncoder().encode(key) : key);

/** `ok`, or the reason for operators; anything but a refusal is thrown. */
async function verdict(token: string): Promise<string> {
  try {
    await verifyToken(keyrings, token);
    return 'ok';
  } catch (error) {
    if (error instanceof TokenRefused) return error.reason;
    throw error;
  }
}

describe('a good token', () => {
  test('says who somebody is', async () => {
    const { identity, tenant } = await verifyToken(
      keyrings,
      await sign({ name: 'Ana', lang: 'es', grants: ['end'] }),
    );
    expect(tenant.id).toBe('clinic');
    expect(identity).toEqual({
      tenant: 'clinic',
      visit: 'v1',
      jti: 'j1',
      participant: 'p1',
      role: 'patient',
      name: 'Ana',
      lang: 'es',
      grants: ['end'],
      expiresAt: CLAIMS.exp * 1000,
    });
  });

  test.each(['RS256', 'ES256', 'EdDSA'] as const)('may be signed with %s', async (alg) => {
    const token = await sign({ iss: 'keyed' }, { alg, kid: alg }, pairs[alg].privateKey);
    expect(await verdict(token)).toBe('ok');
  });

  test('may be signed with either secret while they rotate, named by kid', async () => {
    const of = (kid: string, secret: string) =>
      sign({ iss: 'rotating' }, { alg: 'HS256', kid }, secret);
    expect(await verdict(await of('k1', SECRET))).toBe('ok');
    expect(await verdict(await of('k2', NEXT_SECRET))).toBe('ok');
    expect(await verdict(await of('k2', SECRET))).toBe('signature');
  });

  test('may lack a kid only where there is one secret', async () => {
    expect(await verdict(await sign({}, { alg: 'HS256' }))).toBe('ok');
    expect(await verdict(await sign({ iss: 'rotating' }, { alg: 'HS256' }))).toBe('unknown-key');
  });

  test('may be for several audiences', async () => {
    expect(await verdict(await sign({ aud: ['portal', TOKEN_AUDIENCE] }))).toBe('ok');
  });
});

describe('clocks may differ', () => {
  test.each<[string, object, string]>([
    ['expired one second less than the skew ago', { exp: seconds - CLOCK_SKEW_SECONDS + 1 }, 'ok'],
    ['expired by the whole skew', { exp: seconds - CLOCK_SKEW_SECONDS }, 'expired'],
    ['good from the end of the skew on', { nbf: seconds + CLOCK_SKEW_SECONDS }, 'ok'],
    ['good a second later than that', { nbf: seconds + CLOCK_SKEW_SECONDS + 1 }, 'claims'],
    ['issued in the future', { iat: seconds + 600 }, 'ok'],
  ])('a token that is %s: %s gives %s', async (_name, claims, expected) => {
    expect(await verdict(await sign(claims))).toBe(expected);
  });

  test('by 30 seconds at the most', () => {
    expect(CLOCK_SKEW_SECONDS).toBeLessThanOrEqual(30);
  });
});

describe('algorithms do not stand in for one another', () => {
  const RSA = { alg: 'RS256', kid: 'RS256' };

  test.each(['keyed', 'both'])(
    'a public key of %s in any of its forms is no secret for HS256',
    async (iss) => {
      const jwk = await exportJWK(pairs.RS256.publicKey);
      const pem = await exportSPKI(pairs.RS256.publicKey);
      for (const secret of [pem, pem.trim(), JSON.stringify(jwk), jwk.n as string]) {
        for (const header of [{ alg: 'HS256', kid: 'RS256' }, { alg: 'HS256' }]) {
          expect(await verdict(await sign({ iss }, header, secret))).toMatch(
            /^(unknown-key|signature)$/,
          );
        }
      }
    },
  );

  test('a secret’s kid is no public key, and the reverse', async () => {
    const asymmetric = { alg: 'RS256', kid: 'k1' };
    const token = await sign({ iss: 'both' }, asymmetric, pairs.RS256.privateKey);
    expect(await verdict(token)).toBe('unknown-key');
    expect(await verdict(await sign({ iss: 'both' }, { alg: 'HS256', kid: 'RS256' }))).toBe(
      'unknown-key',
    );
  });

  test('none, in any writing, is no algorithm', async () => {
    const [, payload] = new UnsecuredJWT(CLAIMS).encode().split('.');
    for (const alg of ['none', 'None', 'NONE', 'nOnE', '', 'HS256 ']) {
      const header = Buffer.from(JSON.stringify({ alg, kid: 'k1' })).toString('base64url');
      expect(await verdict(`${header}.${payload}.`)).toBe('algorithm');
      expect(await verdict(`${header}.${payload}.c2lnbmF0dXJl`)).toBe('algorithm');
    }
  });

  test('HS384, HS512, PS256 and ES384 are not offered, whoever signs', async () => {
    const long = SECRET.repeat(3);
    const { privateKey } = await generateKeyPair('PS256');
    const es384 = await generateKeyPair('ES384');
    expect(await verdict(await sign({}, { alg: 'HS384', kid: 'k1' }, long))).toBe('algorithm');
    expect(await verdict(await sign({}, { alg: 'HS512', kid: 'k1' }, long))).toBe('algorithm');
    expect(await verdict(await sign({}, { alg: 'PS256', kid: 'RS256' }, privateKey))).toBe(
      'algorithm',
    );
    expect(await verdict(await sign({}, { alg: 'ES384', kid: 'x' }, es384.privateKey))).toBe(
      'algorithm',
    );
  });

  test('a tenant that narrows them gets no other', async () => {
    const iss = 'narrow';
    expect(await verdict(await sign({ iss }))).toBe('algorithm');
    expect(await verdict(await sign({ iss }, RSA, pairs.RS256.privateKey))).toBe('algorithm');
    expect(
      await verdict(await sign({ iss }, { alg: 'EdDSA', kid: 'EdDSA' }, pairs.EdDSA.privateKey)),
    ).toBe('ok');
  });

  test('a key that the token brings along is not looked at', async () => {
    const own = await generateKeyPair('RS256', { extractable: true });
    const jwk = await exportJWK(own.publicKey);
    for (const more of [{ jwk }, { jku: 'https://evil.example.org/jwks' }, { x5u: 'https://x' }]) {
      const header = { alg: 'RS256', ...more };
      expect(await verdict(await sign({ iss: 'keyed' }, header, own.privateKey))).toBe('signature');
    }
  });

  test('a header that we must understand and do not is refused', async () => {
    const header = { alg: 'HS256', kid: 'k1', crit: ['exp'], exp: 1 };
    const token = await new SignJWT(CLAIMS)
      .setProtectedHeader(header)
      .sign(new TextEncoder().encode(SECRET), { crit: { exp: true } });
    expect(await verdict(token)).toBe('algorithm');
  });
});

describe('a token is refused', () => {
  test.each<[string, object, string]>([
    ['without exp', { exp: undefined }, 'claims'],
    ['with exp as text', { exp: '2099-01-01' }, 'claims'],
    ['with half a second in exp', { exp: seconds + 0.5 }, 'claims'],
    ['without aud', { aud: undefined }, 'audience'],
    ['for another audience', { aud: 'elsewhere' }, 'audience'],
    ['for an audience that begins alike', { aud: `${TOKEN_AUDIENCE}-service` }, 'audience'],
    ['without iss', { iss: undefined }, 'malformed'],
    ['of a tenant that does not exist', { iss: 'nobody' }, 'unknown-tenant'],
    ['of a tenant by a list', { iss: ['clinic'] }, 'malformed'],
    ['of the prototype', { iss: '__proto__' }, 'unknown-tenant'],
    ['without jti', { jti: undefined }, 'claims'],
    ['with an empty jti', { jti: '' }, 'claims'],
    ['without a visit', { visit: undefined }, 'claims'],
    ['for a visit with a slash', { visit: 'a/b' }, 'claims'],
    ['for a visit that is too long', { visit: 'v'.repeat(LIMITS.idLength + 1) }, 'claims'],
    ['without a person', { sub: undefined }, 'claims'],
    ['for a person with a line break', { sub: 'p\n1' }, 'claims'],
    ['without a role', { role: undefined }, 'claims'],
    ['with a role that does not exist', { role: 'king' }, 'claims'],
    ['with a grant that does not exist', { grants: ['everything'] }, 'claims'],
    ['with a name that is too long', { name: 'n'.repeat(LIMITS.nameLength + 1) }, 'claims'],
  ])('%s', async (_name, claims, reason) => {
    expect(await verdict(await sign(claims))).toBe(reason);
  });

  test('signed with the secret of another tenant', async () => {
    expect(await verdict(await sign({}, { alg: 'HS256', kid: 'k1' }, NEXT_SECRET))).toBe(
      'signature',
    );
  });

  test('changed anywhere', async () => {
    const token = await sign();
    const place = fc.integer({ min: 0, max: token.length - 1 });
    const character = fc.constantFrom(...'ABab01-_.=');
    await fc.assert(
      fc.asyncProperty(place, character, async (at, other) => {
        const changed = `${token.slice(0, at)}${other}${token.slice(at + 1)}`;
        fc.pre(changed !== token);
        // The last character of base64 has bits that stand for nothing.
        const decoded = (text: string) =>
          text.split('.').map((part) => Buffer.from(part, 'base64url').toString('hex'));
        fc.pre(decoded(changed).join() !== decoded(token).join());
        expect(await verdict(changed)).not.toBe('ok');
      }),
    );
  });

  test('whatever text it is, and nothing else is thrown', async () => {
    const part = fc.oneof(fc.base64String(), fc.string(), fc.json());
    const text = fc.oneof(
      fc.string(),
      fc.array(part, { minLength: 2, maxLength: 5 }).map((parts) => parts.join('.')),
      fc
        .tuple(fc.json(), fc.json())
        .map(
          (parts) => `${parts.map((json) => Buffer.from(json).toString('base64url')).join('.')}.`,
        ),
    );
    await fc.assert(
      fc.asyncProperty(text, async (token) => {
        expect(await verdict(token)).not.toBe('ok');
      }),
    );
  });
});
