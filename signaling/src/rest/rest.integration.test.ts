import { once } from 'node:events';
import { connect } from 'node:net';
import { BedsideError, type GatewayId, SERVICE_AUDIENCE } from '@bedside/protocol';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { API_KEY, mintToken, type Running, startGateway } from '../../test/harness.ts';

let running: Running;
beforeAll(async () => {
  running = await startGateway();
});
afterAll(async () => {
  await running.stop();
});

const call = async (
  method: string,
  path: string,
  options: { key?: string; body?: string } = {},
) => {
  const response = await fetch(`${running.url}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${options.key ?? API_KEY}`,
      'content-type': 'application/json',
    },
    ...(options.body === undefined ? {} : { body: options.body }),
  });
  const text = await response.text();
  return {
    status: response.status,
    type: response.headers.get('content-type'),
    headers: response.headers,
    body: text === '' ? undefined : JSON.parse(text),
  };
};

test('a visit is created, created again, read and ended', async () => {
  const body = JSON.stringify({ visit: 'rest-1' });
  const created = await call('POST', '/v1/visits', { body });
  expect(created).toMatchObject({
    status: 201,
    type: 'application/json',
    body: { visit: 'rest-1', kind: 'visit', state: 'open' },
  });
  expect(created.headers.get('location')).toBe('/v1/visits/rest-1');
  expect((await call('POST', '/v1/visits', { body })).status).toBe(200);
  expect(await call('GET', '/v1/visits/rest-1')).toMatchObject({
    status: 200,
    body: { visit: 'rest-1' },
  });
  expect(await call('POST', '/v1/visits/rest-1/end')).toMatchObject({
    status: 200,
    body: { state: 'ended' },
  });
});

test('a service JWT of the tenant does as well as an API key', async () => {
  const key = await mintToken({ aud: SERVICE_AUDIENCE });
  expect((await call('POST', '/v1/visits', { key, body: '{"visit":"rest-2"}' })).status).toBe(201);
});

test('a tenant does not see another’s visits', async () => {
  await call('POST', '/v1/visits', { body: '{"visit":"rest-3"}' });
  const answer = await call('GET', '/v1/visits/rest-3', { key: 'api-key-of-the-hospital-tests' });
  expect(answer).toMatchObject({
    status: 404,
    type: 'application/problem+json',
    body: { code: 'not-found' },
  });
});

test('wrong keys, client tokens and no key get the same problem', async () => {
  const answers = await Promise.all([
    call('GET', '/v1/visits/rest-1', { key: 'wrong-key-wrong-key-wrong-key' }),
    call('GET', '/v1/visits/rest-1', { key: await mintToken() }),
    call('GET', '/v1/visits/rest-1', { key: '' }),
    call('GET', '/v1/visits/no-such-visit', { key: 'x' }),
  ]);
  for (const answer of answers) {
    expect(answer.status).toBe(401);
    expect(answer.body).toEqual(answers[0]?.body);
    expect(answer.headers.get('www-authenticate')).toBe('Bearer');
  }
});

test.each([
  ['no JSON', '{', 'body'],
  ['no visit', '{}', 'visit'],
  ['an id with a slash', '{"visit":"a/b"}', 'visit'],
  ['an unknown kind', '{"visit":"a","kind":"party"}', 'kind'],
  ['a misspelt field', '{"visit":"a","noShowAfterMins":5}', 'noShowAfterMins'],
  ['a body that is too long', JSON.stringify({ visit: 'x'.repeat(20_000) }), 'body'],
])('%s is a problem that names the field', async (_name, body, field) => {
  expect(await call('POST', '/v1/visits', { body })).toMatchObject({
    status: 400,
    type: 'application/problem+json',
    body: { code: 'invalid-request', field },
  });
});

test('a wait with a field that there is not is a problem that names it, and nothing is shared', async () => {
  await call('POST', '/v1/visits', { body: '{"visit":"rest-5"}' });
  expect(
    await call('PUT', '/v1/visits/rest-5/wait', { body: '{"ahead":1,"expected":"soon"}' }),
  ).toMatchObject({ status: 400, body: { code: 'invalid-request', field: 'expected' } });
});

test('the same visit with another kind is a conflict', async () => {
  await call('POST', '/v1/visits', { body: '{"visit":"rest-4"}' });
  expect(
    await call('POST', '/v1/visits', { body: '{"visit":"rest-4","kind":"group"}' }),
  ).toMatchObject({ status: 409, body: { code: 'conflict' } });
});

test('what is not there is a problem too', async () => {
  expect(await call('GET', '/v1/nothing')).toMatchObject({
    status: 404,
    body: { code: 'not-found' },
  });
  expect(await call('DELETE', '/v1/visits/rest-1')).toMatchObject({
    status: 404,
    body: { code: 'not-found' },
  });
});

test('requests over the rate of an address are told how long to wait, without a look at the key', async () => {
  const tight = await startGateway({
    BEDSIDE_REST_BURST: '3',
    BEDSIDE_REST_REQUESTS_PER_SECOND: '1',
  });
  try {
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => fetch(`${tight.url}/v1/visits/rest-1`)),
    );
    const limited = answers.filter(({ status }) => status === 429);
    expect(limited.length).toBeGreaterThanOrEqual(4);
    for (const answer of limited) {
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
      expect(await answer.json()).toMatchObject({ code: 'rate-limited', retryable: true });
    }
  } finally {
    await tight.stop();
  }
});

