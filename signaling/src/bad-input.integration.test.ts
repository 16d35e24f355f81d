import { once } from 'node:events';
import { connect } from 'node:net';
import { BedsideError, LIMITS } from '@bedside/protocol';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  clientOf,
  eventOf,
  HOSPITAL_SECRET,
  handshake,
  join,
  mintToken,
  type Running,
  startGateway,
} from '../test/harness.ts';
import { RawClient, upgradeStatus } from '../test/raw-client.ts';
import type { Environment } from './config.ts';

let running: Running;
/** A page in a visit of another tenant. Each test ends with the proof that it noticed nothing. */
let bystander: Client;

async function start(environment: Environment = {}): Promise<void> {
  running = await startGateway(environment);
  const token = await mintToken(
    { iss: 'hospital', visit: 'v9', sub: 'bystander' },
    { kid: 'h1', secret: HOSPITAL_SECRET },
  );
  bystander = clientOf(running.url, handshake(token), { visit: 'v9' });
  const welcome = eventOf(bystander, 'welcome');
  bystander.connect();
  await welcome;
}

async function restart(environment: Environment): Promise<void> {
  await running.stop();
  await start(environment);
}

beforeEach(() => start());
afterEach(async () => {
  await stillServed(bystander);
  expect(running.visits.pageOf('bystander')?.disconnects).toBe(0);
  await running.stop();
});

type Client = Awaited<ReturnType<typeof join>>['socket'];
const ask = (socket: Client, name: string, ...args: unknown[]) =>
  socket.timeout(5000).emitWithAck(name, ...args);
/** Proof that the socket, and the process, still work. */
const stillServed = async (socket: Client) =>
  expect(await ask(socket, 'leave', { requestId: 'x' })).toEqual({ ok: true, data: {} });

