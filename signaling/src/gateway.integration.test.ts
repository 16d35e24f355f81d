import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { Agent, get } from 'node:http';
import { SUPPORTED_VERSIONS, TOKEN_AUDIENCE } from '@bedside/protocol';
import { exportJWK, SignJWT, UnsecuredJWT } from 'jose';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { FakeDoor } from '../test/fake-door.ts';
import { FakeVisits } from '../test/fake-visits.ts';
import {
  clientOf,
  eventOf,
  HOSPITAL_SECRET,
  handshake,
  join,
  mintToken,
  OTHER_SECRET,
  type Running,
  refusal,
  SECRET,
  startGateway,
  TENANTS,
  testConfig,
} from '../test/harness.ts';
import { createGateway } from './gateway.ts';

const seconds = () => Math.floor(Date.now() / 1000);
const FENCED_SECRET = 'the-secret-of-the-fenced-tenant-00001';
const keys = generateKeyPairSync('rsa', { modulusLength: 2048 });
const publicPem = keys.publicKey.export({ type: 'spki', format: 'pem' }).toString();

let running: Running;

beforeEach(async () => {
  const jwk = { ...(await exportJWK(keys.publicKey)), kid: 'rsa-1', alg: 'RS256', use: 'sig' };
  running = await startGateway({
    BEDSIDE_TENANTS: JSON.stringify([
      ...TENANTS,
      { id: 'keyed', jwks: { keys: [jwk] } },
      {
        id: 'fenced',
        secrets: [{ kid: 'f1', secret: FENCED_SECRET }],
        allowedOrigins: ['https://portal.example.org'],
      },
    ]),
  });
});

afterEach(async () => {
  await running.stop();
});

const rs256 = (claims: object = {}) =>
  new SignJWT({
    aud: TOKEN_AUDIENCE,
    sub: 'p1',
    visit: 'v1',
    role: 'provider',
    jti: randomUUID(),
    iss: 'keyed',
    exp: seconds() + 600,
    ...claims,
  })
    .setProtectedHeader({ alg: 'RS256', kid: 'rsa-1' })
    .sign(keys.privateKey);

describe('a good token', () => {
  test('lets its bearer in, and welcome is the first message', async () => {
    const { socket, welcome } = await join(running, { name: 'Ana', lang: 'es' });
    expect(welcome).toMatchObject({
      version: 1,
      participantId: 'p1',
      resumed: false,
      iceServers: [],
    });
    expect(running.visits.pages[0]?.identity).toMatchObject({
      tenant: 'clinic',
      visit: 'v1',
      participant: 'p1',
      role: 'patient',
      name: 'Ana',
      lang: 'es',
    });
    socket.disconnect();
  });

  test('may be signed with a key of the tenant’s JWKS', async () => {
    const socket = clientOf(running.url, handshake(await rs256()));
    const welcome = eventOf(socket, 'welcome');
    socket.connect();
    await welcome;
    socket.disconnect();
  });

  test('may lack a kid where the tenant has one secret', async () => {
    const socket = clientOf(running.url, handshake(await mintToken({}, { kid: undefined })));
    const welcome = eventOf(socket, 'welcome');
    socket.connect();
    await welcome;
    socket.disconnect();
  });

  test('may have expired within the clock skew', async () => {
    const { socket, welcome } = await join(running, { exp: seconds() - 5 });
    expect(welcome.tokenExpiresInMs).toBe(0);
    socket.disconnect();
  });
});

