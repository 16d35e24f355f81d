import { SUPPORTED_VERSIONS, type VisitId } from '@bedside/protocol';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FakeSocket } from '../testing/fake-socket.ts';
import { ClinicConnection } from './clinic-connection.ts';

const url = 'https://gateway';
const visit = 'v1' as VisitId;

const sockets: FakeSocket[] = [];
const states: string[] = [];
let tokens: number;
let synced: number;
let heard: unknown[];
let connection: ClinicConnection;

beforeEach(() => {
  vi.useFakeTimers();
  sockets.length = 0;
  states.length = 0;
  tokens = 0;
  synced = 0;
  heard = [];
  connection = new ClinicConnection(
    { url, clinic: 'c1', tokenProvider: () => `token-${++tokens}` },
    {
      sync: async () => {
        await connection.ask('watch-queue', {});
        synced += 1;
      },
      stateChanged: () => states.push(connection.life.state),
      events: { queue: (news) => void heard.push(news) },
    },
    (options) => {
      const socket = new FakeSocket(options);
      sockets.push(socket);
      return socket;
    },
  );
});

afterEach(() => {
  connection.close();
  vi.useRealTimers();
});

const socket = (): FakeSocket => sockets.at(-1) as FakeSocket;
const turn = () => vi.advanceTimersByTimeAsync(0);
const empty = { entries: [], stale: false };
const refusal = (code: string, retryable: boolean) => ({
  code,
  kind: retryable ? 'unavailable' : 'user',
  retryable,
  message: code,
});

/** The gateway's part of what the last socket does next. */
const welcomes = async (more: object = {}) => {
  socket().receive('welcome', {
    version: 1,
    participantId: 's1',
    grants: ['queue'],
    tokenExpiresInMs: 600_000,
    now: Date.now(),
    ...more,
  });
  await turn();
};
const answers = async (answer: unknown) => {
  socket().sent.at(-1)?.answer(answer);
  await turn();
};
const refuses = async (code: string, retryable: boolean) => {
  const error = Object.assign(new Error(code), { data: refusal(code, retryable) });
  socket().receive('connect_error', error);
  await turn();
};

async function connect(more: object = {}): Promise<void> {
  const connected = connection.connect();
  await turn();
  await welcomes(more);
  await answers({ ok: true, data: empty });
  await connected;
}

describe('ClinicConnection', () => {
  it('opens the clinic’s namespace by its id, and is connected once in step', async () => {
    await connect();
    expect(socket().options).toEqual({
      url: `${url}/clinic`,
      query: { clinic: 'c1' },
      auth: { token: 'token-1', versions: SUPPORTED_VERSIONS },
    });
    expect(states).toEqual(['connecting', 'connected']);
  });

  it('passes events on, and ignores those that are malformed', async () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
    await connect();
    socket().receive('queue', { entries: 'none' });
    socket().receive('queue', { ...empty, removed: ['v1'] });
    expect(heard).toEqual([{ ...empty, removed: ['v1'] }]);
    expect(warn).toHaveBeenCalledOnce();
  });

  it('knows the gateway’s clock, also after it was asked again on the same socket', async () => {
    await connect({ now: Date.now() + 90_000 });
    vi.setSystemTime(Date.now() + 10_000);
    expect(connection.now - Date.now()).toBe(90_000);
  });

  it('renews its token before it expires, without another socket', async () => {
    await connect({ tokenExpiresInMs: 100_000 });
    await vi.advanceTimersByTimeAsync(80_000);
    const { name, payload } = socket().sent.at(-1) ?? {};
    expect([name, payload?.token]).toEqual(['renew-token', 'token-2']);
    await answers({ ok: true, data: { expiresInMs: 100_000, grants: ['queue'] } });
    expect([sockets.length, connection.life.state]).toEqual([1, 'connected']);
  });

  it('asks for a fresh token once where the one it has is refused', async () => {
    const rejected = expect(connection.connect()).rejects.toMatchObject({ code: 'unauthorized' });
    await turn();
    await refuses('unauthorized', false);
    expect(socket().options.auth.token).toBe('token-2');
    await refuses('unauthorized', false);
    await rejected;
    expect(sockets.length).toBe(2);
  });

  it('comes back when its socket is lost, and gets in step again', async () => {
    await connect();
    socket().receive('disconnect');
    expect(states.at(-1)).toBe('reconnecting');
    await vi.advanceTimersByTimeAsync(1_000);
    await welcomes();
    await answers({ ok: true, data: empty });
    expect([sockets.length, synced, states.at(-1)]).toEqual([2, 2, 'connected']);
  });

  it('goes on trying for hours', async () => {
    await connect();
    socket().receive('disconnect');
    for (let passed = 0; passed < 3 * 3_600_000; passed += 60_000)
      await vi.advanceTimersByTimeAsync(60_000);
    expect(states.at(-1)).toBe('reconnecting');
    const before = sockets.length;
    await vi.advanceTimersByTimeAsync(30_000);
    expect(sockets.length).toBeGreaterThan(before);
  });

  it('waits as long as a gateway that stops asks it to', async () => {
    await connect();
    socket().receive('closing', { reason: 'shutting-down', retryAfterMs: 5_000 });
    await vi.advanceTimersByTimeAsync(4_900);
    expect(sockets.length).toBe(1);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(sockets.length).toBe(2);
  });

  it('asks again on the same socket while the gateway’s memory is away', async () => {
    const connected = connection.connect();
    await turn();
    await welcomes();
    await answers({ ok: false, error: refusal('state-unavailable', true) });
    await vi.advanceTimersByTimeAsync(1_000);
    expect([sockets.length, socket().sent.length]).toEqual([1, 2]);
    await answers({ ok: true, data: empty });
    await connected;
  });

  it('ends where the person may not watch', async () => {
    const connected = connection.connect();
    await turn();
    await welcomes();
    const rejected = expect(connected).rejects.toMatchObject({ code: 'forbidden' });
    await answers({ ok: false, error: refusal('forbidden', false) });
    await rejected;
    expect(socket().disconnected).toBe(true);
  });
});

