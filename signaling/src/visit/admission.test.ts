import type { Grant, MoveTarget, ParticipantId } from '@bedside/protocol';
import { describe, expect, test, vi } from 'vitest';
import { type Moment, onHistories, outcomeOf, personOf } from './arbitrary.ts';
import { type Command, decide } from './decide.ts';
import { after, by, join, leave, visitWith } from './examples.ts';
import { findPresent, type Person, present, type Visit } from './state.ts';

// Many histories, also where the machine has other things to do.
vi.setConfig({ testTimeout: 60_000 });

const knocks = ({ invites }: Visit, invite: string | undefined) =>
  invites?.some(({ id, knock }) => id === invite && knock) ?? false;

const isAttended = ({ participants }: Visit) =>
  participants.some(
    ({ state, connection, grants }) =>
      state === 'admitted' && connection === 'connected' && grants.includes('admit'),
  );

/** The person whose token a page shows in this moment, where it was taken. */
const shown = ({ command, decision }: Moment): Person | undefined =>
  decision.ok && 'person' in command && typeof command.person === 'object'
    ? command.person
    : undefined;

describe('on any history', () => {
  test('who waits has a reason to: the visit’s policy, or a knock', () => {
    onHistories((moments) => {
      for (const { after: visit } of moments)
        for (const { state, grants, invite } of present(visit)) {
          if (state !== 'waiting' || knocks(visit, invite)) continue;
          expect(grants).not.toContain('admit');
          expect(visit.policy.admission).not.toBe('auto');
          if (visit.policy.admission === 'when-attended') expect(isAttended(visit)).toBe(false);
        }
    });
  });

  test('nobody comes in by themselves who has to wait', () => {
    onHistories((moments) => {
      for (const moment of moments) {
        const { before, after: visit } = moment;
        for (const { type, participant, by: admitting } of outcomeOf(moment).events) {
          if (type !== 'participant-admitted' || admitting !== undefined) continue;
          // From the audience of a lecture, or to it.
          if (participant && findPresent(before, participant)?.state === 'admitted') continue;
          const who = visit.participants.find(({ id }) => id === participant);
          expect(knocks(visit, who?.invite)).toBe(false);
          const isInvited = visit.invites?.some(({ id }) => id === who?.invite);
          if (who?.grants.includes('admit') || isInvited) continue;
          expect(visit.policy.admission).not.toBe('on-admit');
          if (visit.policy.admission === 'when-attended') expect(isAttended(visit)).toBe(true);
        }
      }
    });
  });

  test('who drops and comes back in time is not made to wait again', () => {
    onHistories((moments) => {
      for (const { before, after: visit } of moments)
        for (const { id, state } of present(before))
          if (state === 'admitted')
            expect(findPresent(visit, id)?.state ?? 'left').not.toBe('waiting');
    });
  });

  test('no token of somebody who was removed is good for anything again', () => {
    onHistories((moments) => {
      const used = new Map<ParticipantId, Set<string>>();
      const barred = new Map<ParticipantId, Set<string>>();
      for (const moment of moments) {
        const { command, decision, after: visit } = moment;
        const person = shown(moment);
        if (person && findPresent(visit, person.id)) {
          expect([...(barred.get(person.id) ?? [])]).not.toContain(person.token);
          used.set(person.id, (used.get(person.id) ?? new Set()).add(person.token));
        }
        if (command.type !== 'remove' || !decision.ok) continue;
        barred.set(command.participant, new Set(used.get(command.participant)));
      }
    });
  });
});

describe('of two who admit the same patient', () => {
  const visit = visitWith(
    { admission: 'on-admit' },
    join('provider', 'provider'),
    join('moderator', 'moderator'),
    join('patient', 'patient'),
  );
  const admitting = (who: string) =>
    ({
      type: 'admit',
      now: 3_000,
      by: by(who),
      participants: ['patient' as ParticipantId],
    }) as const;

  test('one wins, the other is told', () => {
    const won = decide(visit, admitting('provider'));
    expect(won).toMatchObject({
      ok: true,
      events: [{ type: 'participant-admitted', participant: 'patient', by: 'provider' }],
    });
    if (won.ok)
      expect(decide(won.visit, admitting('moderator'))).toEqual({
        ok: false,
        code: 'already-admitted',
      });
  });

  test('nobody wins who names somebody that is not there', () => {
    const ids = ['patient', 'nobody'] as ParticipantId[];
    expect(decide(visit, { ...admitting('provider'), participants: ids })).toEqual({
      ok: false,
      code: 'not-found',
    });
  });
});

