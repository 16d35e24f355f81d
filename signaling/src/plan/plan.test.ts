import { HOLD, MAIN_ROOM } from '@bedside/protocol';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { history, run } from '../visit/arbitrary.ts';
import type { Visit } from '../visit/state.ts';
import { plan, replanned } from './plan.ts';

/** What reaches whom: the plan without what it holds back. */
const flowing = (visit: Visit) =>
  new Map([...plan(visit)].map(([id, flows]) => [id, flows.filter(({ flow }) => !flow.paused)]));

/** Visits of random histories, whose participants are then moved and made to wait at random. */
const visits = fc
  .record({
    steps: history,
    states: fc.array(fc.constantFrom('admitted' as const, 'waiting' as const), {
      minLength: 4,
      maxLength: 4,
    }),
    places: fc.array(fc.constantFrom(MAIN_ROOM, MAIN_ROOM, HOLD, 'private-1'), {
      minLength: 4,
      maxLength: 4,
    }),
  })
  .map(({ steps, states, places }): Visit | undefined => {
    const visit = run(steps).at(-1)?.after;
    return (
      visit && {
        ...visit,
        participants: visit.participants.map((each, index) => ({
          ...each,
          state: each.state === 'left' ? 'left' : (states[index] ?? 'admitted'),
          place: places[index] ?? MAIN_ROOM,
        })),
      }
    );
  })
  .filter((visit): visit is Visit => visit !== undefined);

const check = (property: (visit: Visit) => void) =>
  fc.assert(fc.property(visits, property), { numRuns: 300 });

describe('the media plan', () => {
  test('gives nothing to who waits, is on hold or has left', () => {
    check((visit) => {
      for (const { id, state, place } of visit.participants) {
        if (state !== 'admitted' || place === HOLD)
          expect(flowing(visit).get(id) ?? []).toEqual([]);
      }
    });
  });

  test('takes nothing from who waits, is on hold or has left', () => {
    check((visit) => {
      for (const flows of flowing(visit).values()) {
        for (const { from } of flows) {
          const sender = visit.participants.find(({ id }) => id === from);
          expect(sender?.state).toBe('admitted');
          expect(sender?.place).not.toBe(HOLD);
        }
      }
    });
  });

  test('gives nobody their own', () => {
    check((visit) => {
      for (const [id, flows] of plan(visit)) {
        expect(flows.filter(({ from }) => from === id)).toEqual([]);
      }
    });
  });

  test('crosses no border of a place', () => {
    check((visit) => {
      const placeOf = new Map(visit.participants.map(({ id, place }) => [id, place]));
      for (const [id, flows] of flowing(visit)) {
        for (const { from } of flows) expect(placeOf.get(from)).toBe(placeOf.get(id));
      }
    });
  });

  test('gives every admitted listener every producer of everybody else in the same place, once', () => {
    check((visit) => {
      for (const listener of visit.participants) {
        if (listener.state !== 'admitted' || listener.place === HOLD || !listener.endpoint)
          continue;
        const due = visit.participants
          .filter(
            (from) =>
              from !== listener && from.state === 'admitted' && from.place === listener.place,
          )
          .flatMap(({ endpoint }) => endpoint?.producers.map(({ id }) => id) ?? []);
        const flows = flowing(visit).get(listener.id) ?? [];
        expect(flows.map(({ producerId }) => producerId).toSorted()).toEqual(due.toSorted());
      }
    });
  });

  test('names as replanned exactly those whose flows differ', () => {
    fc.assert(
      fc.property(history, (steps) => {
        for (const { before, after } of run(steps)) {
          const [old, now] = [plan(before), plan(after)];
          const differ = [...now]
            .filter(([id, flows]) => JSON.stringify(old.get(id) ?? []) !== JSON.stringify(flows))
            .map(([id]) => id);
          expect(replanned(before, after)).toEqual(differ);
        }
      }),
    );
  });
});
