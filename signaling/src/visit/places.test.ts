import type { Grant, MoveTarget, ParticipantId, ProducerId, RequestId } from '@bedside/protocol';
import { describe, expect, test } from 'vitest';
import { NODE, personOf } from './arbitrary.ts';
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
  const whispering = join(
    'helper',
    'observer',
    personOf('helper', 'observer', ['whisper', 'publish-audio']),
  );
  const whisper = (to: string | null): Command => ({
    type: 'whisper',
    now: 3_000,
    by: by('helper'),
    to: to as ParticipantId | null,
  });
  const microphone = 'microphone of helper' as ProducerId;
  const company = after(visit, whispering, {
    type: 'produce',
    now: 2_500,
    participant: 'helper' as ParticipantId,
    request: 'request of helper' as RequestId,
    producer: microphone,
    source: 'microphone',
    paused: false,
  });
  const helper = 'helper' as ParticipantId;

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

  test('that its hearer leaves is heard by nobody else: the microphone is paused, and who whispered is told', () => {
    const heard = after(company, whisper('patient'));
    const decision = decide(heard, move(hold, ['patient']));
    expect(decision).toMatchObject({
      visit: { participants: expect.arrayContaining([where(company, 'provider')]) },
      events: expect.arrayContaining([
        {
          type: 'producer-paused',
          at: 3_000,
          participant: helper,
          source: 'microphone',
          reason: 'whisper-ended',
        },
      ]),
      effects: [
        { type: 'pause-producer', producer: microphone, paused: true },
        { type: 'tell', to: [helper], event: 'whisper-ended', payload: { to: 'patient' } },
      ],
    });
    const silent = after(heard, move(hold, ['patient']));
    expect(where(silent, 'helper')?.endpoint?.producers).toMatchObject([{ paused: true }]);
    // Who whispered says so themselves when everybody is to hear them.
    const unmute = {
      type: 'pause-producer',
      now: 4_000,
      participant: helper,
      producer: microphone,
      paused: false,
    } as const;
    expect(decide(silent, unmute).ok).toBe(true);
    // To end it is to speak to all, as it was meant.
    const ended = after(heard, whisper(null));
    expect(where(ended, 'helper')?.endpoint?.producers).toMatchObject([{ paused: false }]);
  });

  test('that its hearer leaves while the microphone is away is heard by nobody when that is back', () => {
    const { now } = whisper('patient');
    const gone = after(
      company,
      whisper('patient'),
      { type: 'media-lost', now, node: NODE.node },
      move(hold, ['patient']),
      whispering,
    );
    expect(where(gone, 'helper')?.whisperTo).toBe('patient');
    const back = decide(gone, {
      type: 'produce',
      now,
      participant: helper,
      request: 'again' as RequestId,
      producer: 'again' as ProducerId,
      source: 'microphone',
      paused: false,
    });
    expect(back).toMatchObject({
      effects: [
        { type: 'open-producer', producer: 'again' },
        { type: 'pause-producer', producer: 'again', paused: true },
        { type: 'tell', to: [helper], event: 'whisper-ended' },
      ],
    });
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
