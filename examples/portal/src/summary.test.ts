import type { LedgerEntry, ParticipantId, VisitId, VisitResource } from '@bedside/protocol';
import { describe, expect, it } from 'vitest';
import { summarise } from './summary.ts';

const at = (minute: number) => new Date(Date.UTC(2026, 0, 1, 9, minute)).toISOString();
const id = (text: string) => text as ParticipantId;
const [patient, provider, specialist] = [id('p'), id('d'), id('s')];

const event = (minute: number, type: string, rest: Partial<LedgerEntry> = {}): LedgerEntry => ({
  type,
  at: at(minute),
  ...rest,
});
const of = (participant: ParticipantId, rest: Partial<LedgerEntry> = {}) => ({
  participant,
  ...rest,
});

const visit = (
  people: [ParticipantId, VisitResource['participants'][number]['role']][],
  rest: Partial<VisitResource> = {},
): VisitResource => ({
  visit: 'v1' as VisitId,
  kind: 'visit',
  state: 'active',
  admission: 'on-admit',
  createdAt: at(0),
  participants: people.map(([participant, role]) => ({
    participant,
    role,
    state: 'admitted',
    connection: 'connected',
    joinedAt: at(0),
  })),
  ...rest,
});

describe('summarise()', () => {
  it('tells waiting, stay and hold apart, and who admitted', () => {
    const [summary] = summarise(visit([[patient, 'patient']], { startedAt: at(5) }), [
      event(1, 'participant-waiting', of(patient)),
      event(5, 'participant-admitted', of(patient, { by: provider })),
      event(8, 'hold-started', of(patient)),
      event(11, 'hold-ended', of(patient)),
      event(20, 'participant-left', of(patient, { reason: 'left' })),
    ]).people;
    expect(summary).toEqual({
      person: patient,
      role: 'patient',
      waits: [{ from: at(1), to: at(5) }],
      stays: [{ from: at(5), to: at(20) }],
      holds: [{ from: at(8), to: at(11) }],
      admittedBy: provider,
    });
  });

  it('adds no time to who came, went and came again', () => {
    const [summary] = summarise(visit([[patient, 'patient']]), [
      event(1, 'participant-waiting', of(patient)),
      event(2, 'participant-left', of(patient)),
      event(6, 'participant-waiting', of(patient)),
      event(7, 'participant-admitted', of(patient)),
    ]).people;
    expect(summary?.waits).toEqual([
      { from: at(1), to: at(2) },
      { from: at(6), to: at(7) },
    ]);
    expect(summary?.stays).toEqual([{ from: at(7) }]);
  });

  it('ends with the visit what nobody ended before', () => {
    const ended = visit([[patient, 'patient']], {
      state: 'ended',
      startedAt: at(2),
      endedAt: at(30),
    });
    const summary = summarise(ended, [
      event(2, 'participant-admitted', of(patient)),
      event(25, 'hold-started', of(patient)),
      event(26, 'privacy-started', { place: 'r1', participants: [provider, specialist] }),
    ]);
    expect(summary.time).toEqual({ from: at(2), to: at(30) });
    expect(summary.people[0]?.holds).toEqual([{ from: at(25), to: at(30) }]);
    expect(summary.people[0]?.stays).toEqual([{ from: at(2), to: at(30) }]);
    expect(summary.talks).toEqual([{ from: at(26), to: at(30), people: [provider, specialist] }]);
  });

  it('begins another private talk when somebody comes or goes', () => {
    const { talks } = summarise(visit([]), [
      event(1, 'privacy-started', { place: 'r1', participants: [provider, specialist] }),
      event(2, 'privacy-started', { place: 'r2', participants: [patient] }),
      event(3, 'privacy-changed', { place: 'r1', participants: [provider, specialist, patient] }),
      event(4, 'privacy-ended', { place: 'r1', participants: [provider, specialist, patient] }),
    ]);
    expect(talks).toEqual([
      { from: at(1), to: at(3), people: [provider, specialist] },
      { from: at(3), to: at(4), people: [provider, specialist, patient] },
      { from: at(2), people: [patient] },
    ]);
  });

  it('has no time of a visit that nobody was admitted to', () => {
    const summary = summarise(visit([[patient, 'patient']], { state: 'open' }), [
      event(1, 'participant-waiting', of(patient)),
    ]);
    expect(summary.time).toBeUndefined();
    expect(summary.people[0]?.waits).toEqual([{ from: at(1) }]);
  });
});
