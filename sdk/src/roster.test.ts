import type { ParticipantView, VisitView } from '@bedside/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ParticipantState } from './participant.ts';
import { Roster } from './roster.ts';

const person = (id: string, more: Partial<ParticipantView> = {}): ParticipantView => ({
  participantId: id as never,
  role: 'patient',
  state: 'admitted',
  connection: 'connected',
  place: 'main',
  producers: [],
  ...more,
});
const visit = (seq: number, ...participants: ParticipantView[]): VisitView => ({
  visitId: 'v1' as never,
  kind: 'visit',
  state: 'active',
  interpreting: 'simultaneous',
  reactions: false,
  seq,
  participants,
});
function setUp() {
  const log: string[] = [];
  const self = new ParticipantState('me' as never, 'patient', true);
  const roster = new Roster(self, {
    visitStateChanged: (state) => log.push(`visit ${state}`),
    visitChanged: () => log.push('visit'),
    connected: ({ id }) => log.push(`+${id}`),
    disconnected: ({ id }) => log.push(`-${id}`),
    changed: ({ id }) => log.push(`~${id}`),
    moved: ({ id, place }, before) => log.push(`${id} ${before} > ${place}`),
  });
  return { roster, self, log };
}
const joined = (id: string) => ({ type: 'participant', participant: person(id) }) as const;

describe('Roster', () => {
  it('tells who came, changed and went', () => {
    const { roster, log } = setUp();
    roster.reset('me' as never, visit(1, person('me'), person('a')));
    roster.applyChanges(2, [joined('b'), joined('a')]);
    roster.applyChanges(3, [
      { type: 'participant-left', participantId: 'a' as never, reason: 'left' },
    ]);
    expect(log).toEqual(['visit active', 'visit', '~me', '+a', '+b', '~a', '-a']);
    expect([...roster.participants.keys()]).toEqual(['b']);
  });

  it('ignores what is old', () => {
    const { roster } = setUp();
    roster.reset('me' as never, visit(5, person('a')));
    expect(roster.applyChanges(5, [joined('b')])).toBe(true);
    roster.applyView(visit(4));
    expect([...roster.participants.keys()]).toEqual(['a']);
  });

  it('tells of a move when all of it is done: who is here is right at every step', () => {
    const { roster, self, log } = setUp();
    self.id = 'me' as never;
    roster.reset('me' as never, visit(1, person('me'), person('a'), person('b')));
    const isHere = (id: string) => roster.find(id as never)?.isHere;
    expect(['me', 'a', 'b'].map(isHere)).toEqual([true, true, true]);
    const to = (place: string, ...ids: string[]) =>
      ids.map(
        (id) =>
          ({ type: 'participant', participant: person(id, { place: place as never }) }) as const,
      );
    log.length = 0;
    roster.applyChanges(2, to('room.1', 'me', 'a'));
    expect(['me', 'a', 'b'].map(isHere)).toEqual([true, true, false]);
    expect(log).toEqual(['~me', '~a', '~b', 'me main > room.1', 'a main > room.1']);
    log.length = 0;
    roster.applyChanges(3, to('hold', 'me', 'a'));
    expect(['me', 'a', 'b'].map(isHere)).toEqual([false, false, false]);
    roster.applyChanges(4, to('main', 'me'));
    expect(['me', 'a', 'b'].map(isHere)).toEqual([true, false, true]);
  });

  it('knows the visit as a whole, and tells of it once for changes that come together', () => {
    const { roster, log } = setUp();
    roster.reset('me' as never, visit(1));
    log.length = 0;
    const { visitId, kind, seq, participants, ...info } = visit(2);
    const calls = [
      {
        callId: 'c' as never,
        role: 'specialist',
        state: 'ringing',
        group: 0,
        groups: 1,
        until: 9,
      } as const,
    ];
    roster.applyChanges(2, [
      { type: 'visit', ...info, responsible: 'a' as never },
      { type: 'calls', calls },
    ]);
    expect(roster.info).toMatchObject({ responsible: 'a', interpreting: 'simultaneous' });
    expect(roster.calls).toEqual(calls);
    roster.applyChanges(3, []);
    expect(log).toEqual(['visit']);
  });

  it('notices a gap, and applies what it has', () => {
    const { roster } = setUp();
    roster.reset('me' as never, visit(5));
    expect(roster.applyChanges(7, [joined('b')])).toBe(false);
    expect(roster.participants.has('b' as never)).toBe(true);
  });

  it('believes a new socket whatever the number', () => {
    const { roster } = setUp();
    roster.reset('me' as never, visit(9, person('a')));
    roster.reset('me' as never, visit(2, person('b')));
    expect([...roster.participants.keys()]).toEqual(['b']);
  });

  it('after any changes and a last view, holds exactly the others of that view', () => {
    const ids = ['a', 'b', 'c', 'me'];
    const change = fc.oneof(
      fc.constantFrom(...ids).map(joined),
      fc
        .constantFrom(...ids)
        .map(
          (id) =>
            ({ type: 'participant-left', participantId: id as never, reason: 'left' }) as const,
        ),
    );
    fc.assert(
      fc.property(fc.array(change), fc.subarray(ids), (changes, present) => {
        const { roster } = setUp();
        roster.reset('me' as never, visit(0));
        changes.forEach((one, index) => {
          roster.applyChanges(index + 1, [one]);
        });
        roster.applyView(visit(changes.length, ...present.map((id) => person(id))));
        expect([...roster.participants.keys()].sort()).toEqual(
          present.filter((id) => id !== 'me').sort(),
        );
      }),
    );
  });
});
