import {
  MediaSource,
  type ParticipantId,
  type ProducerId,
  type RequestId,
} from '@bedside/protocol';
import { describe, expect, test, vi } from 'vitest';
import { personOf } from './arbitrary.ts';
import { type Command, decide } from './decide.ts';
import { by, join, visitWith } from './examples.ts';
import { isProof, latest } from './ledger.ts';
import { findPresent, type LedgerEvent, type Person, type Visit } from './state.ts';

// Many commands, also where the machine has other things to do.
vi.setConfig({ testTimeout: 60_000 });

const pat = 'pat' as ParticipantId;
/** What no role over others is needed for, and more than a patient has. */
const person: Person = personOf('pat', 'patient', [
  'publish-audio',
  'publish-video',
  'publish-screen',
  'chat',
  'caption',
  'interpret',
  'whisper',
]);

const room = (participants: string[]): Command => ({
  type: 'move',
  now: 2_500,
  by: by('ana'),
  participants: participants as ParticipantId[],
  to: { type: 'room' },
  room: 'room-1',
});
const begun = visitWith(
  { reactions: true },
  join('ana', 'provider'),
  join('ben', 'specialist'),
  join('pat', 'patient', person),
);
const together = visitWith(
  { admission: 'on-admit' },
  join('ana', 'provider'),
  join('ben', 'specialist'),
  join('pat', 'patient', person),
  { type: 'admit', now: 2_400, by: by('ana') },
  room(['pat', 'ben']),
);
const held: Visit = visitWith(
  {},
  join('ana', 'provider'),
  join('ben', 'specialist'),
  join('pat', 'patient', person),
  {
    type: 'move',
    now: 2_500,
    by: by('ana'),
    participants: [pat],
    to: { type: 'hold', audio: 'none' },
    room: 'room-1',
  },
);

type Untimed<Each> = Each extends Command ? Omit<Each, 'now'> : never;
/** What they do again and again; each is given the visit as it is then, and how often it was done. */
type Habit = (visit: Visit, time: number) => Untimed<Command>[];

const comesAgain = (time: number): Untimed<Command> => ({
  ...join('pat', 'patient', person),
  request: `join-${time}` as RequestId,
});
const sends = (_: Visit, time: number): Untimed<Command>[] => {
  const producer = `producer-${time}` as ProducerId;
  const source = MediaSource.options[time % MediaSource.options.length] ?? 'camera';
  return [
    {
      type: 'produce',
      participant: pat,
      request: `produce-${time}` as RequestId,
      producer,
      source,
      paused: false,
    },
    { type: 'pause-producer', participant: pat, producer, paused: true },
    { type: 'pause-producer', participant: pat, producer, paused: false },
    { type: 'close-producer', participant: pat, producer },
  ];
};
const HABITS: Record<string, [Visit, Habit]> = {
  'leaves and comes': [begun, (_, time) => [{ type: 'leave', participant: pat }, comesAgain(time)]],
  'leaves and comes, from hold': [
    held,
    (_, time) => [{ type: 'leave', participant: pat }, comesAgain(time)],
  ],
  'leaves and comes, from a private room': [
    together,
    (_, time) => [
      { type: 'leave', participant: pat },
      comesAgain(time),
      // The clinic goes on to let them in.
      { type: 'admit', by: by('ana') },
    ],
  ],
  'drops and is back': [
    begun,
    (visit) => {
      const session = findPresent(visit, pat)?.session ?? '';
      return [
        { type: 'disconnect', participant: pat, session },
        { type: 'connect', person, session },
      ];
    },
  ],
  'opens another page': [
    begun,
    (_, time) => [{ type: 'connect', person, session: `page-${time}` }, comesAgain(time)],
  ],
  'sends and does not': [begun, sends],
  whispers: [
    begun,
    (_, time) => [
      ...(time === 0 ? [] : [{ type: 'whisper', by: by('pat'), to: null } as const]),
      { type: 'whisper', by: by('pat'), to: 'ben' as ParticipantId },
      { type: 'whisper', by: by('pat'), to: 'ana' as ParticipantId },
    ],
  ],
  interprets: [
    begun,
    (_, time) => [
      { type: 'take-turn', by: by('pat') },
      {
        type: 'set-interpreting',
        by: by('pat'),
        mode: time % 2 === 0 ? 'consecutive' : 'simultaneous',
      },
    ],
  ],
  'sees badly': [
    begun,
    (_, time) => [
      {
        type: 'report-quality',
        by: by('pat'),
        changes: [
          {
            participantId: 'ana' as ParticipantId,
            what: 'frame-rate',
            value: 1,
            threshold: 2,
            breached: time % 2 === 0,
          },
        ],
        evidence: [],
      },
    ],
  ],
  'says and shows': [
    begun,
    (_, time) => [
      { type: 'raise-hand', by: by('pat'), raised: time % 2 === 0 },
      { type: 'react', by: by('pat'), reaction: 'yes' },
      { type: 'set-languages', by: by('pat'), speaks: [time % 2 === 0 ? 'es' : 'en'] },
      { type: 'send-message', by: by('pat'), to: { type: 'all' }, kind: 'chat', text: 'a' },
    ],
  ],
};

describe('whoever has no say over others', () => {
  test.each(Object.entries(HABITS))('fills no record: who %s', (_, [begin, habit]) => {
    let visit = begin;
    let now = 3_000;
    const events: LedgerEvent[] = [];
    let done = 0;
    // As fast as a socket lets them, for five minutes.
    for (let time = 0; time < 4_500; time++)
      for (const command of habit(visit, time)) {
        now += 33;
        const decision = decide(visit, { ...command, now } as Command);
        if (!decision.ok) continue;
        done += 1;
        events.push(...decision.events);
        visit = decision.visit;
      }
    expect(done).toBeGreaterThan(100);
    expect(events.filter(isProof).length).toBeLessThan(500);
  });

  test('is not kept out: who comes and goes too often may come again after a while', () => {
    let visit = begun;
    const comings = Array.from({ length: 40 }, (_, time) => {
      const leave = decide(visit, { type: 'leave', now: 3_000, participant: pat });
      if (leave.ok) visit = leave.visit;
      const back = decide(visit, { ...comesAgain(time), now: 3_000 } as Command);
      if (back.ok) visit = back.visit;
      return back.ok ? 'in' : back.code;
    });
    expect(new Set(comings.slice(0, 32))).toEqual(new Set(['in']));
    expect(new Set(comings.slice(32))).toEqual(new Set(['rate-limited']));
    expect(decide(visit, { ...comesAgain(41), now: 63_000 } as Command).ok).toBe(true);
  });
});

test('of too many events activity goes before proof, the oldest first, and all else is in order', () => {
  const event = (at: number, type: LedgerEvent['type']): LedgerEvent => ({ type, at });
  const some = [
    event(1, 'hold-started'),
    event(2, 'producer-paused'),
    event(3, 'hold-ended'),
    event(4, 'producer-resumed'),
  ];
  expect(latest(some, 3).map(({ at }) => at)).toEqual([1, 3, 4]);
  expect(latest(some, 2).map(({ at }) => at)).toEqual([1, 3]);
  expect(latest(some, 1).map(({ at }) => at)).toEqual([3]);
  expect(latest(some, 4)).toEqual(some);
});