describe('a token', () => {
  test('that was shown before somebody left and came back with another is barred, too', () => {
    const again = { ...personOf('patient', 'patient'), token: 'another token' };
    const visit = visitWith(
      {},
      join('provider', 'provider'),
      join('patient', 'patient'),
      leave('patient'),
      join('patient', 'patient', again),
      { type: 'remove', now: 4_000, by: by('provider'), participant: 'patient' as ParticipantId },
    );
    for (const person of [again, personOf('patient', 'patient')])
      expect(decide(visit, join('patient', 'patient', person))).toEqual({
        ok: false,
        code: 'removed',
      });
    const fresh = { ...again, token: 'fresh token' };
    const back = after(visit, join('patient', 'patient', fresh));
    // Nor is it good to be renewed with.
    expect(decide(back, { type: 'identify', now: 5_000, person: again })).toEqual({
      ok: false,
      code: 'unauthorized',
    });
  });

  test('that makes who waits somebody who may admit lets them in, and with them who waits for that', () => {
    const visit = visitWith(
      { admission: 'when-attended' },
      join('patient', 'patient'),
      join('nurse', 'caregiver'),
      { type: 'identify', now: 3_000, person: personOf('nurse', 'caregiver', ['admit']) },
    );
    expect(present(visit).map(({ state }) => state)).toEqual(['admitted', 'admitted']);
    expect(visit).toMatchObject({ state: 'active', responsible: 'nurse' });
  });
});

test('the clinic’s queue denies who waits, and sends nobody away who is in, unless that is granted', () => {
  const visit = visitWith(
    { admission: 'on-admit' },
    join('provider', 'provider'),
    join('patient', 'patient'),
  );
  const remove = (participant: string, ...more: Grant[]) =>
    decide(visit, {
      type: 'remove',
      now: 4_000,
      by: { staff: 'desk' as ParticipantId, grants: ['admit', ...more] },
      participant: participant as ParticipantId,
    });
  expect(remove('patient')).toMatchObject({ events: [{ reason: 'denied', by: 'desk' }] });
  expect(remove('provider')).toEqual({ ok: false, code: 'forbidden' });
  expect(remove('provider', 'remove').ok).toBe(true);
});

describe('to leave and come back', () => {
  const here = [
    join('provider', 'provider'),
    join('specialist', 'specialist'),
    join('patient', 'patient'),
    join('interpreter', 'interpreter'),
  ];
  const placeAfter = (...commands: Parameters<typeof after>[1][]) =>
    findPresent(
      visitWith({}, ...here, ...commands, leave('patient'), join('patient', 'patient')),
      'patient' as ParticipantId,
    )?.place;
  const move = (to: MoveTarget, ...participants: string[]): Command => ({
    type: 'move',
    now: 3_000,
    by: by('provider'),
    participants: participants as ParticipantId[],
    to,
    room: 'room-1',
  });

  test('is no way out of hold', () => {
    expect(placeAfter(move({ type: 'hold', audio: 'none' }, 'patient'))).toBe('hold');
  });

  test('is no way out of a private room to those whom it keeps out', () => {
    expect(placeAfter(move({ type: 'room' }, 'patient', 'interpreter'))).toBe('room-1');
  });

  test('leads to the main room where the private room is no more', () => {
    expect(placeAfter(move({ type: 'room' }, 'patient', 'interpreter'), leave('interpreter'))).toBe(
      'main',
    );
    expect(placeAfter()).toBe('main');
    expect(placeAfter(move({ type: 'room' }, 'patient'))).toBe('main');
  });

  test('after a removal is to come as new', () => {
    const patient = 'patient' as ParticipantId;
    const fresh = { ...personOf('patient', 'patient'), token: 'fresh token' };
    for (const to of [{ type: 'room' }, { type: 'hold', audio: 'none' }] as const) {
      const back = visitWith(
        { admission: 'on-admit' },
        ...here,
        { type: 'admit', now: 2_500, by: by('provider') },
        { type: 'set-languages', now: 2_600, by: by('patient'), speaks: ['so'] },
        move(to, 'patient', 'interpreter'),
        { type: 'remove', now: 4_000, by: by('provider'), participant: patient },
        join('patient', 'patient', fresh),
      );
      const participant = findPresent(back, patient);
      expect(participant).toMatchObject({ state: 'waiting', place: 'main' });
      expect(participant?.speaks).toBeUndefined();
      expect(participant?.hold).toBeUndefined();
    }
  });

  test('keeps what they said of their languages, unless the token says another one', () => {
    const said = { speaks: ['es'], hears: ['es', 'en'], signs: false, duckDb: -20 };
    const backWith = (person: Person) =>
      findPresent(
        visitWith(
          {},
          ...here,
          { type: 'set-languages', now: 2_600, by: by('patient'), ...said },
          leave('patient'),
          join('patient', 'patient', person),
        ),
        person.id,
      );
    expect(backWith(personOf('patient', 'patient'))).toMatchObject(said);
    const other = backWith({ ...personOf('patient', 'patient'), lang: 'so' });
    expect(other).toMatchObject({ lang: 'so' });
    expect(other).not.toHaveProperty('speaks');
  });
});