test('a fault of ours is a problem without its text, and logged once', async () => {
  const read = running.visits.read;
  running.visits.read = async () => {
    throw new TypeError('marked-fault "marked-visit"');
  };
  const answer = await call('GET', '/v1/visits/rest-1');
  running.visits.read = read;
  expect(answer).toMatchObject({ status: 500, body: { code: 'internal' } });
  expect(JSON.stringify(answer.body)).not.toContain('marked');
  expect(running.logged().match(/request failed/g)).toHaveLength(1);
  expect(running.logged()).not.toContain('marked-visit');
});

test('what another gateway has is asked for there, once', async () => {
  const { end } = running.visits;
  running.visits.end = async () => {
    throw new BedsideError('moved', { gateway: 'gateway-2' as GatewayId, retryAfterMs: 1_000 });
  };
  try {
    const end = (query: string) =>
      fetch(`${running.url}/v1/visits/rest-1/end${query}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${API_KEY}` },
        redirect: 'manual',
      });
    const sent = await end('');
    expect([sent.status, sent.headers.get('location')]).toEqual([
      307,
      '/v1/visits/rest-1/end?gateway=gateway-2',
    ]);
    expect((await end('?gateway=gateway-2')).status).toBe(409);
  } finally {
    running.visits.end = end;
  }
});

test('ids in a path are decoded once, and what is no id is refused', async () => {
  await call('POST', '/v1/visits', { body: '{"visit":"a~b:c"}' });
  expect(await call('GET', '/v1/visits/a~b%3Ac')).toMatchObject({ status: 200 });
  for (const path of ['a%252F', 'a%2Fb', 'a%00', '%ZZ', '..%2F..', 'x'.repeat(200)]) {
    expect(await call('GET', `/v1/visits/${path}`), path).toMatchObject({
      status: 400,
      body: { code: 'invalid-request', field: 'visit' },
    });
  }
});

test('a client that goes before its body is whole ends nothing', async () => {
  const { hostname, port } = new URL(running.url);
  const socket = connect(Number(port), hostname);
  socket.write(
    `POST /v1/visits HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${API_KEY}\r\nContent-Length: 1000\r\n\r\n{"visit":`,
  );
  await once(socket, 'connect');
  socket.destroy();
  await once(socket, 'close');
  expect((await call('GET', '/v1/visits/rest-1')).status).toBe(200);
});

test('a client that goes before the answer ends nothing', async () => {
  const read = running.visits.read.bind(running.visits);
  let release = () => {};
  const reached = new Promise<void>((arrived) => {
    running.visits.read = (tenant, visit) => {
      arrived();
      return new Promise((resolve) => {
        release = () => resolve(read(tenant, visit));
      });
    };
  });
  const { hostname, port } = new URL(running.url);
  const socket = connect(Number(port), hostname, () => {
    socket.write(
      `GET /v1/visits/rest-1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${API_KEY}\r\n\r\n`,
    );
  });
  await reached;
  socket.destroy();
  await once(socket, 'close');
  running.visits.read = read;
  // By the time that another request was answered, the gateway knows that the first one is gone.
  expect((await call('GET', '/v1/visits/rest-1')).status).toBe(200);
  release();
  expect((await call('GET', '/v1/visits/rest-1')).status).toBe(200);
});

test('the OpenAPI document is served to everybody and its references lead somewhere', async () => {
  const response = await fetch(`${running.url}/v1/openapi.json`);
  const document = await response.json();
  expect(document.openapi).toBe('3.1.0');
  expect(Object.keys(document.paths)).toEqual([
    '/v1/visits',
    '/v1/visits/{visit}',
    '/v1/visits/{visit}/evidence',
    '/v1/visits/{visit}/events',
    '/v1/visits/{visit}/wait',
    '/v1/visits/{visit}/end',
  ]);
  const names = [...JSON.stringify(document).matchAll(/#\/components\/schemas\/(\w+)/g)].map(
    (match) => match[1],
  );
  expect(names.length).toBeGreaterThan(0);
  for (const name of names) expect(document.components.schemas).toHaveProperty(name as string);
});

test('CORS answers a preflight', async () => {
  const response = await fetch(`${running.url}/v1/visits`, {
    method: 'OPTIONS',
    headers: { origin: 'https://portal.example.org' },
  });
  expect(response.status).toBe(204);
  expect(response.headers.get('access-control-allow-origin')).toBe('*');
  expect(response.headers.get('access-control-allow-methods')).toBe('GET, POST, PUT');
});

test('requests are counted by route, never by visit', async () => {
  await call('GET', '/v1/visits/marked-visit');
  const metrics = await (await fetch(`${running.opsUrl}/metrics`)).text();
  expect(metrics).toContain(
    'bedside_gateway_rest_requests_total{route="/v1/visits/{visit}",status="404"}',
  );
  expect(metrics).not.toContain('marked-visit');
});

test('/livez is up without Redis or nodes; /readyz says what is missing', async () => {
  running.visits.ready = { ready: false, reasons: ['redis'] };
  expect((await fetch(`${running.opsUrl}/livez`)).status).toBe(200);
  const readiness = await fetch(`${running.opsUrl}/readyz`);
  expect(readiness.status).toBe(503);
  expect(await readiness.json()).toEqual({ ready: false, reasons: ['redis'] });
  expect((await fetch(`${running.opsUrl}/readyz?unready=404`)).status).toBe(404);
  running.visits.ready = { ready: true, reasons: [] };
  await vi.waitFor(async () => expect((await fetch(`${running.opsUrl}/readyz`)).status).toBe(200));
});