/** A page of `v1` that can send anything. */
async function joinRaw(): Promise<RawClient> {
  const client = await RawClient.join(running.url, handshake(await mintToken()));
  client.answersPings = true;
  return client;
}
/** The same proof for such a page. */
async function stillServedRaw(client: RawClient): Promise<void> {
  client.send('4277["leave",{"requestId":"x"}]');
  await client.hear(/^4377\[\{"ok":true/);
}
const counted = async (metric: string) => {
  const text = await (await fetch(`${running.opsUrl}/metrics`)).text();
  const line = text.split('\n').find((line) => line.startsWith(`bedside_gateway_${metric} `));
  return Number(line?.split(' ').at(-1) ?? 0);
};

describe('a request of the wrong shape names the field and the socket stays', () => {
  test.each<[string, string, unknown, string]>([
    ['nothing', 'leave', undefined, '(root)'],
    ['null', 'leave', null, '(root)'],
    ['a string', 'leave', 'leave', '(root)'],
    ['no request id', 'leave', {}, 'requestId'],
    ['an id with a line break', 'leave', { requestId: 'a\nb' }, 'requestId'],
    [
      'a string for a list',
      'prefer-consumers',
      { requestId: 'r', preferences: 'all' },
      'preferences',
    ],
    [
      'one wrong item',
      'prefer-consumers',
      { requestId: 'r', preferences: [{ consumerId: 'c', paused: 'yes' }] },
      'preferences.0.paused',
    ],
    ['a missing id', 'pause-producer', { requestId: 'r', paused: true }, 'producerId'],
    [
      'too many codecs',
      'join',
      {
        requestId: 'r',
        rtpCapabilities: {
          codecs: Array(LIMITS.codecs + 1).fill({
            kind: 'audio',
            mimeType: 'audio/opus',
            clockRate: 48_000,
          }),
        },
      },
      'rtpCapabilities.codecs',
    ],
  ])('%s', async (_name, command, request, field) => {
    const { socket } = await join(running);
    const answer =
      request === undefined ? await ask(socket, command) : await ask(socket, command, request);
    expect(answer).toMatchObject({ ok: false, error: { code: 'invalid-request', field } });
    expect(running.visits.pageOf('p1')?.commands).toEqual([]);
    await stillServed(socket);
    socket.disconnect();
  });
});

test.each(['error', 'welcome', '__proto__', 'constructor', 'toString', 'no-such-thing'])(
  'the event %s is an unknown command, and the socket stays',
  async (name) => {
    const { socket } = await join(running);
    expect(await ask(socket, name, { requestId: 'r' })).toMatchObject({
      ok: false,
      error: { code: 'unknown-command' },
    });
    await stillServed(socket);
    socket.disconnect();
  },
);

test('events without an acknowledgement are not carried out and harm nobody', async () => {
  const { socket } = await join(running);
  for (const name of ['end', 'error', 'nothing']) socket.emit(name, { requestId: 'r' });
  socket.emit('end');
  await stillServed(socket);
  expect(running.visits.pageOf('p1')?.commands.map(({ name }) => name)).toEqual(['leave']);
  socket.disconnect();
});

test('ids of others are answered as the visit answers, and the socket stays', async () => {
  running.visits.answer = async (name) => {
    if (name === 'close-producer') throw new BedsideError('not-found');
    return {};
  };
  const { socket } = await join(running);
  expect(
    await ask(socket, 'close-producer', { requestId: 'r', producerId: 'of-somebody-else' }),
  ).toMatchObject({ ok: false, error: { code: 'not-found' } });
  await stillServed(socket);
  socket.disconnect();
});

test('a fault of ours is answered as internal, without its text, and logged once', async () => {
  running.visits.answer = async (name) => {
    if (name === 'end') throw new TypeError('marked-fault "marked-name"');
    return {};
  };
  const { socket } = await join(running);
  const answer = await ask(socket, 'end', { requestId: 'r' });
  expect(answer).toMatchObject({ ok: false, error: { code: 'internal' } });
  expect(JSON.stringify(answer)).not.toContain('marked');
  expect(running.logged().match(/command failed/g)).toHaveLength(1);
  expect(running.logged()).not.toContain('marked-name');
  await stillServed(socket);
  socket.disconnect();
});

describe('a message over 64 KB is cut with its socket', () => {
  const large = JSON.stringify(['leave', { requestId: 'r', filler: 'x'.repeat(65_536) }]);

  test('in one frame', async () => {
    const client = await joinRaw();
    client.send(`421${large}`);
    await client.closed;
  });

  test('in parts', async () => {
    const client = await joinRaw();
    const middle = large.length / 2;
    client.send(`421${large.slice(0, middle)}`, { last: false });
    client.send(large.slice(middle), { first: false });
    await client.closed;
    expect(running.visits.pageOf('p1')?.commands).toEqual([]);
  });
});

test('commands over the rate are refused with a time to wait, and the socket stays', async () => {
  const { socket } = await join(running);
  const answers = await Promise.all(
    Array.from({ length: 90 }, (_, i) => ask(socket, 'leave', { requestId: `r${i}` })),
  );
  const refused = answers.filter((answer) => !answer.ok);
  expect(refused.length).toBeGreaterThan(0);
  for (const answer of refused) {
    expect(answer.error).toMatchObject({
      code: 'rate-limited',
      retryable: true,
      retryAfterMs: expect.any(Number),
    });
  }
  expect(socket.connected).toBe(true);
  socket.disconnect();
});

describe('a flood is cut', () => {
  test('of commands', async () => {
    const client = await joinRaw();
    for (let i = 0; i < 2000; i += 1) client.send(`42${i}["leave",{"requestId":"r${i}"}]`);
    expect(await client.closed).toBe(1008);
    expect(await counted('closes_total{reason="flood"}')).toBe(1);
  });

  test('before anybody has said who they are', async () => {
    const client = await RawClient.open(running.url);
    for (let i = 0; i < 2000; i += 1) client.send('40/elsewhere,{}');
    expect(await client.closed).toBe(1008);
  });

  test('of frames that are no commands', async () => {
    const client = await joinRaw();
    for (let i = 0; i < 2000; i += 1) client.send('3');
    expect(await client.closed).toBe(1008);
  });
});

test('commands under way are bounded', async () => {
  const open: Array<() => void> = [];
  await restart({ BEDSIDE_SOCKET_COMMAND_BURST: '200' });
  running.visits.answer = (_name, _request, page) =>
    page === running.visits.pageOf('p1')
      ? new Promise((resolve) => open.push(() => resolve({})))
      : Promise.resolve({});
  const { socket } = await join(running);
  const answers = Array.from({ length: 65 }, (_, i) =>
    ask(socket, 'leave', { requestId: `r${i}` }),
  );
  expect(await Promise.race(answers)).toMatchObject({ ok: false, error: { code: 'rate-limited' } });
  for (const resolve of open) resolve();
  expect((await Promise.all(answers)).filter((answer) => answer.ok)).toHaveLength(64);
  socket.disconnect();
});

describe('connections over the rate of an address are refused before any work is done', () => {
  const TIGHT = {
    BEDSIDE_ADDRESS_CONNECTION_BURST: '2',
    BEDSIDE_ADDRESS_CONNECTIONS_PER_SECOND: '1',
  };
  const statusesFrom = (addresses: string[]) =>
    Promise.all(
      addresses.map((address) =>
        upgradeStatus(running.url, { headers: { 'X-Forwarded-For': address } }),
      ),
    );
  const twelve = Array.from({ length: 12 }, (_, i) => `198.51.100.${i}`);
  const refusedOf = (statuses: number[]) => statuses.filter((status) => status === 429).length;

  test('and an address that a client makes up is none', async () => {
    await restart(TIGHT);
    const statuses = await statusesFrom(twelve);
    expect(refusedOf(statuses)).toBeGreaterThanOrEqual(9);
    expect(statuses).toContain(101);
  });

  test('each by itself behind a proxy that is trusted', async () => {
    await restart({ ...TIGHT, BEDSIDE_TRUSTED_PROXIES: '127.0.0.1' });
    expect(refusedOf(await statusesFrom(twelve))).toBe(0);
    expect(refusedOf(await statusesFrom(Array(12).fill('203.0.113.1')))).toBeGreaterThanOrEqual(9);
  });
});

test('sockets that have not said who they are count to the limit of the process', async () => {
  await restart({ BEDSIDE_MAX_SOCKETS: '3' });
  const [first] = await Promise.all([RawClient.open(running.url), RawClient.open(running.url)]);
  expect(await upgradeStatus(running.url)).toBe(503);
  first.tcp.end();
  await vi.waitFor(async () => expect(await upgradeStatus(running.url)).toBe(101));
});

test('connections over the rate of a tenant are told so', async () => {
  await restart({
    BEDSIDE_TENANT_CONNECTION_BURST: '1',
    BEDSIDE_TENANT_CONNECTIONS_PER_SECOND: '1',
  });
  const { socket } = await join(running);
  const second = clientOf(running.url, handshake(await mintToken({ sub: 'p2' })));
  const error = eventOf<{ data: unknown }>(second, 'connect_error');
  second.connect();
  expect((await error).data).toMatchObject({
    code: 'rate-limited',
    retryAfterMs: expect.any(Number),
  });
  socket.disconnect();
});

test('a client that does not read is closed, and its page may resume', async () => {
  await restart({ BEDSIDE_MAX_BACKPRESSURE_BYTES: '65536' });
  const client = await joinRaw();
  const page = running.visits.pageOf('p1');
  client.tcp.pause();
  const filler = Array.from({ length: 100 }, (_, i) => ({
    participantId: `${i}-${'x'.repeat(100)}`,
    level: 1,
  }));
  await vi.waitFor(
    async () => {
      for (let i = 0; i < 100; i += 1)
        page?.link.send('quality', { participants: filler as never });
      await stillServed(bystander);
      expect(page?.disconnects).toBe(1);
    },
    { timeout: 10_000, interval: 20 },
  );
  client.tcp.destroy();
});

test('twenty clients that drop their connection in mid-handshake end nothing', async () => {
  await Promise.all(
    Array.from({ length: 20 }, async (_, i) => {
      const socket = clientOf(running.url, handshake(await mintToken({ sub: `q${i}` })));
      running.visits.beforeConnect = () => new Promise((resolve) => setTimeout(resolve, 20));
      socket.connect();
      await new Promise<void>((resolve) => {
        socket.io.engine.once('open', () => {
          socket.io.engine.close();
          resolve();
        });
      });
    }),
  );
  const { socket } = await join(running);
  await stillServed(socket);
  socket.disconnect();
  await vi.waitFor(() =>
    expect(running.visits.pages.filter((page) => page.disconnects === 0)).toEqual([
      running.visits.pageOf('bystander'),
    ]),
  );
});

describe('packets that no proper client sends cut the socket', () => {
  test.each<[string, string | Buffer]>([
    ['an empty frame', ''],
    ['a ping of the client', '2'],
    ['an empty message', '4'],
    ['an unknown type', '49'],
    ['a frame of an unknown type', '9'],
    ['an event without a name', '42[]'],
    ['an event that is no list', '42{}'],
    ['an event of no JSON', '421["leave",{"requestId":'],
    ['an event with a negative id', '42-1["leave",{"requestId":"x"}]'],
    ['a reserved name', '421["connect",{"requestId":"x"}]'],
    ['another reserved name', '421["disconnecting",{"requestId":"x"}]'],
    ['an event in a namespace that is not there', '42/admin,1["leave",{"requestId":"x"}]'],
    ['the end of a namespace that is not there', '41/admin,'],
    ['the end of the namespace', '41'],
    ['a second CONNECT', '40{"token":"another guess"}'],
    ['an error', '44{"message":"x"}'],
    ['an event with a billion attachments', '45999999999-["leave"]'],
    ['an event with attachments that are not said', '45-["leave"]'],
    ['an attachment of nothing', Buffer.from('attachment')],
  ])('%s', async (_name, packet) => {
    const client = await joinRaw();
    client.send(packet);
    await client.closed;
    const page = running.visits.pageOf('p1');
    await vi.waitFor(() => expect(page?.disconnects).toBe(1));
    expect(page?.commands).toEqual([]);
  });

  test('text in place of an attachment', async () => {
    const client = await joinRaw();
    client.send('451-1["leave",{"_placeholder":true,"num":0}]');
    client.send('421["leave",{"requestId":"x"}]');
    await client.closed;
  });
});

describe('packets that mean nothing here are harmless', () => {
  test.each([
    ['a pong that nobody waits for', '3'],
    ['an upgrade of the transport', '5'],
    ['a noop', '6'],
    ['an opening', '0{"sid":"x"}'],
    ['a closing', '1'],
    ['an acknowledgement that nobody waits for', '4399[{"ok":true}]'],
    ['an acknowledgement without an id', '43[]'],
    ['an event without data', '42'],
  ])('%s', async (_name, packet) => {
    const client = await joinRaw();
    client.send(packet);
    await stillServedRaw(client);
    client.tcp.destroy();
  });

  test('a namespace that is not there is refused', async () => {
    const client = await joinRaw();
    client.send(`40/admin,${JSON.stringify(handshake(await mintToken()))}`);
    expect(await client.hear(/^44/)).toBe('44/admin,{"message":"Invalid namespace"}');
    await stillServedRaw(client);
    client.tcp.destroy();
  });

  test.each([
    ['binary data', '451-1["leave",{"_placeholder":true,"num":0}]', Buffer.from('attachment')],
    ['data that is nested deep', `421["leave",${'['.repeat(30_000)}${']'.repeat(30_000)}]`],
    ['a name that is no text', '421[7,{"requestId":"x"}]'],
  ])('a command with %s is answered with an error', async (_name, ...packets) => {
    const client = await joinRaw();
    for (const packet of packets) client.send(packet);
    expect(await client.hear(/^431\[/)).toMatch(/"code":"(invalid-request|unknown-command)"/);
    await stillServedRaw(client);
    client.tcp.destroy();
  });
});

test('one connection is one guess at a token', async () => {
  const client = await RawClient.open(running.url);
  // In one packet, so that none waits for the answer to the one before.
  client.tcp.cork();
  for (const token of ['a', 'b', 'c']) client.send(`40${JSON.stringify(handshake(token))}`);
  client.tcp.uncork();
  await client.closed;
  expect(client.received.filter((message) => message.startsWith('44')).length).toBeLessThan(2);
  expect(await counted('token_failures_total{reason="malformed"}')).toBe(1);
});

test('connections that fall silent are closed, wherever they stand', async () => {
  const { hostname, port } = new URL(running.url);
  const tcp = (text: string) => {
    const socket = connect(Number(port), hostname, () => socket.write(text));
    return once(socket.resume(), 'close');
  };
  const unconnected = await RawClient.open(running.url);
  const elsewhere = await RawClient.open(running.url);
  elsewhere.send('40/admin,{}');
  for (const client of [unconnected, elsewhere]) client.answersPings = true;
  // Half open: nobody answers.
  const welcomed = await joinRaw();
  welcomed.answersPings = false;
  await Promise.all([
    tcp(''),
    tcp('GET /socket.io/?EIO=4 HTTP/1.1\r\nHost: x\r\n'),
    tcp(`POST /v1/visits HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{"visit":`),
    unconnected.closed,
    elsewhere.closed,
    welcomed.closed,
  ]);
  expect(running.visits.pageOf('p1')?.disconnects).toBe(1);
});

describe('whatever is not a WebSocket of version 4 is refused', () => {
  test.each(['GET', 'POST', 'PUT', 'DELETE', 'OPTIONS'])('long polling by %s', async (method) => {
    const path = '/socket.io/?EIO=4&transport=polling&visit=v1';
    expect((await fetch(running.url + path, { method })).status).toBe(400);
  });

  test.each([
    'EIO=3&transport=websocket',
    'EIO=4&transport=polling',
    'EIO=4&transport=webtransport',
    'EIO=4',
    '',
  ])('an upgrade with %j', async (query) => {
    expect(await upgradeStatus(running.url, { query })).toBe(400);
  });

  test('a second connection for a session, and a plain request of it', async () => {
    const client = await joinRaw();
    const query = `EIO=4&transport=websocket&visit=v1&sid=${client.sid}`;
    expect(await upgradeStatus(running.url, { query })).toBe(400);
    expect((await fetch(`${running.url}/socket.io/?${query}`)).status).toBe(400);
    await stillServedRaw(client);
    client.tcp.destroy();
  });
});

test('an origin that is not allowed is refused at the upgrade', async () => {
  await restart({ BEDSIDE_ALLOWED_ORIGINS: 'https://portal.example.org' });
  expect(
    await upgradeStatus(running.url, { headers: { Origin: 'https://elsewhere.example.org' } }),
  ).toBe(403);
  expect(
    await upgradeStatus(running.url, { headers: { Origin: 'https://portal.example.org' } }),
  ).toBe(101);
});
