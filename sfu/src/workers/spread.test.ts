import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { choosePlace, type Place } from './spread.ts';

const limits = { consumersPerWorker: 2_000, visitsPerWorker: 1_000 };
const place = (change: Partial<Place> = {}): Place => {
  const { consumers = 0, visits = 0, own } = change;
  return { visits, consumers, own, fullness: change.fullness ?? consumers / 2_000 };
};
const choose = (places: readonly Place[], consumers = 2, isLastResort = true) =>
  choosePlace(places, consumers, limits, isLastResort);

describe('a visit that is new to the node', () => {
  test('goes where there is least to do', () => {
    const [busy, idle] = [
      place({ consumers: 100, visits: 9 }),
      place({ consumers: 80, visits: 9 }),
    ];
    expect(choose([busy, idle])).toBe(idle);
  });

  test('goes to no worker that is full, or has as many visits as it takes, also as the last resort', () => {
    expect(choose([place({ fullness: 0.9 }), place({ visits: 1_000 })])).toBeUndefined();
  });
});

describe('one more of a visit', () => {
  const idle = place();

  test('goes where the others are, however idle another worker is', () => {
    const home = place({ consumers: 900, visits: 200, own: 8 });
    expect(choose([idle, home])).toBe(home);
  });

  test('goes to another worker once the visit has its share of the first', () => {
    const home = place({ consumers: 499, visits: 1, own: 499 });
    expect(choose([home, idle], 2, false)).toBe(idle);
  });

  test('goes to another worker where the first has no room for growth, by consumers or by CPU', () => {
    expect(choose([place({ consumers: 1_898, own: 4 }), idle])).toBe(idle);
    expect(choose([place({ fullness: 0.95, own: 4 }), idle])).toBe(idle);
  });

  test('goes to another node where each worker has its share, and stays where there is none', () => {
    const shared = [place({ consumers: 520, own: 520 }), place({ consumers: 500, own: 500 })];
    expect(choose(shared, 20, false)).toBeUndefined();
    expect(choose(shared, 20, true)).toBe(shared[1]);
  });

  test('takes the last room there is, as the last resort', () => {
    const home = place({ consumers: 1_998, own: 1_500 });
    expect(choose([home, place({ fullness: 0.9, visits: 1_000 })], 2)).toBe(home);
    const other = place({ fullness: 0.99 });
    expect(choose([place({ consumers: 2_000, own: 1_500 }), other], 2)).toBe(other);
    expect(choose([place({ consumers: 1_999, own: 1_500 })], 2)).toBeUndefined();
  });
});

/** How many of a group's consumers are where, when they all have come: each receives two flows of every other. */
function grow(people: number, workers: number): { consumers: number; peers: number }[] {
  const peers = Array.from({ length: workers }, () => 0);
  for (let present = 0; present < people; present += 1) {
    const places = peers.map((here) => ({
      ...place({
        consumers: 2 * here * (present - 1),
        ...(here > 0 ? { own: 2 * here * (present - 1) } : {}),
      }),
      here,
      visits: here > 0 ? 1 : 0,
    }));
    const chosen = choosePlace(places, 2 * present, limits, true);
    if (!chosen) throw new Error(`no place for number ${present + 1}`);
    const index = places.indexOf(chosen);
    peers[index] = (peers[index] ?? 0) + 1;
  }
  return peers.map((here) => ({ peers: here, consumers: 2 * here * (people - 1) }));
}

describe('a group in which each sees and hears everybody', () => {
  test('of four is at one worker', () => {
    expect(grow(4, 8).filter(({ peers }) => peers > 0)).toHaveLength(1);
  });

  test('of 50 is over several workers, and none of them has to refuse a flow to who is there', () => {
    for (const workers of [3, 4, 8]) {
      const places = grow(50, workers);
      expect(Math.max(...places.map(({ consumers }) => consumers))).toBeLessThanOrEqual(2_000);
    }
  });
});

describe('whatever the workers are like', () => {
  const places = fc.array(
    fc.record({
      visits: fc.nat(1_100),
      fullness: fc.double({ min: 0, max: 1.2, noNaN: true }),
      consumers: fc.nat(2_100),
      own: fc.option(fc.nat(2_000), { nil: undefined }),
    }),
    { maxLength: 8 },
  );
  const all = fc.tuple(places, fc.nat(300), fc.boolean());

  test('the consumers of who joins fit where they go, and a new router is within its limit', () => {
    fc.assert(
      fc.property(all, ([workers, consumers, isLastResort]) => {
        const chosen = choose(workers, consumers, isLastResort);
        if (!chosen) return;
        expect(chosen.consumers + consumers).toBeLessThanOrEqual(limits.consumersPerWorker);
        if (chosen.own === undefined) expect(chosen.visits).toBeLessThan(limits.visitsPerWorker);
      }),
    );
  });

  test('as the last resort nobody of a visit that is here stays out while they fit somewhere', () => {
    fc.assert(
      fc.property(all, ([workers, consumers]) => {
        fc.pre(workers.some(({ own }) => own !== undefined));
        const fits = workers.some(
          (one) =>
            one.consumers + consumers <= limits.consumersPerWorker &&
            (one.own !== undefined || one.visits < limits.visitsPerWorker),
        );
        expect(choose(workers, consumers, true) !== undefined).toBe(fits);
      }),
    );
  });

  test('the last resort is never needed for who would be taken without', () => {
    fc.assert(
      fc.property(all, ([workers, consumers]) => {
        const chosen = choose(workers, consumers, false);
        if (chosen) expect(choose(workers, consumers, true)).toBe(chosen);
      }),
    );
  });
});
