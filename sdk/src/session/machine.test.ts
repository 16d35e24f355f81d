import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  backoffMs,
  CONNECT_GIVE_UP_MS,
  type Failure,
  initialState,
  MEDIA_FAILURES_MAX,
  RECONNECT_GIVE_UP_MS,
  type SessionEvent,
  type SessionState,
  transition,
} from './machine.ts';

const moment = { at: 1_000, random: 0.5 };
const base: SessionState = { ...initialState, ticket: 7, renewable: true };
const failure = (code: Failure['code'], more: Partial<Failure> = {}): Failure => ({
  code,
  retryable: true,
  ...more,
});

const states = {
  idle: initialState,
  token: { ...base, phase: 'connecting', step: 'token', since: 1_000 },
  socket: { ...base, phase: 'connecting', step: 'socket', token: true, since: 1_000 },
  join: { ...base, phase: 'connecting', step: 'join', token: true, socket: true, since: 1_000 },
  connected: {
    ...base,
    phase: 'connected',
    step: 'none',
    token: true,
    socket: true,
    media: true,
    synced: true,
  },
  away: {
    ...base,
    phase: 'reconnecting',
    step: 'wait',
    token: true,
    media: true,
    since: 500,
    attempt: 3,
  },
  reopening: {
    ...base,
    phase: 'reconnecting',
    step: 'socket',
    token: true,
    media: true,
    since: 500,
  },
  resuming: {
    ...base,
    phase: 'reconnecting',
    step: 'resume',
    token: true,
    socket: true,
    media: true,
    since: 500,
  },
  rejoining: {
    ...base,
    phase: 'reconnecting',
    step: 'join',
    token: true,
    socket: true,
    since: 500,
  },
  over: { ...base, phase: 'disconnected', reason: 'left' },
} satisfies Record<string, SessionState>;
type Name = keyof typeof states;

const stepFailed = (code: Failure['code'], more: Partial<Failure> = {}): SessionEvent => ({
  type: 'step-failed',
  ticket: 7,
  failure: failure(code, more),
  ...moment,
});
const closing = (
  reason:
    | 'replaced'
    | 'removed'
    | 'denied'
    | 'visit-ended'
    | 'token-expired'
    | 'shutting-down'
    | 'moved',
) => ({ type: 'closing', reason, ...moment }) as const;

const END = ['close-socket', 'close-media', 'forget-session', 'release'];

