import type { Role } from '@bedside/protocol';
import * as fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { Counts } from '../../test/telemetry.ts';
import { history, run } from '../visit/arbitrary.ts';
import { present, type Visit } from '../visit/state.ts';
import { Census } from './census.ts';

// Many histories, also where the machine has other things to do.
vi.setConfig({ testTimeout: 60_000 });

test('over any histories of several visits the counts are those of a recount', () => {
  fc.assert(
    fc.property(fc.array(history, { minLength: 1, maxLength: 3 }), (histories) => {
      const counts = new Counts();
      const census = new Census(counts);
      const open: (Visit | undefined)[] = histories.map(() => undefined);
      const move = (index: number, after: Visit | undefined) => {
        census.moved(open[index], after);
        open[index] = after;
        const all = open.filter((visit) => visit !== undefined);
        expect(counts.visitsOpen).toBe(all.length);
        const roles = Map.groupBy(all.flatMap(present), ({ role }) => role);
        for (const role of new Set<Role>([...roles.keys(), ...counts.roles.keys()]))
          expect(counts.roles.get(role) ?? 0).toBe(roles.get(role)?.length ?? 0);
      };
      for (const [index, steps] of histories.entries())
        for (const { after } of run(steps)) move(index, after);
      for (const index of histories.keys()) move(index, undefined);
      expect(counts.people).toBe(0);
    }),
  );
});

test('unwritten changes are summed over all visits', () => {
  const counts = new Counts();
  const census = new Census(counts);
  census.unwritten(2);
  census.unwritten(3);
  census.unwritten(-2);
  expect(counts.unwritten).toBe(3);
});
