import type { Role } from '@bedside/protocol';
import { change, type Decision, type Of, refuse, unchanged } from './decision.ts';
import { callExhausted, callTimeouts } from './invites.ts';
import { over } from './presence.ts';
import { type LedgerEvent, present, type Visit } from './state.ts';

/** What happens to a visit because time passes. */

/** When the visit must be looked at next, in milliseconds since 1970; `tick` does what is due then. */
export function nextDeadline(visit: Visit): number | undefined {
  if (visit.state === 'ended') return undefined;
  const times = [unattendedUntil(visit), noShowAt(visit)].filter((time) => time !== undefined);
  for (const { state, until } of visit.calls ?? []) if (state === 'ringing') times.push(until);
  return times.length > 0 ? Math.min(...times) : undefined;
}

/**
 * When what is due has happened: where nobody is in, at its time, however late it is looked at; else now,
 * since all that they did meanwhile came before.
 */
export function tickAt(visit: Visit, now: number): number {
  const due = nextDeadline(visit);
  return due !== undefined && due < now && present(visit).length === 0 ? due : now;
}

/** One thing that is due; what else is due comes with the next tick. */
export function tick(visit: Visit, { now }: Of<'tick'>): Decision {
  if (visit.state === 'ended') return unchanged(visit);
  if (isDue(unattendedUntil(visit), now)) return over(visit, now, { reason: 'unattended' });
  if (isDue(noShowAt(visit), now)) return noShows(visit, now);
  const [late] = callTimeouts(visit, now);
  if (!late) return unchanged(visit);
  return callExhausted(visit, { type: 'call-exhausted', now, call: late.id, group: late.index });
}

/** The portal shares how long the wait may be. */
export function share(visit: Visit, { ahead, expectedAt }: Of<'wait'>): Decision {
  if (visit.state === 'ended') return refuse('visit-ended');
  if (visit.wait?.ahead === ahead && visit.wait?.expectedAt === expectedAt) return unchanged(visit);
  const wait = {
    ...(ahead === undefined ? {} : { ahead }),
    ...(expectedAt === undefined ? {} : { expectedAt }),
  };
  return change(visit, { wait }, []);
}

const isDue = (time: number | undefined, now: number): boolean => time !== undefined && time <= now;

function unattendedUntil({ unattendedSince, policy }: Visit): number | undefined {
  return unattendedSince === undefined ? undefined : unattendedSince + policy.unattendedMs;
}

function noShowAt({ policy, noShows: reported }: Visit): number | undefined {
  const { startsAt, noShowAfterMs } = policy;
  return reported === undefined && startsAt !== undefined && noShowAfterMs !== undefined
    ? startsAt + noShowAfterMs
    : undefined;
}

function noShows(visit: Visit, now: number): Decision {
  const missing: Role[] = [];
  if (!visit.participants.some(({ role }) => role === 'patient')) missing.push('patient');
  if (!visit.participants.some(({ grants }) => grants.includes('admit'))) missing.push('provider');
  const events = missing.map((role): LedgerEvent => ({ type: 'no-show', at: now, role }));
  return change(visit, { noShows: missing }, events);
}
