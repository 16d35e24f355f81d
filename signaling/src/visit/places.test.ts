import type { Grant, MoveTarget, ParticipantId } from '@bedside/protocol';
import { describe, expect, test } from 'vitest';
import { personOf } from './arbitrary.ts';
import { type Command, decide } from './decide.ts';
import { after, by, join, visitWith } from './examples.ts';
import { findPresent, type Visit } from './state.ts';

const move = (to: MoveTarget, participants: string[], giver = 'provider'): Command => ({
  type: 'move',
  now: 3_000,
  by: by(giver),
  participants: participants as ParticipantId[],
  to,
  room: 'room-1',
});
const hold = { type: 'hold', audio: 'music', notice: 'a moment' } as const;
const main = { type: 'main' } as const;
const room = { type: 'room' } as const;

const visit = visitWith(
  {},
  join('provider', 'provider'),
  join('specialist', 'specialist'),
  join('patient', 'patient'),
);
const where = (of: Visit, id: string) => findPresent(of, id as ParticipantId);
const events = (of: Visit, command: Command) => {
  const decision = decide(of, command);
  return decision.ok ? decision.events.map(({ at, by: who, ...event }) => event) : decision.code;
};

describe('to move', () => {
  test('into a new room, into one that is open, and back is on record as privacy', () => {
    const opening = move(room, ['provider', 'specialist']);
    expect(events(visit, opening)).toEqual([
      { type: 'privacy-started', place: 'room-1', participants: ['provider', 'specialist'] },
    ]);
    const apart = after(visit, opening);
    const joining = move({ type: 'room', room: 'room-1' }, ['patient']);
    expect(events(apart, joining)).toEqual([
      {
        type: 'privacy-changed',
        place: 'room-1',
        participants: ['provider', 'specialist', 'patient'],
      },
    ]);
    const back = move(main, ['provider', 'specialist']);
    expect(events(apart, back)).toEqual([
      { type: 'privacy-ended', place: 'room-1', participants: ['provider', 'specialist'] },
    ]);
    expect(where(after(apart, back), 'specialist')?.place).toBe('main');
  });

  test('to hold keeps what they are told and hear meanwhile, until they are called back', () => {
    const held = after(visit, move(hold, ['patient']));
    expect(where(held, 'patient')).toMatchObject({
      place: 'hold',
      hold: { notice: 'a moment', audio: 'music' },
    });
    const again = after(held, move({ type: 'hold', audio: 'none' }, ['patient']));
    expect(where(again, 'patient')?.hold).toEqual({ audio: 'none' });
    expect(where(after(held, move(main, ['patient'])), 'patient')?.hold).toBeUndefined();
  });

  test('straight from one into the other is both on record', () => {
    const held = after(visit, move(hold, ['patient']));
    expect(events(held, move(room, ['patient', 'provider']))).toEqual([
      { type: 'hold-ended', participant: 'patient' },
      { type: 'privacy-started', place: 'room-1', participants: ['provider', 'patient'] },
    ]);
  });

  test.each<[string, MoveTarget, string[]]>([
    ['into a room that is not open', { type: 'room', room: 'room-2' }, ['patient']],
    [
      'into a room that is called as a place that is none',
      { type: 'room', room: 'hold' },
      ['patient'],
    ],
    ['somebody who is not in', main, ['nobody']],
    ['some, of whom one is not in', hold, ['patient', 'nobody']],
  ])('%s moves nobody', (_, to, participants) => {
    expect(decide(visit, move(to, participants))).toEqual({ ok: false, code: 'not-found' });
  });

  test.each<[string, Grant, MoveTarget, MoveTarget]>([
    ['on hold', 'private-room', hold, hold],
    ['back from hold', 'private-room', hold, main],
    ['apart', 'hold', room, room],
    ['back from a private room', 'hold', room, main],
    ['out of a private room onto hold', 'hold', room, hold],
  ])('%s needs the grant of where they go and of where they are', (_, grant, first, then) => {
    const helper = personOf('helper', 'observer', [grant]);
    const start = after(visit, join('helper', 'observer', helper));
    const moved = first === then ? start : after(start, move(first, ['patient']));
    expect(decide(moved, move(then, ['patient'], 'helper'))).toEqual({
      ok: false,
      code: 'forbidden',
    });
  });

  test('nobody who waits: they are let in, or not', () => {
    const waiting = visitWith(
      { admission: 'on-admit' },
      join('provider', 'provider'),
      join('patient', 'patient'),
    );
    expect(decide(waiting, move(hold, ['patient']))).toEqual({ ok: false, code: 'not-found' });
  });
});

describe('a whisper', () => {
  const whispering = join('helper', 'observer', personOf('helper', 'observer', ['whisper']));
  const whisper = (to: string | null): Command => ({
    type: 'whisper',
    now: 3_000,
    by: by('helper'),
    to: to as ParticipantId | null,
  });
  const company = after(visit, whispering);

  test('to another ends the one before', () => {
    expect(events(after(company, whisper('patient')), whisper('provider'))).toEqual([
      { type: 'whisper-ended', participant: 'helper', participants: ['patient'] },
      { type: 'whisper-started', participant: 'helper', participants: ['provider'] },
    ]);
  });

  test('ends when one of the two is elsewhere, or gone', () => {
    const heard = after(company, whisper('patient'));
    for (const [participant, command] of [
      ['patient', move(hold, ['patient'])],
      ['helper', move(room, ['helper'])],
      ['patient', { type: 'leave', now: 4_000, participant: 'patient' as ParticipantId }],
      ['helper', { type: 'leave', now: 4_000, participant: 'helper' as ParticipantId }],
    ] as const) {
      expect(events(heard, command), participant).toContainEqual({
        type: 'whisper-ended',
        participant: 'helper',
        participants: ['patient'],
      });
      expect(where(after(heard, command), 'helper')?.whisperTo).toBeUndefined();
    }
  });

  test('reaches nobody who does not hear the one who whispers', () => {
    const apart = after(company, move(room, ['patient']));
    const held = after(company, move(hold, ['patient', 'helper']));
    for (const [at, to] of [
      [apart, 'patient'],
      [held, 'patient'],
      [company, 'helper'],
      [company, 'nobody'],
    ] as const)
      expect(decide(at, whisper(to))).toEqual({ ok: false, code: 'not-found' });
  });
});