describe('every other token gets one answer that reveals nothing', () => {
  const payload = () => ({
    iss: 'keyed',
    aud: TOKEN_AUDIENCE,
    sub: 'p1',
    visit: 'v1',
    role: 'patient',
    exp: seconds() + 600,
    jti: randomUUID(),
  });
  const bad: Record<string, () => object | Promise<object>> = {
    missing: () => ({ versions: SUPPORTED_VERSIONS }),
    empty: () => handshake(''),
    'not a string': () => ({ token: { a: 1 }, versions: SUPPORTED_VERSIONS }),
    'not a JWT': () => handshake('abc.def'),
    'too long': () => handshake('a'.repeat(5000)),
    expired: async () => handshake(await mintToken({ exp: seconds() - 120 })),
    'without expiry': async () => handshake(await mintToken({ exp: undefined })),
    'not valid yet': async () => handshake(await mintToken({ nbf: seconds() + 600 })),
    'for another audience': async () => handshake(await mintToken({ aud: 'elsewhere' })),
    'for a service': async () => handshake(await mintToken({ aud: 'bedside-service' })),
    'signed with another key': async () => handshake(await mintToken({}, { secret: OTHER_SECRET })),
    'with an unknown kid': async () => handshake(await mintToken({}, { kid: 'k9' })),
    'of an unknown tenant': async () => handshake(await mintToken({ iss: 'nobody' })),
    'of another tenant’s key': async () =>
      handshake(await mintToken({ iss: 'hospital' }, { kid: 'h1' })),
    'for another visit': async () => handshake(await mintToken({ visit: 'v2' })),
    'with an unknown role': async () => handshake(await mintToken({ role: 'king' })),
    'without a person': async () => handshake(await mintToken({ sub: undefined })),
    'with alg none': () => handshake(new UnsecuredJWT(payload()).encode()),
    'HS256 with the public key as secret': async () =>
      handshake(
        await new SignJWT(payload())
          .setProtectedHeader({ alg: 'HS256', kid: 'rsa-1' })
          .sign(new TextEncoder().encode(publicPem)),
      ),
    'HS512 with the right secret': async () =>
      handshake(
        await new SignJWT({ ...payload(), iss: 'clinic' })
          .setProtectedHeader({ alg: 'HS512', kid: 'k1' })
          .sign(new TextEncoder().encode(SECRET.repeat(3))),
      ),
    'RS256 of a tenant without public keys': async () => handshake(await rs256({ iss: 'clinic' })),
    'from an origin that is not the tenant’s': async () =>
      handshake(await mintToken({ iss: 'fenced' }, { kid: 'f1', secret: FENCED_SECRET })),
  };

  const expected = {
    message: 'unauthorized',
    data: {
      code: 'unauthorized',
      kind: 'user',
      retryable: false,
      message: 'This link is not valid any more. Open the visit again from your portal.',
    },
  };

  test.each(Object.keys(bad))('%s', async (name) => {
    const auth = (await bad[name]?.()) ?? {};
    const socket = clientOf(running.url, auth, {
      headers: { origin: 'https://elsewhere.example.org' },
    });
    expect(await refusal(socket)).toEqual(expected);
    expect(running.visits.pages).toHaveLength(0);
  });

  test('the same token without the visit in the query', async () => {
    const socket = clientOf(running.url, handshake(await mintToken()), { visit: '' });
    expect(await refusal(socket)).toEqual(expected);
  });
});

test('a version that we do not speak is named as such', async () => {
  const socket = clientOf(running.url, {
    token: await mintToken(),
    versions: { min: 900, max: 901 },
  });
  expect(await refusal(socket)).toMatchObject({ data: { code: 'unsupported-version' } });
});

test('a handshake of the wrong shape names the field', async () => {
  const socket = clientOf(running.url, { token: await mintToken(), versions: { min: 'one' } });
  expect(await refusal(socket)).toMatchObject({
    data: { code: 'invalid-request', field: 'versions.min' },
  });
});

test('what the visit sends while a page connects comes after welcome', async () => {
  running.visits.beforeConnect = async (_identity, link) =>
    link.send('speaker', { participantId: null });
  const order: string[] = [];
  const socket = clientOf(running.url, handshake(await mintToken()));
  socket.onAny((name: string) => order.push(name));
  const speaker = eventOf(socket, 'speaker');
  socket.connect();
  await speaker;
  expect(order).toEqual(['welcome', 'speaker']);
  socket.disconnect();
});

test('consumers are acknowledged by the page, and not by one that is gone', async () => {
  const { socket } = await join(running);
  const page = running.visits.pageOf('p1');
  const nothing = { added: [], removed: [], updated: [] };
  socket.once('consumers', (_payload: unknown, ack: () => void) => ack());
  expect(await page?.link.sendConsumers(nothing)).toBe(true);
  const pending = page?.link.sendConsumers(nothing);
  socket.disconnect();
  expect(await pending).toBe(false);
  expect(await page?.link.sendConsumers(nothing)).toBe(false);
});

