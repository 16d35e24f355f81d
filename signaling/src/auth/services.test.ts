import * as crypto from 'node:crypto';
import { SERVICE_AUDIENCE, TOKEN_AUDIENCE } from '@bedside/protocol';
import { SignJWT } from 'jose';
import { beforeEach, expect, test, vi } from 'vitest';
import { Tenant } from '../config.ts';
import type { TokenFailure } from '../metrics.ts';
import { createServiceAuth } from './services.ts';
import { createKeyrings } from './tokens.ts';

vi.mock('node:crypto', { spy: true });

const SECRET = 'secret-of-the-clinic-0123456789abcdef';
const TENANTS = [
  {
    id: 'clinic',
    secrets: [{ kid: 'k1', secret: SECRET }],
    apiKeys: ['api-key-of-the-clinic-0001', 'api-key-of-the-clinic-0002'],
  },
  {
    id: 'hospital',
    secrets: [{ kid: 'h1', secret: `hospital-${SECRET}` }],
    apiKeys: ['api-key-of-the-hospital-0001'],
  },
].map((tenant) => Tenant.parse(tenant));

const failures: TokenFailure[] = [];
const auth = createServiceAuth(
  TENANTS,
  createKeyrings(TENANTS, () => undefined),
  { tokenFailure: (reason) => failures.push(reason) },
);

beforeEach(() => {
  failures.length = 0;
  vi.mocked(crypto.timingSafeEqual).mockClear();
});

const seconds = () => Math.floor(Date.now() / 1000);
const serviceToken = (claims: object = {}, secret = SECRET) =>
  new SignJWT({ iss: 'clinic', aud: SERVICE_AUDIENCE, exp: seconds() + 60, ...claims })
    .setProtectedHeader({ alg: 'HS256' })
    .sign(new TextEncoder().encode(secret));

test.each([
  ['api-key-of-the-clinic-0001', 'clinic'],
  ['api-key-of-the-clinic-0002', 'clinic'],
  ['api-key-of-the-hospital-0001', 'hospital'],
])('an API key names its tenant: %s', async (key, tenant) => {
  expect(await auth(`Bearer ${key}`)).toBe(tenant);
  expect(await auth(`bearer   ${key}`)).toBe(tenant);
});

test('a key is compared with each of all keys in constant time, wherever it matches', async () => {
  const compared: number[] = [];
  for (const key of [
    'api-key-of-the-clinic-0001',
    'api-key-of-the-hospital-0001',
    'x',
    'y'.repeat(300),
  ]) {
    vi.mocked(crypto.timingSafeEqual).mockClear();
    await auth(`Bearer ${key}`).catch(() => undefined);
    compared.push(vi.mocked(crypto.timingSafeEqual).mock.calls.length);
  }
  expect(compared).toEqual([3, 3, 3, 3]);
});

test('a JWT that the tenant signed for services names its tenant', async () => {
  expect(await auth(`Bearer ${await serviceToken()}`)).toBe('clinic');
});

test('everything else gets one answer, and operators the reason', async () => {
  const cases: [string, TokenFailure][] = [
    ['', 'missing'],
    ['Bearer', 'missing'],
    ['Bearer ', 'missing'],
    ['Basic YTpi', 'missing'],
    ['api-key-of-the-clinic-0001', 'missing'],
    [`Bearer ${'x'.repeat(5000)}`, 'missing'],
    ['Bearer api-key-of-the-clinic-0001 more', 'missing'],
    ['Bearer api-key-of-the-clinic-000', 'malformed'],
    ['Bearer api-key-of-the-clinic-00011', 'malformed'],
    ['Bearer API-KEY-OF-THE-CLINIC-0001', 'malformed'],
    [`Bearer ${await serviceToken({ aud: TOKEN_AUDIENCE })}`, 'audience'],
    [`Bearer ${await serviceToken({ exp: seconds() - 60 })}`, 'expired'],
    [`Bearer ${await serviceToken({ exp: undefined })}`, 'claims'],
    [`Bearer ${await serviceToken({ iss: 'hospital' })}`, 'signature'],
    [`Bearer ${await serviceToken({}, 'x'.repeat(40))}`, 'signature'],
  ];
  const answers = new Set<string>();
  for (const [authorization] of cases) {
    await auth(authorization).then(
      () => answers.add('let in'),
      (error) => answers.add(JSON.stringify(error.toBody())),
    );
  }
  expect([...answers]).toEqual([expect.stringContaining('"code":"unauthorized"')]);
  expect(failures).toEqual(cases.map(([, reason]) => reason));
});