describe('attend', () => {
  const visitWelcome = {
    version: 1,
    participantId: 's1',
    sessionId: 'x',
    resumed: false,
    grants: ['admit'],
    rtpCapabilities: { codecs: [] },
    iceServers: [],
    graceMs: 1_000,
    tokenExpiresInMs: 60_000,
    visit: {
      visitId: visit,
      kind: 'visit',
      state: 'open',
      interpreting: 'simultaneous',
      reactions: false,
      seq: 0,
      participants: [],
    },
  };

  it('acts on a socket of its own at the visit, with the clinic’s token, and closes it', async () => {
    await connect();
    const acted = connection.attend(visit, 'admit', {});
    expect(socket().options).toMatchObject({
      url,
      query: { visit },
      auth: { token: 'token-1' },
    });
    socket().receive('welcome', visitWelcome);
    await turn();
    expect(socket().sent.map(({ name }) => name)).toEqual(['admit']);
    await answers({ ok: true, data: {} });
    await acted;
    expect(sockets.map(({ disconnected }) => disconnected)).toEqual([false, true]);
  });

  it('tries again where the visit just passes to another gateway', async () => {
    await connect();
    const acted = connection.attend(visit, 'admit', {});
    await refuses('moved', true);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(sockets.length).toBe(3);
    socket().receive('welcome', visitWelcome);
    await turn();
    await answers({ ok: true, data: {} });
    await acted;
  });

  it('gives up where the visit stays away, and at once where it refuses', async () => {
    await connect();
    const refused = expect(connection.attend(visit, 'admit', {})).rejects.toMatchObject({
      code: 'unauthorized',
    });
    await refuses('unauthorized', false);
    await refused;
    expect(sockets.length).toBe(2);

    const lost = expect(connection.attend(visit, 'admit', {})).rejects.toMatchObject({
      code: 'moved',
    });
    for (let passed = 0; passed < 15_000; passed += 100) {
      if (!socket().disconnected) await refuses('moved', true);
      await vi.advanceTimersByTimeAsync(100);
    }
    await lost;
  });

  it('does not repeat a command whose answer was lost: it may have been carried out', async () => {
    await connect();
    const acted = expect(
      connection.attend(visit, 'send-message', {
        to: { type: 'all' },
        kind: 'chat',
        text: 'Late.',
      }),
    ).rejects.toMatchObject({ code: 'connection-failed' });
    socket().receive('welcome', visitWelcome);
    await turn();
    socket().receive('disconnect');
    await acted;
    await vi.advanceTimersByTimeAsync(15_000);
    expect(sockets.length).toBe(2);
  });
});