/** from, event, phase and step after it, effects by name */
const edges: [Name, SessionEvent, string, string[]][] = [
  ['idle', { type: 'connect', renewable: true, ...moment }, 'connecting token', ['get-token']],
  ['over', { type: 'connect', renewable: true, ...moment }, 'connecting token', ['get-token']],
  ['connected', { type: 'connect', renewable: true, ...moment }, 'connected none', []],
  ['idle', { type: 'leave' }, 'idle none', []],
  ['token', { type: 'token-ready', ticket: 7 }, 'connecting socket', ['open-socket']],
  ['token', { type: 'token-ready', ticket: 6 }, 'connecting token', []],
  ['token', stepFailed('token-unavailable'), 'connecting wait', ['wait']],
  ['token', { type: 'leave' }, 'disconnected none', END],
  [
    'socket',
    { type: 'welcome', ticket: 7, resumed: false, ...moment },
    'connecting join',
    ['join'],
  ],
  ['socket', stepFailed('connection-failed'), 'connecting wait', ['wait']],
  [
    'socket',
    stepFailed('unauthorized', { retryable: false }),
    'connecting token',
    ['close-socket', 'get-token'],
  ],
  ['socket', stepFailed('unsupported-version', { retryable: false }), 'disconnected none', END],
  ['socket', stepFailed('visit-ended', { retryable: false }), 'disconnected none', END],
  ['socket', stepFailed('invite-used', { retryable: false }), 'disconnected none', END],
  ['join', { type: 'joined', ticket: 7 }, 'connected none', []],
  ['join', { type: 'joined', ticket: 3 }, 'connecting join', []],
  ['join', stepFailed('capacity'), 'connecting wait', ['wait']],
  ['join', stepFailed('deadline'), 'connecting wait', ['close-socket', 'wait']],
  ['join', stepFailed('moved'), 'connecting wait', ['close-socket', 'wait']],
  ['join', stepFailed('media-unsupported', { retryable: false }), 'disconnected none', END],
  ['join', { type: 'media-failed', ...moment }, 'connecting join', ['close-media', 'join']],
  ['join', { type: 'leave' }, 'disconnected none', ['send-leave', ...END]],
  ['connected', { type: 'socket-lost', ...moment }, 'reconnecting wait', ['close-socket', 'wait']],
  ['connected', { type: 'media-failed', ...moment }, 'reconnecting join', ['close-media', 'join']],
  ['connected', { type: 'network-changed' }, 'connected resume', ['resume']],
  ['connected', { type: 'out-of-step' }, 'connected resume', ['resume']],
  ['connected', closing('replaced'), 'disconnected none', END],
  ['connected', closing('removed'), 'disconnected none', END],
  ['connected', closing('denied'), 'disconnected none', END],
  ['connected', closing('visit-ended'), 'disconnected none', END],
  ['connected', closing('token-expired'), 'reconnecting wait', ['close-socket', 'wait']],
  ['connected', closing('shutting-down'), 'reconnecting wait', ['close-socket', 'wait']],
  ['connected', closing('moved'), 'reconnecting wait', ['close-socket', 'wait']],
  ['connected', { type: 'leave' }, 'disconnected none', ['send-leave', ...END]],
  ['away', { type: 'wait-over', ticket: 7 }, 'reconnecting socket', ['open-socket']],
  ['away', { type: 'wait-over', ticket: 1 }, 'reconnecting wait', []],
  ['away', { type: 'network-changed' }, 'reconnecting socket', ['open-socket']],
  ['away', { type: 'media-failed', ...moment }, 'reconnecting wait', ['close-media']],
  ['away', { type: 'leave' }, 'disconnected none', END],
  [
    'reopening',
    { type: 'welcome', ticket: 7, resumed: true, ...moment },
    'reconnecting resume',
    ['resume'],
  ],
  [
    'reopening',
    { type: 'welcome', ticket: 7, resumed: false, ...moment },
    'reconnecting join',
    ['close-media', 'join'],
  ],
  [
    'reopening',
    stepFailed('session-expired', { retryable: false }),
    'reconnecting wait',
    ['close-socket', 'forget-session', 'close-media', 'wait'],
  ],
  ['resuming', { type: 'resumed', ticket: 7 }, 'connected none', []],
  ['resuming', stepFailed('media-lost'), 'reconnecting join', ['close-media', 'join']],
  [
    'resuming',
    stepFailed('not-joined', { retryable: false }),
    'reconnecting join',
    ['close-media', 'join'],
  ],
  ['resuming', stepFailed('media-unavailable'), 'reconnecting wait', ['wait']],
  ['resuming', { type: 'socket-lost', ...moment }, 'reconnecting wait', ['close-socket', 'wait']],
  ['rejoining', { type: 'joined', ticket: 7 }, 'connected none', []],
  ['rejoining', { type: 'media-failed', ...moment }, 'reconnecting join', ['close-media', 'join']],
  ['rejoining', stepFailed('replaced', { retryable: false }), 'disconnected none', END],
];

