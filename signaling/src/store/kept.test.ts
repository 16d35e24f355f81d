import type { VisitKey } from '@bedside/protocol';
import { expect, test } from 'vitest';
import { emptyVisit } from '../visit/arbitrary.ts';
import type { LedgerEvent, Said } from '../visit/state.ts';
import { type Kept, restored, Seal } from './kept.ts';
import type { Lease } from './store.ts';

const key = 'visit-key' as VisitKey;
const event = (at: number): LedgerEvent => ({ type: 'media-placed', at });
const said = (number: number) => ({ message: { number }, audience: [] }) as unknown as Said;
const kept: Kept = {
  epoch: 7,
  visit: { ...emptyVisit(), seq: 20 },
  batches: [2, 3].map((number) => ({
    number,
    events: [event(number)],
    messages: [said(number)],
  })),
};
type Last = { epoch: number; number: number };
const lease = (inherited: Last): Lease => ({
  epoch: 9,
  visit: { ...emptyVisit(), seq: 10 },
  messages: [said(1)],
  roundTrips: 1,
  keepers: [],
  inherited: { ...inherited, keepers: [] },
});

test('what is sealed can be opened by who has the secret, for the same visit, and by nobody else', () => {
  const whole = { ...kept, batches: [{ number: 2, events: [event(2)], messages: [] }] };
  const sealed = new Seal('a secret').close(key, whole);
  expect(new Seal('a secret').open(key, sealed)).toEqual(whole);
  expect(Buffer.from(sealed, 'base64').toString('latin1')).not.toContain('media-placed');
  expect(() => new Seal('another').open(key, sealed)).toThrow();
  expect(() => new Seal('a secret').open('visit-of-others' as VisitKey, sealed)).toThrow();
  const altered = Buffer.from(sealed, 'base64');
  altered[altered.length - 1] = (altered.at(-1) ?? 0) ^ 1;
  expect(() => new Seal('a secret').open(key, altered.toString('base64'))).toThrow();
});

test.each<[string, Last, number[]]>([
  ['has none of it', { epoch: 5, number: 30 }, [2, 3]],
  ['has some of it', { epoch: 7, number: 2 }, [3]],
  ['was lost with all that it had', { epoch: 0, number: 0 }, [2, 3]],
])('where Redis %s the next owner has the rest', (_, inherited, lacking) => {
  const next = restored(lease(inherited), kept);
  expect(next.visit?.seq).toBe(20);
  expect(next.messages.map(({ message }) => message.number)).toEqual([1, ...lacking]);
  expect(next.unwritten).toEqual({ events: lacking.map(event), messages: lacking.map(said) });
});

test.each<[string, Last, Kept | undefined]>([
  ['Redis has all of it', { epoch: 7, number: 3 }, kept],
  ['an owner since has had it', { epoch: 8, number: 1 }, kept],
  ['nothing was kept', { epoch: 7, number: 1 }, undefined],
])('where %s the lease is what it was', (_, inherited, held) => {
  expect(restored(lease(inherited), held)).toEqual(lease(inherited));
});
