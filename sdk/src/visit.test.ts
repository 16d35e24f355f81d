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
  paths: [] as {
    recvTransportId: string;
    closed: boolean;
    handlers: {
      received(parameters: ConsumerParameters, track: MediaStreamTrack): void;
      failed(): void;
    };
  }[],
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
    received: [ConsumerParameters, MediaStreamTrack][] = [];
    isConnected = true;
    isSpare = false;
    closed = false;
    handlers;
    recvTransportId;
    constructor(...args: unknown[]) {
      this.recvTransportId = (
        args[2] as { recvTransport: { transportId: string } }
      ).recvTransport.transportId;
      this.handlers = args[4] as (typeof outside.paths)[number]['handlers'];
      outside.received = this.handlers.received;
      outside.paths.push(this);
    }
    parametersByTrack = () => new Map();
    snapshot = async () => new Map();
    consumersOf = () => [];
    add = async (added: ConsumerParameters[]) => {
      for (const parameters of added) {
        const track = { id: parameters.consumerId as string, kind: 'audio' } as MediaStreamTrack;
        this.received.push([parameters, track]);
        this.handlers.received(parameters, track);
      }
    };
    warmUp = async () => {};
    remove = () => {};
    update = () => {};
    check = () => {};
    close = () => {
      this.closed = true;
    };
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
    setGain = (key: string, gain: number) => {
      const known = outside.played.has(key);
      if (known) outside.played.set(key, gain);
      return known;
    };
    remove = (key: string) => outside.played.delete(key);
    clear = () => {};
  },
}));