describe('transition', () => {
  it.each(edges)('%s + %o -> %s', (from, event, expected, effects) => {
    const result = transition(states[from], event);
    expect(`${result.state.phase} ${result.state.step}`).toBe(expected);
    expect(result.effects.map(({ type }) => type)).toEqual(effects);
  });

  it('asks for one fresh token after a refusal, then fails', () => {
    const refused = transition(
      states.socket,
      stepFailed('unauthorized', { retryable: false }),
    ).state;
    const again = transition(refused, { type: 'token-ready', ticket: refused.ticket }).state;
    const event = {
      ...stepFailed('unauthorized', { retryable: false }),
      ticket: again.ticket,
    } as SessionEvent;
    expect(transition(again, event).state).toMatchObject({
      phase: 'disconnected',
      reason: 'failed',
      failure: { code: 'unauthorized' },
    });
  });

  it('ends at once without a token where nobody can be asked again', () => {
    const state = { ...states.token, renewable: false };
    expect(transition(state, stepFailed('token-unavailable')).state).toMatchObject({
      phase: 'disconnected',
      reason: 'failed',
      failure: { code: 'token-unavailable' },
    });
  });

  it('ends at once on a refused token that can not be replaced', () => {
    const state = { ...states.socket, renewable: false };
    expect(transition(state, stepFailed('unauthorized', { retryable: false })).state.reason).toBe(
      'failed',
    );
    expect(
      transition({ ...states.connected, renewable: false }, closing('token-expired')).state.reason,
    ).toBe('token-expired');
  });

  it('keeps media through a lost socket, and asks for no new token', () => {
    const { state } = transition(states.connected, { type: 'socket-lost', ...moment });
    expect(state).toMatchObject({ media: true, token: true, socket: false, synced: false });
  });

  it('waits at least as long as the gateway asks', () => {
    const { effects } = transition(states.connected, {
      ...closing('shutting-down'),
      retryAfterMs: 900,
    });
    const wait = effects.find((effect) => effect.type === 'wait');
    expect(wait?.ms).toBeGreaterThanOrEqual(900);
  });

  it.each([
    ['connecting', states.socket, 1_000 + CONNECT_GIVE_UP_MS],
    ['reconnecting', states.reopening, 500 + RECONNECT_GIVE_UP_MS],
  ] as const)('gives up %s after its time, not before', (_, state, limit) => {
    const at = (time: number) =>
      transition(state, {
        type: 'step-failed',
        ticket: 7,
        failure: failure('connection-failed'),
        at: time,
        random: 0,
      });
    expect(at(limit - 1).state.step).toBe('wait');
    expect(at(limit).state).toMatchObject({ phase: 'disconnected', reason: 'failed' });
  });

  it('forgets old trouble once connected', () => {
    expect(transition(states.resuming, { type: 'resumed', ticket: 7 }).state).toMatchObject({
      attempt: 0,
      since: undefined,
      failure: undefined,
    });
  });

  it('gives up media that fails again and again, but not media that fails now and then', () => {
    const run = (gapMs: number) => {
      let state: SessionState = states.connected;
      for (let index = 0; index < MEDIA_FAILURES_MAX; index += 1) {
        state = transition(state, { type: 'media-failed', at: index * gapMs, random: 0 }).state;
        if (state.step === 'wait')
          state = transition(state, { type: 'wait-over', ticket: state.ticket }).state;
        state = transition(state, { type: 'joined', ticket: state.ticket }).state;
      }
      return state.phase;
    };
    expect(run(20_000)).toBe('disconnected');
    expect(run(3_600_000)).toBe('connected');
  });
});

describe('backoffMs', () => {
  it('is positive, bounded and grows with the attempts', () => {
    fc.assert(
      fc.property(fc.nat(1_000), fc.double({ min: 0, max: 1, noNaN: true }), (attempt, random) => {
        const ms = backoffMs(attempt, random);
        expect(ms).toBeGreaterThan(0);
        expect(ms).toBeLessThanOrEqual(8_000);
        expect(backoffMs(attempt + 1, random)).toBeGreaterThanOrEqual(ms);
      }),
    );
  });
});

const arbitraryFailure = fc.constantFrom<Failure>(
  failure('connection-failed'),
  failure('capacity', { retryAfterMs: 5_000 }),
  failure('deadline'),
  failure('moved'),
  failure('unauthorized', { retryable: false }),
  failure('session-expired', { retryable: false }),
  failure('not-joined', { retryable: false }),
  failure('internal', { retryable: false }),
);

/** An event as the world may send it at any time; a ticket of 0 stands for the one under way. */
describe('a session without end', () => {
  const since = (phase: 'connecting' | 'reconnecting', ms: number) =>
    transition(
      {
        ...initialState,
        phase,
        endless: true,
        token: true,
        step: 'socket',
        ticket: 1,
        since: moment.at - ms,
      },
      {
        type: 'step-failed',
        ticket: 1,
        failure: { code: 'connection-failed', retryable: true },
        ...moment,
      },
    ).state.phase;

  it('goes on for as long as the gateway is away', () => {
    expect(since('reconnecting', 1_000 * RECONNECT_GIVE_UP_MS)).toBe('reconnecting');
  });

  it('is not begun where the gateway was never there', () => {
    expect(since('connecting', CONNECT_GIVE_UP_MS)).toBe('disconnected');
  });

  it('is what its connect asked for, and no other', () => {
    const event: SessionEvent = { type: 'connect', renewable: true, ...moment };
    expect(transition(initialState, { ...event, endless: true }).state.endless).toBe(true);
    expect(transition({ ...initialState, endless: true }, event).state.endless).toBe(false);
  });
});

