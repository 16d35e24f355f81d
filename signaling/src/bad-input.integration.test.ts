import { connect } from 'node:net';
import { BedsideError, LIMITS } from '@bedside/protocol';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  clientOf,
  eventOf,
  handshake,
  join,
  mintToken,
  type Running,
  startGateway,
} from '../test/harness.ts';

let running: Running;
beforeEach(async () => {
  running = await startGateway();
});
afterEach(async () => {
  await running.stop();
});

type Client = Awaited<ReturnType<typeof join>>['socket'];
const ask = (socket: Client, name: string, ...args: unknown[]) =>
  socket.timeout(5000).emitWithAck(name, ...args);
/** Proof that the socket, and the process, still work. */
const stillServed = async (socket: Client) =>
  expect(await ask(socket, 'leave', { requestId: 'x' })).toEqual({ ok: true, data: {} });

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

test('a message over 64 KB is cut with its socket; others do not notice', async () => {
  const { socket } = await join(running);
  const { socket: other } = await join(running, { sub: 'p2' });
  const gone = eventOf(socket, 'disconnect');
  socket.emit('leave', { requestId: 'r', filler: 'x'.repeat(LIMITS.clientMessageBytes + 1) });
  await gone;
  await stillServed(other);
  other.disconnect();
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

test('a flood is cut; others do not notice', async () => {
  const { socket } = await join(running);
  const { socket: other } = await join(running, { sub: 'p2' });
  const gone = eventOf(socket, 'disconnect');
  for (let i = 0; i < 2000; i += 1) socket.emit('leave', { requestId: `r${i}` });
  await gone;
  await stillServed(other);
  other.disconnect();
});

test('commands under way are bounded', async () => {
  const open: Array<() => void> = [];
  await running.stop();
  running = await startGateway({ BEDSIDE_SOCKET_COMMAND_BURST: '200' });
  running.visits.answer = () => new Promise((resolve) => open.push(() => resolve({})));
  const { socket } = await join(running);
  const answers = Array.from({ length: 65 }, (_, i) =>
    ask(socket, 'leave', { requestId: `r${i}` }),
  );
  expect(await Promise.race(answers)).toMatchObject({ ok: false, error: { code: 'rate-limited' } });
  for (const resolve of open) resolve();
  expect((await Promise.all(answers)).filter((answer) => answer.ok)).toHaveLength(64);
  socket.disconnect();
});

test('connections over the rate of an address are refused before any work is done', async () => {
  await running.stop();
  running = await startGateway({
    BEDSIDE_ADDRESS_CONNECTION_BURST: '2',
    BEDSIDE_ADDRESS_CONNECTIONS_PER_SECOND: '1',
  });
  const statuses = await Promise.all(Array.from({ length: 12 }, () => fetchUpgrade(running.url)));
  expect(statuses.filter((status) => status === 429).length).toBeGreaterThanOrEqual(9);
  expect(statuses).toContain(101);
});

test('connections over the rate of a tenant are told so', async () => {
  await running.stop();
  running = await startGateway({
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
  await running.stop();
  running = await startGateway({ BEDSIDE_MAX_BACKPRESSURE_BYTES: '65536' });
  const { socket } = await join(running);
  const page = running.visits.pageOf('p1');
  const transport = socket.io.engine.transport as unknown as { ws: { _socket: { pause(): void } } };
  transport.ws._socket.pause();
  const filler = Array.from({ length: 100 }, (_, i) => ({
    participantId: `${i}-${'x'.repeat(100)}`,
    level: 1,
  }));
  await vi.waitFor(
    () => {
      for (let i = 0; i < 100; i += 1)
        page?.link.send('quality', { participants: filler as never });
      expect(page?.disconnects).toBe(1);
    },
    { timeout: 10_000, interval: 20 },
  );
  socket.disconnect();
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
    expect(running.visits.pages.every((page) => page.disconnects === 1)).toBe(true),
  );
});

test('long polling is refused', async () => {
  const response = await fetch(`${running.url}/socket.io/?EIO=4&transport=polling&visit=v1`);
  expect(response.status).toBe(400);
});

test('an origin that is not allowed is refused at the upgrade', async () => {
  await running.stop();
  running = await startGateway({ BEDSIDE_ALLOWED_ORIGINS: 'https://portal.example.org' });
  expect(await fetchUpgrade(running.url, 'Origin: https://elsewhere.example.org\r\n')).toBe(403);
  expect(await fetchUpgrade(running.url, 'Origin: https://portal.example.org\r\n')).toBe(101);
});

/** The status that a WebSocket upgrade is answered with. */
function fetchUpgrade(url: string, headers = ''): Promise<number> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => {
      socket.write(
        `GET /socket.io/?EIO=4&transport=websocket&visit=v1 HTTP/1.1\r\nHost: ${hostname}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n${headers}\r\n`,
      );
    });
    socket.once('data', (data) => {
      resolve(Number(/^HTTP\/1\.1 (\d+)/.exec(data.toString('latin1'))?.[1]));
      socket.destroy();
    });
    socket.once('error', reject);
  });
}
