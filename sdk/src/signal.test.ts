import { type ClientEventPayload, SUPPORTED_VERSIONS } from '@bedside/protocol';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Signal, type SignalHandlers } from './signal.ts';
import { FakeSocket } from './testing/fake-socket.ts';
import { token } from './testing.ts';

const welcome = {
  version: 1,
  participantId: 'p1',
  sessionId: 's1',
  resumed: false,
  grants: ['publish-audio'],
  rtpCapabilities: { codecs: [] },
  iceServers: [],
  graceMs: 1_000,
  tokenExpiresInMs: 60_000,
  visit: {
    visitId: 'v1',
    kind: 'visit',
    state: 'open',
    interpreting: 'simultaneous',
    reactions: false,
    seq: 0,
    participants: [],
  },
};
const refusal = (code: string, more: object = {}) => ({
  ok: false,
  error: { code, kind: 'unavailable', retryable: true, message: '', ...more },
});

let sockets: FakeSocket[];
let handlers: { [Name in keyof SignalHandlers]: ReturnType<typeof vi.fn> };
let signal: Signal;
const last = () => sockets.at(-1) as FakeSocket;

beforeEach(() => {
  vi.useFakeTimers();
  sockets = [];
  handlers = {
    changed: vi.fn(),
    consumers: vi.fn(),
    speaker: vi.fn(),
    quality: vi.fn(),
    message: vi.fn(),
    'unmute-asked': vi.fn(),
    cue: vi.fn(),
    reaction: vi.fn(),
    'whisper-ended': vi.fn(),
    'quality-changed': vi.fn(),
    'transport-failed': vi.fn(),
    relocating: vi.fn(),
    'relocation-ended': vi.fn(),
    'media-lost': vi.fn(),
    closing: vi.fn(),
    lost: vi.fn(),
  };
  signal = new Signal('https://gateway', handlers as unknown as SignalHandlers, (options) => {
    const socket = new FakeSocket(options);
    sockets.push(socket);
    return socket;
  });
});
afterEach(() => {
  signal.abandon();
  vi.useRealTimers();
});

async function open(): Promise<FakeSocket> {
  const opening = signal.open(token());
  last().receive('welcome', welcome);
  await opening;
  return last();
}

describe('open', () => {
  it('names the visit, the token, the versions and the session', () => {
    signal.open(token(), 's9' as never).catch(() => {});
    expect(last().options).toMatchObject({
      url: 'https://gateway',
      query: { visit: 'v1' },
      auth: { token: token(), versions: SUPPORTED_VERSIONS, sessionId: 's9' },
    });
  });

  it('rejects with what the gateway answers', async () => {
    const opening = signal.open(token());
    const { error } = refusal('shutting-down', { retryAfterMs: 50 });
    last().receive('connect_error', Object.assign(new Error(), { data: error }));
    await expect(opening).rejects.toMatchObject({ code: 'shutting-down', retryAfterMs: 50 });
    expect(last().disconnected).toBe(true);
  });

  it('rejects with connection-failed where the network fails, and where no welcome comes', async () => {
    const failing = signal.open(token());
    last().receive('connect_error', new Error('websocket error'));
    await expect(failing).rejects.toMatchObject({ code: 'connection-failed' });
    const silent = expect(signal.open(token())).rejects.toMatchObject({
      code: 'connection-failed',
    });
    await vi.advanceTimersByTimeAsync(60_000);
    await silent;
  });

  it('goes where the gateway says the visit is, at once, and asks for that one from then on', async () => {
    const opening = signal.open(token());
    const { error } = refusal('moved', { retryAfterMs: 1_000, gateway: 'gateway-2' });
    last().receive('connect_error', Object.assign(new Error(), { data: error }));
    await vi.advanceTimersByTimeAsync(0);
    expect(last().options.query).toEqual({ visit: 'v1', gateway: 'gateway-2' });
    last().receive('welcome', welcome);
    await opening;
    last().receive('disconnect');
    signal.open(token()).catch(() => {});
    expect(last().options.query).toMatchObject({ gateway: 'gateway-2' });
  });

  it('is not sent around in circles, nor to the one that sent it away', async () => {
    const refuse = async (gateway: string) => {
      const { error } = refusal('moved', { gateway });
      last().receive('connect_error', Object.assign(new Error(), { data: error }));
      await vi.advanceTimersByTimeAsync(0);
    };
    const opening = signal.open(token());
    opening.catch(() => {});
    for (const gateway of ['a', 'b', 'a', 'b', 'a']) await refuse(gateway);
    await expect(opening).rejects.toMatchObject({ code: 'moved' });
    expect(sockets).toHaveLength(4);
    const again = signal.open(token());
    again.catch(() => {});
    expect(last().options.query).toEqual({ visit: 'v1' });
    await refuse('a');
    await refuse('a');
    await expect(again).rejects.toMatchObject({ code: 'moved' });
  });

  it('rejects a welcome that is malformed, and a token that is none', async () => {
    const opening = signal.open(token());
    last().receive('welcome', { ...welcome, sessionId: 7 });
    await expect(opening).rejects.toMatchObject({ code: 'invalid-request', field: 'sessionId' });
    await expect(signal.open('nonsense')).rejects.toMatchObject({ code: 'unauthorized' });
  });

  it('is over once closed, and an old socket says nothing more', async () => {
    const opening = signal.open(token());
    signal.close();
    await expect(opening).rejects.toMatchObject({ code: 'connection-failed' });
    last().receive('disconnect');
    expect(handlers.lost).not.toHaveBeenCalled();
  });
});

