import type { CloseReason, ErrorCode } from '@bedside/protocol';

/**
 * The session of one visit, pure: no clock, randomness or I/O. Times and random numbers come in with
 * the events. `session.ts` is the only one that runs it.
 *
 * It works by goals: the facts (a token, an open socket, media, in step with the gateway) are brought
 * about in that order, one step at a time. Whatever is lost, the next missing fact is the next step.
 */

export type Phase = 'idle' | 'connecting' | 'connected' | 'reconnecting' | 'disconnected';
/** What is under way. `wait` is a pause before the next attempt. */
export type Step = 'none' | 'wait' | 'token' | 'socket' | 'join' | 'resume';
export type EndReason = 'left' | 'failed' | Exclude<CloseReason, 'shutting-down' | 'moved'>;

export interface Failure {
  code: ErrorCode;
  retryable: boolean;
  retryAfterMs?: number | undefined;
}

export interface SessionState {
  phase: Phase;
  step: Step;
  /** Of the step under way; answers to older steps carry an older one and change nothing. */
  ticket: number;
  /** A tokenProvider exists, so a refused or expired token can be replaced. */
  renewable: boolean;
  /** A reconnect is never given up. */
  endless: boolean;
  token: boolean;
  socket: boolean;
  /** Transports live, as far as this page knows. */
  media: boolean;
  /** This socket's view of visit and consumers is the gateway's. */
  synced: boolean;
  /** Failures in a row; chooses the backoff. */
  attempt: number;
  /** When the present trouble began, milliseconds; undefined while there is none. */
  since: number | undefined;
  /** The one fresh token that a refusal is worth was asked for. */
  tokenRetried: boolean;
  /** Media failures close to each other, and when the last one was. */
  mediaFailures: number;
  mediaFailedAt: number;
  reason: EndReason | undefined;
  failure: Failure | undefined;
}

/** `at`: milliseconds of a steady clock. `random`: 0 to 1, for jitter. */
interface Moment {
  at: number;
  random: number;
}

export type SessionEvent =
  | ({ type: 'connect'; renewable: boolean; endless?: boolean } & Moment)
  | { type: 'leave' }
  | { type: 'token-ready'; ticket: number }
  | ({ type: 'step-failed'; ticket: number; failure: Failure } & Moment)
  | ({ type: 'welcome'; ticket: number; resumed: boolean } & Moment)
  | { type: 'joined'; ticket: number }
  | { type: 'resumed'; ticket: number }
  | ({ type: 'socket-lost' } & Moment)
  | ({ type: 'closing'; reason: CloseReason; retryAfterMs?: number | undefined } & Moment)
  | ({ type: 'media-failed' } & Moment)
  | { type: 'wait-over'; ticket: number }
  /** The network changed or came back: do not sit out a pause, and check what seems alive. */
  | { type: 'network-changed' }
  /** A message was missed, or a command contradicts what this page knows. */
  | { type: 'out-of-step' };

export type SessionEffect =
  | { type: 'get-token'; ticket: number }
  | { type: 'open-socket'; ticket: number }
  | { type: 'join'; ticket: number }
  | { type: 'resume'; ticket: number }
  | { type: 'wait'; ticket: number; ms: number }
  | { type: 'forget-session' }
  | { type: 'close-socket' }
  | { type: 'close-media' }
  | { type: 'send-leave' }
  /** The visit is over for this page: stop tracks, timers and listeners. */
  | { type: 'release' };

export interface Transition {
  state: SessionState;
  effects: SessionEffect[];
}

/** A first connect gives up after this long, a reconnect after the longer time. Milliseconds. */
export const CONNECT_GIVE_UP_MS = 30_000;
export const RECONNECT_GIVE_UP_MS = 120_000;
/** Media failures within this time of each other count as one trouble; at this many it is given up. */
export const MEDIA_TROUBLE_MS = 60_000;
export const MEDIA_FAILURES_MAX = 5;
const BACKOFF_FIRST_MS = 250;
const BACKOFF_MAX_MS = 8_000;

/**
 * Pause before attempt `attempt` (0 is the first): doubling, capped, half of it random, so that the
 * pages of a gateway that died do not come back in one moment.
 */
