import { BedsideError, type GatewayId, type VisitKey } from '@bedside/protocol';
import type { Member, View } from '@bedside/service';
import { beforeEach, expect, test } from 'vitest';
import { FakeClock } from '../../test/fake-clock.ts';
import { FakeStore } from '../../test/fake-store.ts';
import { memberOf } from '../../test/member.ts';
import { settled } from '../../test/visits.ts';
import { Inheritance } from './inheritance.ts';

const [one, two, three] = ['gateway-1', 'gateway-2', 'gateway-3'] as [
  GatewayId,
  GatewayId,
  GatewayId,
];
const left = Array.from({ length: 20 }, (_, index) => `visit-${index}` as VisitKey);
const viewOf = (...gateways: GatewayId[]): View =>
  new Map<string, Member>(gateways.map((id) => [`gateway:${id}`, memberOf(id, 'boot')]));

let store: FakeStore;
let clock: FakeClock;
let adopted: [GatewayId, VisitKey][];
let answers: boolean;
let adopt: (by: GatewayId, visit: VisitKey) => Promise<void>;

const heir = (self: GatewayId) =>
  new Inheritance({
    self,
    store,
    clock,
    answers: async () => answers,
    adopt: (visit) => adopt(self, visit),
  });
const wait = async () => {
  clock.advance(20_000);
  await settled();
};

beforeEach(() => {
  store = new FakeStore();
  store.leftBy.set(three, left);
  clock = new FakeClock();
  adopted = [];
  answers = false;
  adopt = async (by, visit) => {
    adopted.push([by, visit]);
    await store.untrack(three, visit);
  };
});

test('the visits of a gateway that is gone are taken up, each by one of those that are there', async () => {
  const heirs = [heir(one), heir(two)];
  for (const each of heirs) each.meet(viewOf(one, two, three));
  await wait();
  expect(adopted).toEqual([]);
  for (const each of heirs) each.meet(viewOf(one, two));
  await wait();
  expect(adopted.map(([, visit]) => visit).toSorted()).toEqual(left.toSorted());
  expect(new Set(adopted.map(([by]) => by))).toEqual(new Set([one, two]));
  // Nothing is left, so nothing is waited for.
  await wait();
  await wait();
  expect(clock.pending).toBe(0);
});

test('what an heir does not take up, who began after that one was gone, is taken up by another, later', async () => {
  const us = heir(one);
  us.meet(viewOf(one, two, three));
  us.meet(viewOf(one, two));
  await wait();
  expect(adopted.length).toBeLessThan(left.length);
  await wait();
  expect(adopted.map(([, visit]) => visit).toSorted()).toEqual(left.toSorted());
});

test('those of one that is back in time, or is only cut off from Redis, are its own', async () => {
  const us = heir(one);
  us.meet(viewOf(one, three));
  us.meet(viewOf(one));
  us.meet(viewOf(one, three));
  await wait();
  us.meet(viewOf(one));
  answers = true;
  await wait();
  expect(adopted).toEqual([]);
  answers = false;
  await wait();
  expect(adopted).toHaveLength(left.length);
});

test('what another gateway has by now is no longer counted among those that are left', async () => {
  adopt = async () => {
    throw new BedsideError('moved', { gateway: two });
  };
  const us = heir(one);
  us.meet(viewOf(one, three));
  us.meet(viewOf(one));
  await wait();
  expect(store.leftBy.get(three)).toEqual([]);
});

test('what could not be opened, or not be asked for, is tried again', async () => {
  const works = adopt;
  adopt = async () => {
    throw new BedsideError('media-unavailable');
  };
  const us = heir(one);
  us.meet(viewOf(one, three));
  us.meet(viewOf(one));
  await wait();
  store.goAway();
  await wait();
  store.comeBack();
  expect(adopted).toEqual([]);
  adopt = works;
  await wait();
  expect(adopted).toHaveLength(left.length);
});

test('one that stops takes nothing up any more', async () => {
  const us = heir(one);
  us.meet(viewOf(one, three));
  us.meet(viewOf(one));
  us.stop();
  await wait();
  expect([adopted, clock.pending]).toEqual([[], 0]);
});
