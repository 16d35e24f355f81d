import { type Flow, ProducerId } from '@bedside/protocol';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { diffPlan, settingsOf } from './plan.ts';

const layer = fc.option(fc.integer({ min: 0, max: 3 }), { nil: undefined });
const producerId = fc
  .integer({ min: 0, max: 12 })
  .map((index) => ProducerId.parse(`producer-${index}`));
const flow: fc.Arbitrary<Flow> = fc.record({
  producerId,
  paused: fc.boolean(),
  priority: fc.integer({ min: 1, max: 255 }),
  maxSpatialLayer: layer,
  maxTemporalLayer: layer,
});
const flows = fc.array(flow, { maxLength: 30 });
const present = fc.uniqueArray(producerId).map((ids) => new Set(ids));
const preference = fc.option(
  fc.record({ paused: fc.boolean(), spatialLayer: layer, temporalLayer: layer }),
  { nil: undefined },
);

const after = (now: ReadonlySet<ProducerId>, planned: readonly Flow[]): Set<ProducerId> => {
  const diff = diffPlan(planned, now);
  const next = new Set(now);
  for (const id of diff.remove) next.delete(id);
  for (const added of diff.add) next.add(added.producerId);
  return next;
};

describe('diffPlan', () => {
  test('after it, exactly the planned producers are consumed', () => {
    fc.assert(
      fc.property(flows, present, (planned, now) => {
        expect(after(now, planned)).toEqual(new Set(planned.map((one) => one.producerId)));
      }),
    );
  });

  test('the same plan twice adds and removes nothing the second time', () => {
    fc.assert(
      fc.property(flows, present, (planned, now) => {
        const diff = diffPlan(planned, after(now, planned));
        expect(diff.add).toEqual([]);
        expect(diff.remove).toEqual([]);
      }),
    );
  });

  test('no producer is both touched and removed, and none is named twice', () => {
    fc.assert(
      fc.property(flows, present, (planned, now) => {
        const diff = diffPlan(planned, now);
        const named = [...diff.add, ...diff.keep].map((one) => one.producerId).concat(diff.remove);
        expect(new Set(named).size).toBe(named.length);
      }),
    );
  });

  test('a producer planned twice counts as it is planned last', () => {
    const id = ProducerId.parse('p');
    const first: Flow = { producerId: id, paused: false, priority: 1 };
    const last: Flow = { producerId: id, paused: true, priority: 9 };
    expect(diffPlan([first, last], new Set()).add).toEqual([last]);
  });
});

describe('settingsOf', () => {
  test('a consumer runs where plan, readiness and tile all let it', () => {
    fc.assert(
      fc.property(flow, fc.boolean(), preference, (planned, started, wish) => {
        const runs = !settingsOf(planned, started, wish).paused;
        expect(runs).toBe(!planned.paused && started && !wish?.paused);
      }),
    );
  });

  test('a tile never gets more layers than the plan allows, nor than it asked for', () => {
    fc.assert(
      fc.property(flow, preference, (planned, wish) => {
        const { spatialLayer, temporalLayer } = settingsOf(planned, true, wish);
        const within = (value: number | undefined, limit: number | undefined) =>
          limit === undefined || (value !== undefined && value <= limit);
        expect(within(spatialLayer, planned.maxSpatialLayer)).toBe(true);
        expect(within(spatialLayer, wish?.spatialLayer)).toBe(true);
        expect(within(temporalLayer, planned.maxTemporalLayer)).toBe(true);
        expect(within(temporalLayer, wish?.temporalLayer)).toBe(true);
      }),
    );
  });

  test('from a protected flow a tile takes nothing', () => {
    fc.assert(
      fc.property(flow, fc.boolean(), preference, (planned, started, wish) => {
        expect(settingsOf({ ...planned, protected: true }, started, wish)).toEqual(
          settingsOf(planned, started, undefined),
        );
      }),
    );
  });

  test('on a tight line what is not protected is held, and set up otherwise as it will be again', () => {
    const line = { tight: true, careful: true };
    fc.assert(
      fc.property(flow, fc.boolean(), preference, (planned, started, wish) => {
        const other = { ...planned, protected: false };
        const settings = settingsOf(other, started, wish);
        expect(settingsOf(other, started, wish, line)).toEqual({ ...settings, paused: true });
      }),
    );
  });

  test('right after a cut what is protected runs on, in its smallest layer', () => {
    const line = { tight: true, careful: true };
    fc.assert(
      fc.property(flow, fc.boolean(), preference, (planned, started, wish) => {
        const signed = { ...planned, protected: true };
        const settings = settingsOf(signed, started, wish);
        expect(settingsOf(signed, started, wish, line)).toEqual({ ...settings, spatialLayer: 0 });
      }),
    );
  });

  test('nobody asking for less means no limit', () => {
    const planned: Flow = { producerId: ProducerId.parse('p'), paused: false, priority: 1 };
    expect(settingsOf(planned, true, undefined)).toMatchObject({
      spatialLayer: undefined,
      temporalLayer: undefined,
    });
  });
});