export function backoffMs(attempt: number, random: number): number {
  const full = Math.min(BACKOFF_FIRST_MS * 2 ** Math.min(attempt, 16), BACKOFF_MAX_MS);
  return Math.round(full * (0.5 + 0.5 * random));
}

export const initialState: SessionState = {
  phase: 'idle',
  step: 'none',
  ticket: 0,
  renewable: false,
  endless: false,
  token: false,
  socket: false,
  media: false,
  synced: false,
  attempt: 0,
  since: undefined,
  tokenRetried: false,
  mediaFailures: 0,
  mediaFailedAt: 0,
  reason: undefined,
  failure: undefined,
};

export function transition(state: SessionState, event: SessionEvent): Transition {
  if (event.type === 'connect') {
    if (isLive(state)) return stay(state);
    return proceed(
      {
        ...initialState,
        phase: 'connecting',
        ticket: state.ticket,
        renewable: event.renewable,
        endless: event.endless ?? false,
        since: event.at,
      },
      [],
    );
  }
  if (!isLive(state)) return stay(state);
  if ('ticket' in event && event.ticket !== state.ticket) return stay(state);

  switch (event.type) {
    case 'leave':
      return end(state, 'left', undefined, state.socket ? [{ type: 'send-leave' }] : []);
    case 'token-ready':
      return proceed({ ...state, token: true }, []);
    case 'welcome':
      // A session that did not survive takes its transports with it.
      return state.media && !event.resumed
        ? proceed({ ...state, socket: true, media: false, tokenRetried: false }, [
            { type: 'close-media' },
          ])
        : proceed({ ...state, socket: true, tokenRetried: false }, []);
    case 'joined':
    case 'resumed':
      return proceed({ ...state, media: true, synced: true }, []);
    case 'wait-over':
      return proceed(state, []);
    case 'step-failed':
      return stepFailed(state, event);
    case 'socket-lost':
      return retry({ ...state, socket: false, synced: false }, event, [{ type: 'close-socket' }]);
    case 'closing':
      return closing(state, event);
    case 'media-failed':
      return mediaFailed(state, event);
    case 'network-changed':
      if (state.step === 'wait') return proceed({ ...state, attempt: 0 }, []);
      return state.phase === 'connected' ? proceed({ ...state, synced: false }, []) : stay(state);
    case 'out-of-step':
      return state.phase === 'connected' && state.step === 'none'
        ? proceed({ ...state, synced: false }, [])
        : stay(state);
  }
}

const isLive = (state: SessionState): boolean =>
  state.phase !== 'idle' && state.phase !== 'disconnected';

const stay = (state: SessionState): Transition => ({ state, effects: [] });

/** The next missing fact is the next step; with none missing the session is connected. */
function proceed(state: SessionState, effects: SessionEffect[]): Transition {
  const ticket = state.ticket + 1;
  const begin = (step: Step, effect: SessionEffect): Transition => ({
    state: { ...state, step, ticket },
    effects: [...effects, effect],
  });
  if (!state.token) return begin('token', { type: 'get-token', ticket });
  if (!state.socket) return begin('socket', { type: 'open-socket', ticket });
  if (!state.media) return begin('join', { type: 'join', ticket });
  if (!state.synced) return begin('resume', { type: 'resume', ticket });
  return {
    state: {
      ...state,
      phase: 'connected',
      step: 'none',
      ticket,
      attempt: 0,
      since: undefined,
      failure: undefined,
    },
    effects,
  };
}

/** Pause, then proceed; or give up where the trouble has lasted too long. */
function retry(
  state: SessionState,
  moment: Moment,
  effects: SessionEffect[],
  failure: Failure = { code: 'connection-failed', retryable: true },
): Transition {
  const phase = state.phase === 'connecting' ? 'connecting' : 'reconnecting';
  const since = state.since ?? moment.at;
  const limit = phase === 'connecting' ? CONNECT_GIVE_UP_MS : RECONNECT_GIVE_UP_MS;
  const endless = state.endless && phase === 'reconnecting';
  if (!endless && moment.at - since >= limit) return end(state, 'failed', failure, effects);
  const ticket = state.ticket + 1;
  const backoff = backoffMs(state.attempt, moment.random);
  // What the server asks for is a least time; jitter goes on top, or all pages would obey at once.
  const ms =
    failure.retryAfterMs === undefined ? backoff : Math.min(failure.retryAfterMs, limit) + backoff;
  return {
    state: { ...state, phase, step: 'wait', ticket, since, attempt: state.attempt + 1, failure },
    effects: [...effects, { type: 'wait', ticket, ms }],
  };
}

