import { BedsideError } from '@bedside/protocol';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Session, type SessionPort } from './session.ts';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

function setUp(overrides: Partial<SessionPort> = {}) {
  const log: string[] = [];
  const does = (name: string) => async () => void log.push(name);
  const port: SessionPort = {
    getToken: does('token'),
    openSocket: async () => {
      log.push('open');
      return { resumed: false };
    },
    join: does('join'),
    resume: does('resume'),
    closeSocket: () => void log.push('close-socket'),
    closeMedia: () => void log.push('close-media'),
    forgetSession: () => void log.push('forget'),
    sendLeave: () => void log.push('leave'),
    release: () => void log.push('release'),
    changed: (state, previous) => {
      if (state.phase !== previous.phase) log.push(`[${state.phase}]`);
    },
    ...overrides,
  };
  const session = new Session(port, { now: () => Date.now(), random: () => 0.5 });
  const connect = () =>
    session.dispatch({ type: 'connect', renewable: false, ...session.moment() });
  return { session, log, connect };
}

describe('Session', () => {
  it('connects in four steps and leaves in order', async () => {
    const { session, log, connect } = setUp();
    connect();
    await vi.advanceTimersByTimeAsync(0);
    session.dispatch({ type: 'leave' });
    expect(log).toEqual([
      'token',
      '[connecting]',
      'open',
      'join',
      '[connected]',
      'leave',
      'close-socket',
      'close-media',
      'forget',
      'release',
      '[disconnected]',
    ]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('tries again after a pause, and tells the error it ended with', async () => {
    let ended: BedsideError | undefined;
    const openSocket = vi
      .fn()
      .mockRejectedValue(new BedsideError('connection-failed', { cause: 'refused' }));
    const { connect } = setUp({
      openSocket,
      changed: (state, _, error) => {
        if (state.phase === 'disconnected') ended = error;
      },
    });
    connect();
    await vi.runAllTimersAsync();
    expect(openSocket.mock.calls.length).toBeGreaterThan(3);
    expect(ended).toMatchObject({ code: 'connection-failed', cause: 'refused' });
  });

  it('drops the answer of a step that is no longer wanted', async () => {
    let answer = () => {};
    let wanted: (() => boolean) | undefined;
    const { session, log, connect } = setUp({
      join: (current) => {
        wanted = current;
        return new Promise((resolve) => {
          answer = resolve;
        });
      },
    });
    connect();
    await vi.advanceTimersByTimeAsync(0);
    expect(wanted?.()).toBe(true);
    session.dispatch({ type: 'leave' });
    expect(wanted?.()).toBe(false);
    answer();
    await vi.advanceTimersByTimeAsync(0);
    expect(log.at(-1)).toBe('[disconnected]');
  });

  it('takes an event that a listener causes after the one under way', async () => {
    const order: string[] = [];
    const { session, connect } = setUp({
      changed: (state) => {
        order.push(state.phase);
        if (state.phase === 'connected') session.dispatch({ type: 'leave' });
      },
      release: () => void order.push('release'),
    });
    connect();
    await vi.advanceTimersByTimeAsync(0);
    expect(order.slice(-3)).toEqual(['connected', 'release', 'disconnected']);
  });

  it('treats a thrown value that is no BedsideError as internal', async () => {
    const { session, connect } = setUp({ join: () => Promise.reject(new TypeError('bug')) });
    connect();
    await vi.advanceTimersByTimeAsync(0);
    expect(session.state).toMatchObject({ phase: 'disconnected', failure: { code: 'internal' } });
  });
});
