import {
  BedsideError,
  type CallId,
  type ParticipantId,
  type RingEndReason,
  type VisitKey,
} from '@bedside/protocol';
import { beforeEach, describe, expect, test } from 'vitest';
import { FakeClock } from '../../../test/fake-clock.ts';
import { settled } from '../../../test/visits.ts';
import type { ClinicKey } from '../keys.ts';
import { Floors, type OnCallSocket } from './floor.ts';
import type { OnCallPerson } from './matching.ts';
import type { CallRecord } from './store.ts';

const clinic = 'clinic-key' as ClinicKey;
const call = 'call-1' as CallId;

let clock: FakeClock;
/** Who was said to be on call, each time; with a star where the others were told to look. */
let said: string[];
let away: boolean;
let record: CallRecord;
let counted: number;
let say: ((message: object) => void) | undefined;
let floors: Floors;

class FakeSeat implements OnCallSocket {
  presence: OnCallPerson;
  readonly ringing = new Set<CallId>();
  readonly heard: string[] = [];

  constructor(name: string) {
    this.presence = {
      person: name as ParticipantId,
      role: 'specialist',
      skills: { specialties: [], languages: [], regions: [] },
      since: 1,
      busy: false,
    };
  }

  ring(message: { call: CallId }): void {
    this.ringing.add(message.call);
    this.heard.push(`ring ${message.call}`);
  }

  endRing(id: CallId, reason: RingEndReason): void {
    if (this.ringing.delete(id)) this.heard.push(`end ${id} ${reason}`);
  }
}

beforeEach(() => {
  clock = new FakeClock();
  said = [];
  away = false;
  counted = 0;
  record = { by: undefined, over: undefined, declined: new Set() };
  floors = new Floors({
    store: {
      async present(_clinic, people, changed) {
        if (away) throw new BedsideError('state-unavailable');
        const names = people.map(({ person, busy }) => (busy ? `${person} (busy)` : person));
        said.push(`${names.join()}${changed ? '*' : ''}`);
      },
      read: async () => record,
    },
    bus: {
      listen(_channel, listener) {
        say = (message) => listener.message(JSON.stringify(message));
        return () => {
          say = undefined;
        };
      },
    },
    clock,
    count(difference) {
      counted += difference;
    },
  });
});

async function enter(name: string): Promise<FakeSeat> {
  const seat = new FakeSeat(name);
  await floors.enter(clinic, seat);
  return seat;
}

const ring = (...people: string[]) =>
  say?.({
    type: 'ring',
    call,
    index: 0,
    role: 'specialist',
    kind: 'visit',
    forMs: 30_000,
    people: people.map((person) => ({ person, need: {} })),
  });

describe('who is on call', () => {
  test('is said when it changes, and again and again while it does not', async () => {
    const ana = await enter('ana');
    await enter('ben');
    expect(said).toEqual(['ana*', 'ana,ben*']);
    clock.advance(2_000);
    await settled();
    expect(said.slice(2)).toEqual(['ana,ben']);
    await floors.leave(clinic, ana);
    expect(said.at(-1)).toBe('ben*');
    expect(counted).toBe(1);
  });

  test('is said for many at once', async () => {
    await Promise.all(['ana', 'ben', 'cleo'].map(enter));
    expect(said).toEqual(['ana,ben,cleo*']);
  });

  test('is said as news when Redis is back', async () => {
    away = true;
    await enter('ana');
    away = false;
    clock.advance(2_000);
    await settled();
    expect(said).toEqual(['ana*']);
  });

  test('is nobody any more when the last one leaves, and nothing is said after that', async () => {
    const ana = await enter('ana');
    await floors.leave(clinic, ana);
    await settled();
    clock.advance(10_000);
    await settled();
    expect(said).toEqual(['ana*', '*']);
    expect([say, counted, clock.pending]).toEqual([undefined, 0, 0]);
  });

  test('is busy while in a visit of this gateway, on call here or not', async () => {
    const visit = 'visit-key' as VisitKey;
    const ana = { person: 'ana' as ParticipantId, role: 'specialist' } as const;
    floors.engage(clinic, visit, [ana]);
    await enter('ana');
    floors.engage(clinic, visit, []);
    await settled();
    expect(said).toEqual(['ana,ana (busy)*', 'ana*']);
  });

  test('is said as long as somebody is in a visit, and no longer', async () => {
    const visit = 'visit-key' as VisitKey;
    floors.engage(clinic, visit, [{ person: 'ben' as ParticipantId, role: 'provider' }]);
    await settled();
    clock.advance(2_000);
    await settled();
    floors.engage(clinic, visit, []);
    await settled();
    expect(said).toEqual(['ben (busy)*', 'ben (busy)', '*']);
    expect([say, clock.pending]).toEqual([undefined, 0]);
  });

  test('is not taken back by a gateway that stops: whoever it was is about to come to another', async () => {
    const ana = await enter('ana');
    floors.stop();
    await floors.leave(clinic, ana);
    clock.advance(10_000);
    await settled();
    expect(said).toEqual(['ana*']);
  });
});

describe('a call', () => {
  test('rings at those who are named, all their windows, but not at who is busy', async () => {
    const seats = await Promise.all(['ana', 'ana', 'ben', 'cleo'].map(enter));
    const [, , ben] = seats as [FakeSeat, FakeSeat, FakeSeat, FakeSeat];
    ben.presence = { ...ben.presence, busy: true };
    ring('ana', 'ben');
    expect(seats.map(({ ringing }) => ringing.size)).toEqual([1, 1, 0, 0]);
  });

  test('ends for who is named no more', async () => {
    const [ana, ben] = [await enter('ana'), await enter('ben')];
    ring('ana', 'ben');
    ring('ben');
    expect(ana.heard.at(-1)).toBe('end call-1 declined');
    expect(ben.ringing.size).toBe(1);
  });

  test.each<[string, object, string]>([
    ['taken', { type: 'accepted', call, by: 'eve' }, 'end call-1 taken'],
    ['cancelled', { type: 'over', call, reason: 'cancelled' }, 'end call-1 cancelled'],
  ])('that is %s ends everywhere', async (_name, message, heard) => {
    const seats = await Promise.all(['ana', 'ben'].map(enter));
    ring('ana', 'ben');
    say?.(message);
    expect(seats.map((seat) => seat.heard.at(-1))).toEqual([heard, heard]);
  });

  test('that one declines ends in their windows', async () => {
    const [ana, ben] = [await enter('ana'), await enter('ben')];
    ring('ana', 'ben');
    say?.({ type: 'declined', call, by: 'ana' });
    expect([ana.ringing.size, ben.ringing.size]).toEqual([0, 1]);
  });

  test.each<[string, Partial<CallRecord>, string]>([
    ['is over', { over: 'unanswered' }, 'end call-1 unanswered'],
    ['is taken', { by: 'eve' as ParticipantId }, 'end call-1 taken'],
  ])(
    'that %s ends with the next beat, where the word of it was lost',
    async (_name, now, heard) => {
      const ana = await enter('ana');
      ring('ana');
      clock.advance(2_000);
      await settled();
      expect(ana.heard).toEqual(['ring call-1']);
      record = { ...record, ...now };
      clock.advance(2_000);
      await settled();
      expect(ana.heard.at(-1)).toBe(heard);
    },
  );
});