function end(
  state: SessionState,
  reason: EndReason,
  failure: Failure | undefined,
  before: SessionEffect[] = [],
): Transition {
  return {
    state: {
      ...initialState,
      phase: 'disconnected',
      ticket: state.ticket + 1,
      renewable: state.renewable,
      reason,
      failure,
    },
    effects: [
      ...before,
      { type: 'close-socket' },
      { type: 'close-media' },
      { type: 'forget-session' },
      { type: 'release' },
    ],
  };
}

function stepFailed(
  state: SessionState,
  { failure, at, random }: { failure: Failure } & Moment,
): Transition {
  const moment = { at, random };
  const { code } = failure;
  switch (code) {
    case 'visit-ended':
    case 'removed':
    case 'replaced':
      return end(state, code, failure);
    case 'unauthorized': {
      if (!state.renewable || state.tokenRetried) return end(state, 'failed', failure);
      const closed = { ...state, token: false, socket: false, synced: false, tokenRetried: true };
      return proceed(closed, [{ type: 'close-socket' }]);
    }
    case 'token-unavailable':
      // Nobody to ask again.
      if (!state.renewable) return end(state, 'failed', failure);
  }
  if (
    state.step === 'resume' &&
    (code === 'not-joined' || code === 'media-lost' || code === 'session-expired')
  ) {
    return mediaFailed(state, moment);
  }
  if (code === 'session-expired') {
    const fresh = { ...state, socket: false, synced: false, media: false };
    return retry(
      fresh,
      moment,
      [{ type: 'close-socket' }, { type: 'forget-session' }, { type: 'close-media' }],
      failure,
    );
  }
  if (!failure.retryable) return end(state, 'failed', failure);
  // No answer in time: the socket only looks alive. The same after `moved`: this gateway is the wrong one.
  if (
    state.socket &&
    (code === 'deadline' ||
      code === 'moved' ||
      code === 'shutting-down' ||
      code === 'connection-failed')
  ) {
    return retry(
      { ...state, socket: false, synced: false },
      moment,
      [{ type: 'close-socket' }],
      failure,
    );
  }
  return retry(state, moment, [], failure);
}

function closing(
  state: SessionState,
  event: { reason: CloseReason; retryAfterMs?: number | undefined } & Moment,
): Transition {
  const closed = { ...state, socket: false, synced: false };
  switch (event.reason) {
    case 'shutting-down':
    case 'moved':
      return retry(closed, event, [{ type: 'close-socket' }], {
        code: event.reason,
        retryable: true,
        retryAfterMs: event.retryAfterMs,
      });
    case 'token-expired':
      return state.renewable && !state.tokenRetried
        ? retry({ ...closed, token: false, tokenRetried: true }, event, [{ type: 'close-socket' }])
        : end(state, 'token-expired', undefined);
    default:
      return end(state, event.reason, undefined);
  }
}

function mediaFailed(state: SessionState, moment: Moment): Transition {
  const close: SessionEffect[] = [{ type: 'close-media' }];
  const mediaFailures =
    moment.at - state.mediaFailedAt < MEDIA_TROUBLE_MS ? state.mediaFailures + 1 : 1;
  const lost = { ...state, media: false, synced: false, mediaFailures, mediaFailedAt: moment.at };
  if (mediaFailures >= MEDIA_FAILURES_MAX) {
    return end(state, 'failed', { code: 'media-unavailable', retryable: true }, close);
  }
  const phase = state.phase === 'connecting' ? 'connecting' : 'reconnecting';
  const since = state.since ?? moment.at;
  if (!state.socket) return { state: lost, effects: close };
  // The first failure is answered at once: the picture is frozen. From the second on there may be a cause.
  return mediaFailures === 1
    ? proceed({ ...lost, phase, since }, close)
    : retry({ ...lost, attempt: Math.max(lost.attempt, mediaFailures - 2) }, moment, close, {
        code: 'media-lost',
        retryable: true,
      });
}
