import type { ConsumerParameters, Message, ParticipantView } from '@bedside/protocol';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { token } from './testing.ts';
import { Visit } from './visit.ts';

/** What is outside of the visit: the gateway at the other end of a socket, transports, loudspeaker. */
const outside = vi.hoisted(() => ({
  sockets: [] as {
    sent: { name: string; payload: Record<string, unknown>; answer(ack: unknown): void }[];
    receive(name: string, ...args: unknown[]): void;
  }[],
  /** By consumer, the gain at which it is played now; and hold music. */
  played: new Map<string, number>(),
  music: { on: false },
  received: undefined as
    | ((parameters: ConsumerParameters, track: MediaStreamTrack) => void)
    | undefined,
}));

vi.mock('socket.io-client', () => ({
  io: () => {
    const listeners = new Map<string, (...args: unknown[]) => void>();
    const socket = {
      sent: [] as (typeof outside.sockets)[number]['sent'],
      on: (name: string, listener: (...args: unknown[]) => void) => listeners.set(name, listener),
      emit: (name: string, payload: never, answer: never) =>
        socket.sent.push({ name, payload, answer }),
      removeAllListeners: () => listeners.clear(),
      disconnect: () => {},
      receive: (name: string, ...args: unknown[]) => listeners.get(name)?.(...args),
    };
    outside.sockets.push(socket);
    return socket;
  },
}));
vi.mock('./media/device.ts', () => ({
  devices: {
    prepare: async () => {},
    load: async () => ({ recvRtpCapabilities: { codecs: [] } }),
  },
}));
vi.mock('./media/path.ts', () => ({
  MediaPath: class {
    consumerIds = [];
    transports = [];
    constructor(...args: unknown[]) {
      outside.received = (args[4] as { received: typeof outside.received }).received;
    }
    received = [];
    consumersOf = () => [];
    update = () => {};
    parametersByTrack = () => new Map();
    add = async () => {};
    warmUp = async () => {};
    remove = () => {};
    check = () => {};
    close = () => {};
  },
}));
vi.mock('./media/playback.ts', () => ({
  AudioRenderer: class {
    sounds = {
      hold: {
        get on() {
          return outside.music.on;
        },
        start: () => {
          outside.music.on = true;
        },
        stop: () => {
          outside.music.on = false;
        },
      },
    };
    add = (key: string, _: unknown, gain: number) => outside.played.set(key, gain);
    setGain = (key: string, gain: number) => outside.played.set(key, gain);
    remove = (key: string) => outside.played.delete(key);
    clear = () => {};
  },
}));

beforeEach(() => {
  outside.sockets.length = 0;
  outside.played.clear();
  outside.music.on = false;
});

const person = (id: string, more: Partial<ParticipantView> = {}): ParticipantView => ({
  participantId: id as never,
  role: 'patient',
  state: 'admitted',
  connection: 'connected',
  place: 'main',
  producers: [],
  ...more,
});
const view = (seq: number, ...participants: ParticipantView[]) => ({
  visitId: 'v1',
  kind: 'visit',
  state: 'active',
  interpreting: 'simultaneous',
  reactions: false,
  seq,
  participants,
});
const welcome = {
  version: 1,
  participantId: 'p1',
  sessionId: 's1',
  grants: [],
  rtpCapabilities: { codecs: [] },
  iceServers: [],
  graceMs: 1_000,
  tokenExpiresInMs: 3_600_000,
};
const transport = {
  transportId: 't',
  iceParameters: { usernameFragment: 'u', password: 'p' },
  iceCandidates: [],
  dtlsParameters: { fingerprints: [{ algorithm: 'sha-256', value: 'AA' }] },
};
const message = (number: number): Message => ({
  number,
  to: { type: 'all' },
  kind: 'chat',
  text: `${number}`,
  at: 0,
});

/** The next socket that the visit opens. */
const nextSocket = (count: number) =>
  vi.waitUntil(() => outside.sockets[count - 1], { interval: 1 });

async function answer(socket: (typeof outside.sockets)[number], name: string, data: unknown) {
  const command = await vi.waitUntil(() => socket.sent.find((each) => each.name === name), {
    interval: 1,
  });
  command.answer({ ok: true, data });
  return command.payload;
}

async function connected(...participants: ParticipantView[]) {
  const visit = new Visit({ url: '', token: token({ sub: 'p1' }) });
  const log: string[] = [];
  visit
    .on('trackSubscribed', (_, { source }, { id }) => log.push(`+${id} ${source}`))
    .on('trackUnsubscribed', (_, { source }, { id }) => log.push(`-${id} ${source}`))
    .on('messageReceived', ({ number }) => log.push(`message ${number}`))
    .on('admitted', () => log.push('admitted'));
  const connecting = visit.connect();
  const socket = await nextSocket(1);
  socket.receive('welcome', { ...welcome, resumed: false, visit: view(1) });
  await answer(socket, 'join', {
    sendTransport: transport,
    recvTransport: transport,
    consumers: [],
    visit: view(2, person('p1'), ...participants),
    messages: [message(1)],
  });
  await connecting;
  return { visit, socket, log };
}