const arbitraryEvent = fc.oneof(
  fc.constantFrom<SessionEvent>(
    { type: 'leave' },
    { type: 'network-changed' },
    { type: 'out-of-step' },
    { type: 'token-ready', ticket: 0 },
    { type: 'joined', ticket: 0 },
    { type: 'resumed', ticket: 0 },
    { type: 'wait-over', ticket: 0 },
    { type: 'joined', ticket: -1 },
    { type: 'wait-over', ticket: -1 },
    { type: 'connect', renewable: true, ...moment },
    { type: 'socket-lost', ...moment },
    { type: 'media-failed', ...moment },
    { type: 'welcome', ticket: 0, resumed: true, ...moment },
    { type: 'welcome', ticket: 0, resumed: false, ...moment },
  ),
  arbitraryFailure.map(
    (value): SessionEvent => ({ type: 'step-failed', ticket: 0, failure: value, ...moment }),
  ),
  fc
    .constantFrom(
      'replaced',
      'removed',
      'denied',
      'visit-ended',
      'token-expired',
      'shutting-down',
      'moved',
    )
    .map((reason): SessionEvent => closing(reason as 'moved')),
);

/** Which answers the step under way can get at all; the runner gives no others. */
const answers: Record<string, readonly string[]> = {
  token: ['token-ready', 'step-failed'],
  socket: ['welcome', 'step-failed'],
  join: ['joined', 'step-failed'],
  resume: ['resumed', 'step-failed'],
  wait: ['wait-over'],
  none: [],
};

const asAnswer = (state: SessionState, event: SessionEvent): SessionEvent | undefined => {
  if (!('ticket' in event) || event.ticket !== 0) return event;
  return answers[state.step]?.includes(event.type) ? { ...event, ticket: state.ticket } : undefined;
};

describe('random histories', () => {
  const history = fc.array(arbitraryEvent, { maxLength: 60 });
  const walk = (
    events: SessionEvent[],
    check: (before: SessionState, event: SessionEvent) => void,
  ) => {
    let state = transition(initialState, { type: 'connect', renewable: true, ...moment }).state;
    for (const candidate of events) {
      const event = asAnswer(state, candidate);
      if (!event) continue;
      check(state, event);
      state = transition(state, event).state;
    }
  };

  it('never rest short of connected: every live state has a step under way', () => {
    fc.assert(
      fc.property(history, (events) =>
        walk(events, (before, event) => {
          const { state } = transition(before, event);
          const resting = state.step === 'none';
          const settled = ['idle', 'disconnected', 'connected'].includes(state.phase);
          expect(resting && !settled).toBe(false);
          if (state.phase === 'connected' && resting) {
            expect(state).toMatchObject({ token: true, socket: true, media: true, synced: true });
          }
        }),
      ),
    );
  });

  it('every new step has a ticket of its own and is started exactly once', () => {
    fc.assert(
      fc.property(history, (events) =>
        walk(events, (before, event) => {
          const { state, effects } = transition(before, event);
          const started = effects.filter((effect) => 'ticket' in effect);
          expect(started.length).toBeLessThanOrEqual(1);
          for (const effect of started) {
            expect(effect).toMatchObject({ ticket: state.ticket });
            expect(state.ticket).toBeGreaterThan(before.ticket);
          }
        }),
      ),
    );
  });

  it('a lost fact is released: closed sockets and media are closed by an effect', () => {
    fc.assert(
      fc.property(history, (events) =>
        walk(events, (before, event) => {
          const { state, effects } = transition(before, event);
          const names = effects.map(({ type }) => type);
          if (before.socket && !state.socket) expect(names).toContain('close-socket');
          if (before.media && !state.media) expect(names).toContain('close-media');
          if (before.phase !== 'disconnected' && state.phase === 'disconnected') {
            expect(names).toContain('release');
            expect(state.reason).toBeDefined();
          }
        }),
      ),
    );
  });
});
