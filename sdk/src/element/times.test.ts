import type { ParticipantId } from '@bedside/protocol';
import { beforeEach, describe, expect, it } from 'vitest';
import type { VisitApi } from '../types.ts';
import { type FakeParticipant, fakeParticipant } from './testing/fake-visit.ts';
import { Times } from './times.ts';

describe('Times', () => {
  let times: Times;
  let visit: { -readonly [Key in keyof VisitApi]: VisitApi[Key] };
  const ana = 'pa' as ParticipantId;
  const stay = (id: ParticipantId) => {
    const { from, to } = times.stays.get(id) ?? {};
    return [from, to];
  };
  const participant = (id: string, state: 'waiting' | 'admitted'): FakeParticipant =>
    fakeParticipant({ id, role: 'patient', camera: false, state });

  beforeEach(() => {
    times = new Times();
    visit = {
      state: 'connected',
      localParticipant: { ...participant('self', 'admitted'), isLocal: true },
      participants: new Map([[ana, participant('pa', 'waiting')]]),
    } as unknown as typeof visit;
  });

  it('begin with the admission and end with who leaves', () => {
    times.look(visit, 10);
    expect(stay(ana)).toEqual([undefined, undefined]);
    (visit.participants as Map<ParticipantId, FakeParticipant>).set(
      ana,
      participant('pa', 'admitted'),
    );
    times.look(visit, 20);
    times.look(visit, 25);
    times.left(ana, 30);
    times.end(40);
    expect(stay(ana)).toEqual([20, 30]);
    expect(times.own).toEqual({ from: 10, to: 40 });
  });

  it('go on for who comes back', () => {
    times.look(visit, 10);
    times.left(ana, 20);
    (visit.participants as Map<ParticipantId, FakeParticipant>).set(
      ana,
      participant('pa', 'admitted'),
    );
    times.look(visit, 30);
    times.end(40);
    expect(stay(ana)).toEqual([30, 40]);
  });

  it('are none before one is in', () => {
    visit.state = 'connecting';
    times.look(visit, 10);
    expect(times.own).toBeUndefined();
    expect(times.stays.size).toBe(0);
  });
});
