import type { ParticipantId } from '@bedside/protocol';
import { describe, expect, test, vi } from 'vitest';
import { onHistories, personOf } from './arbitrary.ts';
import { nextDeadline } from './deadlines.ts';
import { decide } from './decide.ts';
import { after, by, join, leave, visitWith } from './examples.ts';
import type { Visit } from './state.ts';

// Many histories, also where the machine has other things to do.
vi.setConfig({ testTimeout: 60_000 });

const ableIn = ({ participants }: Visit) =>
  participants.filter(({ state, grants }) => state === 'admitted' && grants.includes('admit'));

describe('on any history', () => {
  test('somebody who may answers for the visit while anybody who may is in it', () => {
    onHistories((moments) => {
      for (const { after: visit } of moments) {
        const able = ableIn(visit).map(({ id }) => id);
        if (able.length === 0) expect(visit.responsible).toBeUndefined();
        else expect(able).toContain(visit.responsible);
      }
    });
  });

  test('a visit under way for which somebody answered is unattended while none of them is there, and then alone', () => {
    onHistories((moments) => {
      let answered = false;
      let since: number | undefined;
      for (const { command, after: visit } of moments) {
        answered ||= visit.responsible !== undefined;
        const isThere = ableIn(visit).some(({ connection }) => connection === 'connected');
        const unattended = visit.state === 'active' && answered && !isThere;
        since = unattended ? (since ?? command.now) : undefined;
        expect(visit.unattendedSince).toBe(since);
      }
    });
  });

  test('what is on offer is from who answers to somebody else who may', () => {
    onHistories((moments) => {
      for (const { after: visit } of moments) {
        const { handOver, responsible } = visit;
        if (!handOver) continue;
        expect(handOver.from).toBe(responsible);
        expect(handOver.to).not.toBe(responsible);
        expect(ableIn(visit).map(({ id }) => id)).toContain(handOver.to);
      }
    });
  });

  test('responsibility passes to nobody who is there without their consent, while who has it is there', () => {
    onHistories((moments) => {
      for (const { command, before, after: visit } of moments) {
        const had = before.responsible;
        if (had === undefined || had === visit.responsible) continue;
        if (!ableIn(visit).some(({ id }) => id === had)) continue;
        expect(command).toMatchObject({ type: 'answer-hand-over', accept: true });
        expect(visit.responsible).toBe(before.handOver?.to);
      }
    });
  });
});

const ana = 'ana' as ParticipantId;
const ben = 'ben' as ParticipantId;
const both = visitWith(
  {},
  join('ana', 'provider'),
  join('ben', 'provider'),
  join('patient', 'patient'),
);
const offer = { type: 'hand-over', now: 3_000, by: by('ana'), to: ben } as const;
const answer = (accept: boolean) =>
  ({ type: 'answer-hand-over', now: 3_500, by: by('ben'), accept }) as const;

test('that nobody answers any more who still takes part is on record, also where the visit was unattended before', () => {
  const visit = visitWith({}, join('ana', 'provider'), join('patient', 'patient'), {
    type: 'disconnect',
    now: 3_000,
    participant: ana,
    session: 'session of ana',
  });
  const person = { ...personOf('ana', 'provider'), grants: [] };
  expect(decide(visit, { type: 'identify', now: 4_000, person })).toMatchObject({
    events: [{ type: 'responsible-changed', at: 4_000 }],
  });
});

describe('a warm handover', () => {
  test('passes on once it is accepted, and is on record', () => {
    const offered = after(both, offer);
    expect(offered).toMatchObject({ responsible: ana, handOver: { from: ana, to: ben } });
    expect(decide(offered, answer(true))).toMatchObject({
      visit: { responsible: ben },
      events: [
        { type: 'hand-over-answered', participant: ben, reason: 'accepted' },
        { type: 'responsible-changed', participant: ben },
      ],
    });
    expect(after(offered, answer(true)).handOver).toBeUndefined();
  });

  test('that is refused changes nothing but the offer', () => {
    const { seq, ...refused } = after(both, offer, answer(false));
    expect({ ...refused, seq: both.seq }).toEqual(both);
  });

  test('is offered by nobody to themselves', () => {
    for (const id of [ana, ben])
      expect(decide(both, { ...offer, by: by(id), to: id })).toEqual({
        ok: false,
        code: 'conflict',
      });
  });

  test('is over when who offered it is gone', () => {
    const visit = after(
      both,
      join('cem', 'provider'),
      { ...offer, to: 'cem' as ParticipantId },
      leave('ana'),
    );
    expect(visit).toMatchObject({ responsible: ben });
    expect(visit.handOver).toBeUndefined();
  });
});

describe('a cold handover', () => {
  const waiting = visitWith({ admission: 'on-admit', provider: ana }, join('patient', 'patient'));
  const staff = (id: ParticipantId) => ({ staff: id, grants: ['admit', 'hand-over'] as const });

  test('offers who waits to a colleague, who takes over from outside', () => {
    const offered = after(waiting, { type: 'reassign', now: 3_000, by: staff(ana), to: ben });
    expect(offered).toMatchObject({ provider: ana, offeredTo: ben });
    const taken = after(offered, {
      type: 'answer-reassign',
      now: 3_500,
      by: staff(ben),
      accept: true,
    });
    expect(taken.provider).toBe(ben);
    expect(taken.offeredTo).toBeUndefined();
  });

  test('is for the colleague alone to answer', () => {
    const offered = after(waiting, { type: 'reassign', now: 3_000, by: staff(ana), to: ben });
    expect(
      decide(offered, { type: 'answer-reassign', now: 3_500, by: staff(ana), accept: true }),
    ).toEqual({ ok: false, code: 'not-found' });
  });
});

describe('a visit whose provider drops', () => {
  const visit = visitWith(
    { unattendedMinutes: 5 },
    join('ana', 'provider'),
    join('patient', 'patient'),
    { type: 'disconnect', now: 10_000, participant: ana, session: 'session of ana' },
  );
  const end = 10_000 + 5 * 60_000;

  test('goes on unattended, and waits for them', () => {
    expect(visit).toMatchObject({ state: 'active', responsible: ana, unattendedSince: 10_000 });
    expect(nextDeadline(visit)).toBe(end);
    expect(decide(visit, { type: 'tick', now: end - 1 })).toMatchObject({ visit });
  });

  test('ends for all when its grace time is over', () => {
    expect(decide(visit, { type: 'tick', now: end })).toMatchObject({
      visit: { state: 'ended', endedAt: end },
      events: expect.arrayContaining([{ type: 'visit-ended', at: end, reason: 'unattended' }]),
    });
  });

  test('is attended again when they are back', () => {
    const { person, session } = join('ana', 'provider');
    const back = after(visit, { type: 'connect', now: 11_000, person, session });
    expect(back.unattendedSince).toBeUndefined();
    expect(nextDeadline(back)).toBeUndefined();
  });
});