function receive(participantId: string, source: 'camera' | 'microphone', gain = 1) {
  const consumerId = `${participantId}-${source}`;
  outside.received?.(
    { consumerId, producerId: consumerId, participantId, source, gain } as never,
    { id: consumerId } as MediaStreamTrack,
  );
}
const changed = (seq: number, ...participants: ParticipantView[]) => ({
  seq,
  changes: participants.map((participant) => ({ type: 'participant', participant })),
});

describe('Visit', () => {
  it.each(['connectionStateChanged', 'disconnected'] as const)(
    'a connect() within `%s` is not answered by the session that just ended',
    async (event) => {
      const visit = new Visit({ url: '', tokenProvider: () => new Promise<string>(() => {}) });
      const outcomes: string[] = [];
      const connect = (name: string) =>
        visit.connect().catch((error: { code: string }) => outcomes.push(`${name} ${error.code}`));
      let again = false;
      visit.on(event, () => {
        if (visit.state !== 'disconnected' || again) return;
        again = true;
        void connect('second');
      });
      void connect('first');
      await visit.leave();
      await new Promise((resolve) => setTimeout(resolve));
      expect([visit.state, outcomes]).toEqual(['connecting', ['first not-joined']]);
      await visit.leave();
    },
  );

  it('refuses commands where there is no visit to be in', async () => {
    const visit = new Visit({ url: '', token: token() });
    await expect(visit.admit()).rejects.toMatchObject({ code: 'not-joined' });
  });

  it('neither shows nor plays who is elsewhere; back, they are as loud as the plan says', async () => {
    const { visit, socket, log } = await connected(person('a'));
    receive('a', 'camera');
    receive('a', 'microphone', 0.2);
    expect(outside.played).toEqual(new Map([['a-microphone', 0.2]]));
    socket.receive('changed', changed(3, person('a', { place: 'room.1' as never })));
    const publication = () => visit.participants.get('a' as never)?.tracks.get('camera');
    expect([outside.played.get('a-microphone'), publication()?.track]).toEqual([0, undefined]);
    socket.receive('consumers', {
      added: [],
      removed: [],
      updated: [{ consumerId: 'a-microphone', gain: 0.5 }],
    });
    expect(outside.played.get('a-microphone')).toBe(0);
    receive('a', 'microphone', 0.5);
    expect(outside.played.get('a-microphone')).toBe(0);
    socket.receive('changed', changed(4, person('a')));
    expect([outside.played.get('a-microphone'), publication()?.track?.id]).toEqual([
      0.5,
      'a-camera',
    ]);
    const both = (sign: string) => [`${sign}a camera`, `${sign}a microphone`];
    expect(log.slice(1)).toEqual([...both('+'), ...both('-'), ...both('+')]);
    await visit.leave();
  });

  it('shows the preview of who waits, and hears of its own admission once', async () => {
    const { visit, socket, log } = await connected(person('a', { state: 'waiting' }));
    receive('a', 'camera');
    socket.receive('changed', changed(3, person('p1', { state: 'waiting' })));
    socket.receive('changed', changed(4, person('p1')));
    socket.receive('changed', changed(5, person('p1')));
    expect(log.slice(1)).toEqual(['+a camera', 'admitted']);
    await visit.leave();
  });

  it('plays music on hold where the clinic wants it, until it is over', async () => {
    const { visit, socket } = await connected();
    const steps: boolean[] = [];
    for (const [index, self] of [
      person('p1', { place: 'hold' as never, hold: { audio: 'none' } }),
      person('p1', { place: 'hold' as never, hold: { audio: 'music' } }),
      person('p1'),
    ].entries()) {
      socket.receive('changed', changed(3 + index, self));
      steps.push(outside.music.on);
    }
    expect(steps).toEqual([false, true, false]);
    await visit.leave();
  });

  it('asks for the messages that it missed, also where newer ones come before the answer', async () => {
    const { visit, socket, log } = await connected();
    socket.receive('message', message(2));
    socket.receive('disconnect');
    const next = await nextSocket(2);
    next.receive('welcome', { ...welcome, resumed: true, visit: view(3, person('p1')) });
    next.receive('message', message(5));
    const asked = await answer(next, 'resume', {
      added: [],
      removed: [],
      visit: view(3, person('p1')),
      messages: [message(4), message(5)],
    });
    await vi.waitUntil(() => visit.state === 'connected', { interval: 1 });
    next.receive('message', message(6));
    expect(asked.messagesAfter).toBe(2);
    expect(log).toEqual([1, 2, 4, 5, 6].map((number) => `message ${number}`));
    await visit.leave();
  });
});
