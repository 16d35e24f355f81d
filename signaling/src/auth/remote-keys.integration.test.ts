import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { BedsideError, TOKEN_AUDIENCE } from '@bedside/protocol';
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, jwtVerify, SignJWT } from 'jose';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Tenant } from '../config.ts';
import { FETCHES, FRESH_MS, MAX_KEYS_BYTES, RemoteKeys, USABLE_MS } from './remote-keys.ts';
import { createKeyrings, TokenRefused, verifyToken } from './tokens.ts';

/** A portal that serves its keys, and can fail at it. */
class Portal {
  keys: JWK[] = [];
  requests = 0;
  answer: (response: ServerResponse) => void = (response) => this.serve(response);
  readonly #server = createServer((request, response) => {
    this.requests += 1;
    if (request.url === '/elsewhere') this.serve(response);
    else this.answer(response);
  });

  serve(response: ServerResponse): void {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ keys: this.keys }));
  }

  async open(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/jwks`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    if (this.#server.listening) await new Promise((closed) => this.#server.close(closed));
  }

  fail(): void {
    this.answer = (response) => response.writeHead(503).end();
  }
}

type Algorithm = 'RS256' | 'ES256' | 'EdDSA';

let portal: Portal;
let url: string;
/** Milliseconds of a clock that only a test moves. */
let clock: number;
let errors: unknown[];
let remote: RemoteKeys;

beforeEach(async () => {
  portal = new Portal();
  url = await portal.open();
  clock = 0;
  errors = [];
  remote = new RemoteKeys(url, {
    onFetched: (error) => void errors.push(error),
    now: () => clock,
  });
});
afterEach(async () => {
  await portal.close();
});

async function newKey(kid: string, alg: Algorithm = 'ES256') {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  portal.keys.push({ ...(await exportJWK(publicKey)), kid });
  return { kid, alg, privateKey };
}

const sign = ({ kid, alg, privateKey }: { kid: string; alg: Algorithm; privateKey: CryptoKey }) =>
  new SignJWT({
    iss: 'clinic',
    aud: TOKEN_AUDIENCE,
    sub: 'p1',
    visit: 'v1',
    role: 'patient',
    jti: 'j1',
  })
    .setExpirationTime('10m')
    .setProtectedHeader({ alg, kid })
    .sign(privateKey);

/** `ok`, or the code of what was thrown. */
const verdict = (token: string): Promise<string> =>
  jwtVerify(token, remote.keyFor).then(
    () => 'ok',
    (error) => error.code,
  );

describe('the gateway takes tokens by keys that a portal serves', () => {
  test.each<Algorithm>(['RS256', 'ES256', 'EdDSA'])('%s', async (alg) => {
    const key = await newKey('key-1', alg);
    const tenants = [Tenant.parse({ id: 'clinic', jwks: url })];
    const { identity } = await verifyToken(
      createKeyrings(tenants, () => undefined),
      await sign(key),
    );
    expect(identity).toMatchObject({ tenant: 'clinic', participant: 'p1' });
  });

  test('and refuses others’, and those that it can not check now, each as what it is', async () => {
    await newKey('key-1');
    const tenants = [Tenant.parse({ id: 'clinic', jwks: url })];
    const fetched: [string, unknown][] = [];
    const keyrings = createKeyrings(tenants, (tenant, error) => fetched.push([tenant, error]));
    const stranger = { ...(await newKey('key-1')), kid: 'key-1' };
    portal.keys.pop();
    await expect(verifyToken(keyrings, await sign(stranger))).rejects.toEqual(
      new TokenRefused('signature'),
    );
    expect(fetched).toEqual([['clinic', undefined]]);
    await portal.close();
    const unknown = verifyToken(
      createKeyrings(tenants, () => undefined),
      await sign(stranger),
    );
    await expect(unknown).rejects.toMatchObject({ code: 'deadline', retryable: true });
  });
});

test('nothing is fetched before a token needs it, and once for all that need it then', async () => {
  const token = await sign(await newKey('key-1'));
  expect(portal.requests).toBe(0);
  expect(await Promise.all(Array.from({ length: 20 }, () => verdict(token)))).toEqual(
    Array(20).fill('ok'),
  );
  expect(await verdict(token)).toBe('ok');
  expect(portal.requests).toBe(1);
});

test('a new kid is taken up at once; one that is withdrawn goes when the keys are fetched again', async () => {
  const old = await sign(await newKey('key-1'));
  expect(await verdict(old)).toBe('ok');
  const next = await sign(await newKey('key-2'));
  portal.keys.shift();
  expect(await verdict(next)).toBe('ok');
  expect(await verdict(old)).toBe('ERR_JWKS_NO_MATCHING_KEY');
});

test('keys are fetched again when they have aged', async () => {
  const token = await sign(await newKey('key-1'));
  await verdict(token);
  portal.keys = [];
  clock += FRESH_MS - 1;
  expect(await verdict(token)).toBe('ok');
  clock += 1;
  await vi.waitFor(async () => expect(await verdict(token)).toBe('ERR_JWKS_NO_MATCHING_KEY'));
  expect(portal.requests).toBe(3);
});

test('who has a good key waits for no portal', async () => {
  const token = await sign(await newKey('key-1'));
  await verdict(token);
  portal.answer = () => undefined;
  clock += FRESH_MS;
  expect(await verdict(token)).toBe('ok');
  expect(errors).toEqual([undefined]);
});

describe('fetches are bounded', () => {
  test('whatever kids are made up, and tokens of known ones do not notice', async () => {
    const token = await sign(await newKey('key-1'));
    const { privateKey } = await generateKeyPair('ES256');
    const madeUp = await Promise.all(
      Array.from({ length: 50 }, (_, i) => sign({ kid: `made-up-${i}`, alg: 'ES256', privateKey })),
    );
    for (const guess of madeUp) expect(await verdict(guess)).toBe('ERR_JWKS_NO_MATCHING_KEY');
    expect(portal.requests).toBe(FETCHES.burst);
    expect(await verdict(token)).toBe('ok');
    clock += 1000 / FETCHES.perSecond;
    for (const guess of madeUp) await verdict(guess);
    expect(portal.requests).toBe(FETCHES.burst + 1);
  });

  test('while they fail, too', async () => {
    portal.fail();
    const token = await sign(await newKey('key-1'));
    for (let i = 0; i < 50; i += 1) expect(await verdict(token)).toBe('deadline');
    expect(portal.requests).toBe(FETCHES.burst);
  });
});

describe('while keys can not be fetched', () => {
  test('the old ones serve, for an hour', async () => {
    const token = await sign(await newKey('key-1'));
    await verdict(token);
    portal.fail();
    clock = FRESH_MS;
    expect(await verdict(token)).toBe('ok');
    await vi.waitFor(() => expect(errors.at(-1)).toBeInstanceOf(Error));
    clock = USABLE_MS - 1;
    expect(await verdict(token)).toBe('ok');
    clock = USABLE_MS;
    expect(await verdict(token)).toBe('deadline');
  });

  test('a client is told to come again, and what is wrong stays here', async () => {
    portal.fail();
    const failure = await jwtVerify(await sign(await newKey('key-1')), remote.keyFor).catch(
      (error: unknown) => error,
    );
    expect(failure).toBeInstanceOf(BedsideError);
    expect((failure as BedsideError).toBody()).toMatchObject({ code: 'deadline', retryable: true });
  });

  const answers: [string, (response: ServerResponse) => void][] = [
    ['is an error', (response) => response.writeHead(500).end('{"keys":[]}')],
    ['is no JSON', (response) => response.end('<html>')],
    ['is no key set', (response) => response.end('{"keys":{}}')],
    ['leads elsewhere', (response) => response.writeHead(302, { location: '/elsewhere' }).end()],
    ['breaks off', (response) => response.destroy()],
    [
      'does not end',
      (response) => {
        const more = () => {
          while (response.write('x'.repeat(65_536)));
        };
        response.on('drain', more);
        more();
      },
    ],
    [
      'is too long',
      (response) => response.end(JSON.stringify({ keys: [], filler: 'x'.repeat(MAX_KEYS_BYTES) })),
    ],
  ];
  test.each(answers)('an answer that %s is none', async (_name, answer) => {
    const token = await sign(await newKey('key-1'));
    const whole = portal.answer;
    portal.answer = answer;
    expect(await verdict(token)).toBe('deadline');
    expect(errors).toEqual([expect.any(Error)]);
    portal.answer = whole;
    expect(await verdict(token)).toBe('ok');
  });
});

test('a key with its private part is not used', async () => {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true });
  portal.keys.push({ ...(await exportJWK(privateKey)), kid: 'key-1' });
  expect(await verdict(await sign({ kid: 'key-1', alg: 'ES256', privateKey }))).not.toBe('ok');
});
