import {
  BedsideError,
  type CallId,
  type ClinicId,
  type ParticipantId,
  type TenantId,
  type VisitId,
  type VisitKey,
} from '@bedside/protocol';
import { beforeEach, describe, expect, test } from 'vitest';
import { FakeClock } from '../../../test/fake-clock.ts';
import { settled } from '../../../test/visits.ts';
import { acceptCall, type Call, cancelCall, exhaustCall, startCall } from '../../visit/call.ts';
import { RedisCallDesk } from './desk.ts';
import type { Floors } from './floor.ts';
import type { OnCallPerson } from './matching.ts';
import type { CallRecord, Ringing } from './store.ts';

const ana = 'ana' as ParticipantId;
const ben = 'ben' as ParticipantId;
const where = {
  tenant: 'clinic' as TenantId,
  clinic: 'c1' as ClinicId,
  visit: 'v1' as VisitId,
  key: 'key' as VisitKey,
  kind: 'visit' as const,
};

let clock: FakeClock;
let people: OnCallPerson[];
let record: CallRecord;
let away: boolean;
/** Answers wait for it. */
let held: Promise<void> | undefined;
/** What Redis was told. */
let told: string[];
let signals: string[];
let say: (message: object) => void;
let listening: boolean;
/** Who was said to be in which visit. */
let engaged: string[];
let desk: RedisCallDesk;
let call: Call;

const person = (name: ParticipantId): OnCallPerson => ({
  person: name,
  role: 'specialist',
  skills: { specialties: [], languages: [], regions: [] },
  since: 1,
  busy: false,
});
const answer = async <Value>(value: Value): Promise<Value> => {
  await held;
  if (away) throw new BedsideError('state-unavailable');
  return value;
};

beforeEach(() => {
  clock = new FakeClock();
  people = [person(ana)];
  record = { by: undefined, over: undefined, declined: new Set() };
  away = false;
  held = undefined;
  told = [];
  signals = [];
  engaged = [];
  const store = {
    read: () => answer(record),
    people: () => answer(people),
    async ring(_clinic: unknown, { call: id, index, forMs, people: rung }: Ringing) {
      await answer(undefined);
      told.push(`ring ${id} ${index} ${forMs} ${rung.map((each) => each.person).join()}`);
    },
    async end(_clinic: unknown, id: CallId, reason: string) {
      await answer(undefined);
      told.push(`end ${id} ${reason}`);
      return record.by;
    },
  };
  const bus = {
    listen(_channel: string, listener: { message(text: string): void }) {
      say = (message) => listener.message(JSON.stringify(message));
      listening = true;
      return () => {
        listening = false;
      };
    },
  };
  const floors: Pick<Floors, 'engage'> = {
    engage: (_clinic, visit, people) =>
      engaged.push(`${visit}: ${people.map((each) => each.person).join()}`),
  };
  desk = new RedisCallDesk({ store, bus, clock, floors });
  call = startCall(
    {
      id: 'call-1' as CallId,
      by: 'provider' as ParticipantId,
      role: 'specialist',
      groups: [{}, {}],
      ringMs: 30_000,
    },
    clock.now(),
  );
});

async function follow(...calls: Call[]): Promise<void> {
  desk.follow(where, calls, {
    accepted: (id, by) => signals.push(`accepted ${id} ${by}`),
    exhausted: (id, index) => signals.push(`exhausted ${id} ${index}`),
  });
  await settled();
}

test('a call rings who fits, for as long as its group has', async () => {
  clock.advance(1_000);
  await follow(call);
  expect(told).toEqual(['ring call-1 0 29000 ana']);
});

describe('a call is looked at', () => {
  beforeEach(() => follow(call));

  test('at once when who is on call has changed', async () => {
    people.push(person(ben));
    say({ type: 'people' });
    await settled();
    expect(told.at(-1)).toBe('ring call-1 0 30000 ana,ben');
  });

  test('at once when somebody has accepted or declined it', async () => {
    record = { ...record, declined: new Set([ana]) };
    say({ type: 'declined', call: call.id, by: ana });
    await settled();
    expect(signals).toEqual(['exhausted call-1 0']);
    record = { ...record, by: ana };
    say({ type: 'accepted', call: call.id, by: ana });
    await settled();
    expect(signals.at(-1)).toBe('accepted call-1 ana');
  });

  test('not for what concerns another call, or is none of ours', async () => {
    record = { ...record, by: ana };
    say({ type: 'accepted', call: 'call-2', by: ana });
    say({ type: 'unheard-of' });
    await settled();
    expect(signals).toEqual([]);
  });

  test('from time to time, in case a message was lost', async () => {
    record = { ...record, by: ana };
    await settled();
    expect(signals).toEqual([]);
    clock.advance(1_000);
    await settled();
    expect(signals).toEqual(['accepted call-1 ana']);
  });

  test('again when Redis is back', async () => {
    away = true;
    clock.advance(1_000);
    await settled();
    away = false;
    people = [];
    clock.advance(1_000);
    await settled();
    expect(signals).toEqual(['exhausted call-1 0']);
  });
});

