import type { ParticipantId, Place } from '@bedside/protocol';
import { expect, test } from 'vitest';
import { emptyVisit } from './arbitrary.ts';
import { type Command, decide } from './decide.ts';
import { isDone, withDone } from './repeats.ts';
import { findPresent, type Visit } from './state.ts';

const ana = 'ana' as ParticipantId;
const raise = (raised: boolean, now = 1): Command => ({
  type: 'raise-hand',
  now,
  by: { participant: ana },
  raised,
});

const after = (visit: Visit, command: Command, request?: string): Visit => {
  const decision = decide(visit, command, request);
  if (!decision.ok) throw new Error(decision.code);
  return decision.visit;
};

const withAna = (): Visit => ({
  ...emptyVisit(),
  state: 'active',
  participants: [
    {
      id: ana,
      role: 'provider',
      grants: ['admit'],
      state: 'admitted',
      connection: 'connected',
      place: 'main' as Place,
      tokens: [],
      session: 'session',
      joinedAt: 0,
      admittedAt: 0,
    },
  ],
});

test('a request that was done changes nothing when it comes again, though others came in between', () => {
  const raised = after(withAna(), raise(true), 'first');
  const lowered = after(raised, raise(false), 'second');
  expect(after(lowered, raise(true), 'first')).toBe(lowered);
  expect(findPresent(after(lowered, raise(true), 'third'), ana)?.handRaisedAt).toBe(1);
});

test('a request that was refused, or changed nothing, is not remembered', () => {
  const visit = withAna();
  expect(after(visit, raise(false), 'first')).toBe(visit);
  expect(isDone(visit, 'first')).toBe(false);
});

test('requests are remembered for a minute, and no more of them than a snapshot has room for', () => {
  let visit = withDone(withAna(), 'old', 0);
  visit = withDone(visit, 'new', 59_000);
  expect(isDone(visit, 'old')).toBe(true);
  visit = withDone(visit, 'newer', 61_000);
  expect([isDone(visit, 'old'), isDone(visit, 'new')]).toEqual([false, true]);
  for (let count = 0; count < 1_000; count++) visit = withDone(visit, `${count}`, 61_000);
  expect(visit.done).toHaveLength(256);
});
