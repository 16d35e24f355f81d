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

  describe('of a token that is refused in the end, says in the console once where to look', () => {
    const warned = async (error: BedsideError) => {
      const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
      const { session } = setUp({ openSocket: () => Promise.reject(error) });
      // A token that can be renewed is asked for once more before.
      session.dispatch({ type: 'connect', renewable: true, ...session.moment() });
      await vi.runAllTimersAsync();
      const said = warn.mock.calls.map(([text]) => text);
      warn.mockRestore();
      return said;
    };

    it('at the gateway', async () => {
      const said = await warned(new BedsideError('unauthorized'));
      expect(said).toEqual([expect.stringContaining('bedside_gateway_token_failures_total')]);
    });

    it('at a claim, by its name alone', async () => {
      const cause = new BedsideError('invalid-request', { field: 'visit' });
      const said = await warned(new BedsideError('unauthorized', { cause }));
      expect(said).toEqual([expect.stringMatching(/no token of a visit: see its `visit`\.$/)]);
    });

    it('at what is no JWT, without a word of it', async () => {
      const cause = new SyntaxError('"secret" is not valid JSON');
      const said = await warned(new BedsideError('unauthorized', { cause }));
      expect(said).toEqual([expect.stringMatching(/no token of a visit\.$/)]);
    });

    it('and of nothing else', async () => {
      expect(await warned(new BedsideError('visit-ended'))).toEqual([]);
    });
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