describe('request', () => {
  it('waits until the session is ready', async () => {
    const socket = await open();
    const pausing = signal.request('pause-producer', { producerId: 'x' as never, paused: true });
    expect(socket.sent).toEqual([]);
    signal.ready();
    socket.sent[0]?.answer({ ok: true, data: {} });
    await expect(pausing).resolves.toEqual({});
  });

  it('sends join at once, and rejects it when its socket is lost', async () => {
    const socket = await open();
    const joining = signal.request(
      'join',
      { rtpCapabilities: { codecs: [] } },
      { immediate: true },
    );
    expect(socket.sent[0]?.name).toBe('join');
    socket.receive('disconnect');
    await expect(joining).rejects.toMatchObject({ code: 'connection-failed' });
    expect(handlers.lost).toHaveBeenCalledOnce();
  });

  it('repeats an unanswered command on the next socket under the same request id', async () => {
    const first = await open();
    signal.ready();
    const pausing = signal.request('pause-producer', { producerId: 'x' as never, paused: true });
    first.receive('disconnect');
    const second = await open();
    signal.ready();
    expect(second.sent[0]?.payload).toEqual(first.sent[0]?.payload);
    // The old socket's answer comes too late to count.
    first.sent[0]?.answer(refusal('internal'));
    second.sent[0]?.answer({ ok: true, data: {} });
    await expect(pausing).resolves.toEqual({});
  });

  it('rejects with deadline where no answer comes', async () => {
    await open();
    signal.ready();
    const ending = expect(signal.request('end', {})).rejects.toMatchObject({ code: 'deadline' });
    await vi.advanceTimersByTimeAsync(60_000);
    await ending;
  });

  it('tries again what may succeed later, and gives back what may not', async () => {
    const socket = await open();
    signal.ready();
    const ending = signal.request('end', {});
    socket.sent[0]?.answer(refusal('state-unavailable', { retryAfterMs: 100 }));
    await vi.advanceTimersByTimeAsync(100);
    expect(socket.sent[1]?.payload).toEqual(socket.sent[0]?.payload);
    socket.sent[1]?.answer(refusal('forbidden', { kind: 'user', retryable: false }));
    await expect(ending).rejects.toMatchObject({ code: 'forbidden' });
  });

  it('rejects an answer that does not match the schema', async () => {
    const socket = await open();
    signal.ready();
    const renewing = signal.request('renew-token', { token: 't' });
    socket.sent[0]?.answer({ ok: true, data: { expiresInMs: 'soon' } });
    await expect(renewing).rejects.toMatchObject({ code: 'invalid-request', field: 'expiresInMs' });
  });

  it('holds a bounded number of commands', async () => {
    await open();
    const results = await Promise.allSettled([
      ...Array.from({ length: 64 }, () =>
        signal.request('end', {}, { deadlineMs: 1 }).catch(() => {}),
      ).map(() => 0),
      signal.request('end', {}),
    ]);
    expect(results.at(-1)).toMatchObject({ status: 'rejected', reason: { code: 'rate-limited' } });
  });

  it('waits for nothing once abandoned', async () => {
    await open();
    const ending = signal.request('end', {});
    signal.abandon();
    await expect(ending).rejects.toMatchObject({ code: 'not-joined' });
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('events', () => {
  it('hands on what is well formed and ignores what is not', async () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
    const socket = await open();
    socket.receive('speaker', { participantId: 'p2' });
    socket.receive('speaker', { participantId: 9 });
    expect(handlers.speaker.mock.calls).toEqual([[{ participantId: 'p2' }]]);
    expect(warn).toHaveBeenCalledOnce();
  });

  it('acknowledges consumers once they are set up', async () => {
    let ready = () => {};
    handlers.consumers.mockReturnValue(
      new Promise<void>((resolve) => {
        ready = resolve;
      }),
    );
    const socket = await open();
    const ack = vi.fn();
    const payload: ClientEventPayload<'consumers'> = { added: [], removed: [], updated: [] };
    socket.receive('consumers', payload, ack);
    await vi.advanceTimersByTimeAsync(10);
    expect(ack).not.toHaveBeenCalled();
    ready();
    await vi.advanceTimersByTimeAsync(0);
    expect(ack).toHaveBeenCalledOnce();
  });
});