test('a socket that goes is reported once', async () => {
  const { socket } = await join(running);
  socket.disconnect();
  await vi.waitFor(() => expect(running.visits.pageOf('p1')?.disconnects).toBe(1));
});

test('close() tells the page why before it closes', async () => {
  const { socket } = await join(running);
  const closing = eventOf(socket, 'closing');
  const gone = eventOf(socket, 'disconnect');
  running.visits.pageOf('p1')?.link.close('replaced');
  expect(await closing).toEqual({ reason: 'replaced' });
  await gone;
});

describe('renew-token', () => {
  const ask = (socket: Awaited<ReturnType<typeof join>>['socket'], token: string) =>
    socket.timeout(5000).emitWithAck('renew-token', { requestId: 'r1', token });

  test('takes a fresh token of the same person, visit and role', async () => {
    const { socket } = await join(running, { exp: seconds() + 60 });
    const fresh = { exp: seconds() + 600, name: 'Ana', grants: ['publish-audio'] };
    const answer = await ask(socket, await mintToken(fresh));
    expect(answer).toMatchObject({ ok: true, data: { grants: ['publish-audio'] } });
    expect(running.visits.pageOf('p1')?.identity).toMatchObject({
      name: 'Ana',
      grants: ['publish-audio'],
    });
    expect(answer.data.expiresInMs).toBeGreaterThan(60_000);
    socket.disconnect();
  });

  test.each([
    ['person', { sub: 'p2' }, undefined],
    ['visit', { visit: 'v2' }, undefined],
    ['role', { role: 'provider' }, undefined],
    ['tenant', { iss: 'hospital' }, { kid: 'h1', secret: HOSPITAL_SECRET }],
  ])('refuses one of another %s, and the socket stays', async (_name, claims, key) => {
    const { socket } = await join(running);
    const before = running.visits.pageOf('p1')?.identity;
    expect(await ask(socket, await mintToken(claims, key))).toMatchObject({
      ok: false,
      error: { code: 'unauthorized' },
    });
    expect(socket.connected).toBe(true);
    expect(running.visits.pageOf('p1')?.identity).toBe(before);
    socket.disconnect();
  });

  test('a token that is not renewed ends the socket', async () => {
    // Almost at the end of its 30 s of skew.
    const { socket } = await join(running, { exp: seconds() - 28 });
    expect(await eventOf(socket, 'closing')).toEqual({ reason: 'token-expired' });
  });
});

test('SIGTERM’s stop() tells every page to come back, and refuses new ones', async () => {
  const { socket } = await join(running);
  const closing = eventOf<{ reason: string; retryAfterMs: number }>(socket, 'closing');
  const stopped = running.stop();
  expect(await closing).toMatchObject({
    reason: 'shutting-down',
    retryAfterMs: expect.any(Number),
  });
  await stopped;
  expect(running.visits.stopped).toBe(1);
  const late = clientOf(running.url, handshake(await mintToken()));
  expect((await refusal(late)).data).toBeUndefined();
});

test('a gateway that is stopped while it starts lets nobody in', async () => {
  const begun = Promise.withResolvers<void>();
  const ready = Promise.withResolvers<void>();
  const visits = Object.assign(new FakeVisits(), {
    start() {
      begun.resolve();
      return ready.promise;
    },
  });
  const gateway = createGateway(testConfig({ BEDSIDE_LOG_LEVEL: 'silent' }), {
    core: { visits, clinics: new FakeDoor() },
  });
  const started = gateway.start();
  await begun.promise;
  await gateway.stop();
  ready.resolve();
  await started;
  expect(() => gateway.address()).toThrow('has not started');
});

test('requests of connections that are kept alive are told that the gateway stops', async () => {
  const stopped = Promise.withResolvers<void>();
  running.visits.stop = () => stopped.promise;
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const ask = () =>
    new Promise<number | undefined>((resolve, reject) => {
      get(`${running.url}/v1/openapi.json`, { agent }, (answer) => {
        answer.resume().once('end', () => resolve(answer.statusCode));
      }).once('error', reject);
    });
  expect(await ask()).toBe(200);
  const stopping = running.stop();
  expect(await ask()).toBe(503);
  stopped.resolve();
  await stopping;
  agent.destroy();
});