beforeEach(() => {
  outside.sockets.length = 0;
  outside.paths.length = 0;
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

describe('an option that is misspelt', () => {
  it.each([
    ['call', { role: 'specialist', groups: [], ringMS: 5_000 }, 'ringMS'],
    ['call', { role: 'specialist', groups: [{}, { speciality: 'x' }] }, 'groups.1.speciality'],
    ['invite', { role: 'caregiver', names: 'Ana' }, 'names'],
    ['setLanguages', { speak: ['es'] }, 'speak'],
  ] as const)(
    'of %s is refused by its name, and nothing is sent: %j',
    async (name, options, field) => {
      const { visit, socket } = await connected();
      const sent = socket.sent.length;
      await expect(visit[name](options as never)).rejects.toMatchObject({
        code: 'invalid-request',
        field,
      });
      expect(socket.sent).toHaveLength(sent);
    },
  );

  it('is none where it has no value, or all is as it must be', async () => {
    const { visit, socket } = await connected();
    const need = { specialty: 'a', language: 'es', region: 'b', role: 'specialist' } as const;
    const options = {
      role: 'specialist',
      groups: [need],
      ringMs: 5_000,
      other: undefined,
    } as const;
    const called = visit.call(options);
    const payload = await answer(socket, 'call', { callId: 'c1' });
    expect(payload).toMatchObject({ role: 'specialist', groups: [need], ringMs: 5_000 });
    expect(await called).toBe('c1');
    void visit.invite({ role: 'caregiver' });
    expect(socket.sent.at(-1)?.payload).toMatchObject({ role: 'caregiver', knock: false });
  });
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

  describe('that goes to another node', () => {
    const NEW = { ...transport, transportId: 'new' };
    const heard = (path: string, more: object = {}) => ({
      consumerId: `a-${path}`,
      producerId: `a-${path}`,
      participantId: 'a',
      source: 'microphone',
      kind: 'audio',
      rtpParameters: { codecs: [] },
      producerPaused: false,
      priority: 1,
      gain: 1,
      ...more,
    });
    const muted = person('a', {
      producers: [
        { producerId: 'a-t', kind: 'audio', source: 'microphone', paused: true } as never,
      ],
    });

    async function relocating() {
      const all = await connected(muted);
      const { socket, log } = all;
      socket.receive('consumers', { added: [heard('t')], removed: [], updated: [] });
      socket.receive('relocating', {});
      const consumers = [heard('new')];
      await answer(socket, 'relocate', { sendTransport: NEW, recvTransport: NEW, consumers });
      await vi.waitUntil(() => outside.played.has('a-new'), { interval: 1 });
      const publication = () => all.visit.participants.get('a' as never)?.tracks.get('microphone');
      log.length = 0;
      return { ...all, publication };
    }

    it('has what comes from there at hand, and silent', async () => {
      const { visit, publication, log } = await relocating();
      expect(outside.played).toEqual(
        new Map([
          ['a-t', 1],
          ['a-new', 0],
        ]),
      );
      expect([publication()?.track?.id, log]).toEqual(['a-t', []]);
      await visit.leave();
    });

    it('plays that when it has moved; who is muted stays it', async () => {
      const { visit, socket, publication, log } = await relocating();
      socket.receive('relocation-ended', { moved: true });
      expect(outside.played).toEqual(
        new Map([
          ['a-t', 0],
          ['a-new', 1],
        ]),
      );
      expect([publication()?.track?.id, publication()?.muted]).toEqual(['a-new', true]);
      expect(log).toEqual(['-a microphone', '+a microphone']);
      await vi.waitUntil(() => outside.paths[0]?.closed, { interval: 10, timeout: 5_000 });
      expect([outside.paths[1]?.closed, visit.state]).toEqual([false, 'connected']);
      await visit.leave();
    });

    it('says that it plays it once that is as good', async () => {
      const { visit, socket, publication } = await relocating();
      await vi.waitUntil(() => socket.sent.some(({ name }) => name === 'relocated'), {
        interval: 10,
        timeout: 5_000,
      });
      expect(publication()?.track?.id).toBe('a-new');
      socket.receive('relocation-ended', { moved: false });
      expect(publication()?.track?.id).toBe('a-t');
      await visit.leave();
    });

    it.each([
      [
        'does not after all',
        (socket: (typeof outside.sockets)[number]) =>
          socket.receive('relocation-ended', { moved: false }),
      ],
      [
        'loses its socket',
        (socket: (typeof outside.sockets)[number]) => socket.receive('disconnect'),
      ],
      ['finds no way there', () => outside.paths[1]?.handlers.failed()],
    ])('stays as it is where it %s', async (_, happen) => {
      const { visit, socket, publication, log } = await relocating();
      happen(socket);
      await vi.waitUntil(() => outside.paths[1]?.closed, { interval: 10, timeout: 5_000 });
      expect([publication()?.track?.id, log, outside.paths[0]?.closed]).toEqual(['a-t', [], false]);
      await visit.leave();
    });

    it('adds to each path what is of its transport, and to none what is of no one', async () => {
      const { visit, socket } = await relocating();
      const consumers = (consumerId: string, recvTransportId?: string) =>
        socket.receive('consumers', {
          added: [heard(consumerId, { participantId: 'b' })],
          removed: [],
          updated: [],
          recvTransportId,
        });
      consumers('here');
      consumers('there', 'new');
      consumers('nowhere', 'gone');
      const has = outside.paths.map((path) =>
        (path as unknown as { received: [ConsumerParameters][] }).received.map(
          ([{ consumerId }]) => consumerId,
        ),
      );
      expect(has).toEqual([
        ['a-t', 'a-here'],
        ['a-new', 'a-there'],
      ]);
      await visit.leave();
    });

    it('joins anew, with neither path, where all media is lost', async () => {
      const { visit, socket } = await relocating();
      socket.receive('media-lost', {});
      expect(outside.paths.map(({ closed }) => closed)).toEqual([true, true]);
      // At once, and without waiting for a pause.
      await Promise.resolve();
      expect(socket.sent.filter(({ name }) => name === 'join')).toHaveLength(2);
      await visit.leave();
    });
  });

  it('says with the next join that its media did not get through, and not after', async () => {
    const { visit, socket } = await connected();
    const joins = () => socket.sent.filter(({ name }) => name === 'join');
    outside.paths[0]?.handlers.failed();
    await vi.waitUntil(() => joins().length === 2, { interval: 1 });
    expect(joins()[1]?.payload).toMatchObject({ unreachable: true });
    joins()[1]?.answer({
      ok: true,
      data: {
        sendTransport: transport,
        recvTransport: transport,
        consumers: [],
        visit: view(3, person('p1')),
        messages: [],
      },
    });
    await vi.waitUntil(() => outside.paths.length === 2, { interval: 1 });
    socket.receive('media-lost', {});
    await vi.waitUntil(() => joins().length === 3, { interval: 1 });
    expect(joins()[2]?.payload).not.toHaveProperty('unreachable');
    await visit.leave();
  });

  it('keeps what is interrupted of others in sight until it is back, moved away or turned off', async () => {
    const { visit, socket } = await connected(
      person('a', {
        producers: [
          { producerId: 'a-camera', kind: 'video', source: 'camera', paused: false } as never,
        ],
      }),
    );
    receive('a', 'camera');
    const interrupted: boolean[] = [];
    const camera = () => visit.participants.get('a' as never)?.tracks.get('camera');
    visit.on('trackUnsubscribed', (_, publication) => interrupted.push(publication.interrupted));
    socket.receive('changed', changed(3, person('a')));
    expect(camera()?.interrupted).toBe(true);
    socket.receive('changed', changed(4, person('a', { place: 'room.1' as never })));
    expect([interrupted, camera()?.interrupted ?? false]).toEqual([[false], false]);
    await visit.leave();
  });
});