test('a group that adds nobody is not waited for, and one that does is', async () => {
  await follow(call);
  const second = exhaustCall(call, 0, clock.now());
  await follow(second);
  expect(signals).toEqual(['exhausted call-1 1']);
  people.push(person(ben));
  await follow(exhaustCall({ ...second, groups: [{}, {}, {}] }, 1, clock.now()));
  expect(signals).toHaveLength(1);
  expect(told.at(-1)).toBe('ring call-1 2 30000 ana,ben');
});

describe('the end of a call', () => {
  test.each<[string, (ringing: Call) => Call]>([
    ['taken', (ringing) => acceptCall(ringing, ana)],
    ['cancelled', cancelCall],
    ['unanswered', (ringing) => exhaustCall({ ...ringing, groups: [{}] }, 0, 0)],
  ])('%s is told once', async (reason, end) => {
    await follow(call);
    await follow(end(call));
    await follow(end(call));
    clock.advance(10_000);
    await settled();
    expect(told.slice(1)).toEqual([`end call-1 ${reason}`]);
  });

  test('is told when Redis is back', async () => {
    await follow(call);
    away = true;
    await follow(cancelCall(call));
    clock.advance(1_000);
    await settled();
    expect(told).toHaveLength(1);
    away = false;
    clock.advance(1_000);
    await settled();
    expect(told.at(-1)).toBe('end call-1 cancelled');
  });

  test('is told by who takes the visit over: the gateway before may have died first', async () => {
    await follow(acceptCall(call, ana));
    expect(told).toEqual(['end call-1 taken']);
  });

  test('that was given up as somebody accepted is theirs', async () => {
    await follow(call);
    record = { ...record, by: ana };
    await follow({ ...call, state: 'unanswered' });
    expect(signals).toEqual(['accepted call-1 ana']);
    await follow({ ...call, state: 'accepted', acceptedBy: ana });
    expect(told.at(-1)).toBe('end call-1 taken');
  });
});

test('a visit that is another gateway’s is forgotten without a word', async () => {
  await follow(call);
  desk.forget(where.key);
  clock.advance(10_000);
  await settled();
  expect([told.length, signals, listening, clock.pending]).toEqual([1, [], false, 0]);
});

test('the end of a call is told though the visit is forgotten while Redis is asked', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  held = promise;
  await follow(call);
  await follow(cancelCall(call));
  desk.forget(where.key);
  resolve();
  await settled();
  expect([told, signals, clock.pending]).toEqual([['end call-1 cancelled'], [], 0]);
});

test('the end of a call that Redis did not hear is told once more when the visit is forgotten', async () => {
  await follow(call);
  away = true;
  await follow(cancelCall(call));
  away = false;
  desk.forget(where.key);
  await settled();
  expect([told.slice(1), clock.pending]).toEqual([['end call-1 cancelled'], 0]);
});

test('a visit that is forgotten while Redis is asked is forgotten', async () => {
  await follow(call);
  const { promise, resolve } = Promise.withResolvers<void>();
  held = promise;
  record = { ...record, by: ana };
  say({ type: 'people' });
  await settled();
  desk.forget(where.key);
  resolve();
  await settled();
  expect([signals, clock.pending]).toEqual([[], 0]);
});

test('a call that the visit has forgotten is forgotten', async () => {
  await follow(call);
  await follow();
  expect(clock.pending).toBe(0);
});

test('who is in a visit is no more in it for this gateway once the visit is another’s', () => {
  desk.engage(where, []);
  desk.engage(where, [{ person: ana, role: 'specialist' }]);
  desk.forget(where.key);
  desk.forget(where.key);
  expect(engaged).toEqual(['key: ana', 'key: ']);
});
