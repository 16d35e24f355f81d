import type { TenantId, VisitId, VisitKey } from '@bedside/protocol';
import { describe, expect, test } from 'vitest';
import { FakeClock } from '../../test/fake-clock.ts';
import { Page } from '../../test/page.ts';
import { createTestVisits, GRACE_MS, keyOf, settled } from '../../test/visits.ts';
import { DeadlineWatch } from './deadline-watch.ts';

const clinic = 'clinic' as TenantId;
const visit = 'visit-1' as VisitId;
const key = keyOf();
const MINUTE = 60_000;
const iso = (time: number) => new Date(time).toISOString();
const typesOf = (events: readonly { type: string }[]) => events.map(({ type }) => type);

/** A visit under way that its provider has left, and then everybody: no gateway has it open. */
async function deserted() {
  const at = createTestVisits();
  const [ana, pat] = [new Page('ana', 'provider'), new Page('pat')];
  for (const page of [ana, pat]) {
    await page.connect(at.visits);
    await page.join();
  }
  await ana.command('leave', {});
  const due = at.clock.now() + 15 * MINUTE;
  await pat.command('leave', {});
  for (const page of [ana, pat]) page.drop();
  await settled();
  expect([at.counts.visitsOpen, at.store.deadlines.get(key)]).toEqual([0, due]);
  return { at, due };
}

describe('a visit that nobody has open', () => {
  test('has ended for the portal when its time is over, and not before', async () => {
    const { at, due } = await deserted();
    at.clock.advance(due - 1 - at.clock.now());
    expect((await at.visits.read(clinic, visit)).state).toBe('active');
    expect(typesOf(await at.visits.events(clinic, visit))).not.toContain('visit-ended');
    at.clock.advance(10 * MINUTE);
    const ended = { state: 'ended', endedAt: iso(due) };
    expect(await at.visits.read(clinic, visit)).toMatchObject(ended);
    expect((await at.visits.events(clinic, visit)).at(-1)).toEqual({
      type: 'visit-ended',
      at: iso(due),
      reason: 'unattended',
    });
    expect(await at.visits.evidence(clinic, visit)).toEqual([]);
    // To read changes nothing.
    expect(at.store.snapshots.get(key)?.state).toBe('active');
  });

  test('ends once, at its time, by whichever gateway looks at it, and is looked at no more', async () => {
    const { at, due } = await deserted();
    const other = createTestVisits({ store: at.store, node: at.node });
    other.clock.advance(due + 10 * MINUTE - other.clock.now());
    for (const visits of [other.visits, at.visits]) await visits.look(key);
    await settled();
    expect(at.store.snapshots.get(key)).toMatchObject({ state: 'ended', endedAt: due });
    expect(typesOf(at.store.ledger).filter((type) => type === 'visit-ended')).toHaveLength(1);
    expect([at.store.deadlines.size, other.counts.visitsOpen]).toEqual([0, 0]);
  });

  test('to which nobody came has its no-shows on record', async () => {
    const at = createTestVisits();
    const startsAt = at.clock.now() + MINUTE;
    await at.visits.create(clinic, {
      visit,
      kind: 'visit',
      startsAt: iso(startsAt),
      noShowAfterMinutes: 10,
    });
    await settled();
    expect(at.counts.visitsOpen).toBe(0);
    const due = startsAt + 10 * MINUTE;
    expect(at.store.deadlines.get(key)).toBe(due);
    at.clock.advance(20 * MINUTE);
    const missed = ['patient', 'provider'].map((role) => ({ type: 'no-show', at: iso(due), role }));
    expect((await at.visits.events(clinic, visit)).slice(1)).toEqual(missed);
    await at.visits.look(key);
    await settled();
    expect((await at.visits.events(clinic, visit)).slice(1)).toEqual(missed);
    expect(at.store.ledger.at(-1)).toMatchObject({ type: 'no-show', at: due });
    expect(at.store.deadlines.size).toBe(0);
  });

  test('that is forgotten is looked at no more', async () => {
    const at = createTestVisits();
    at.store.deadlines.set(key, 1);
    await at.visits.look(key);
    await settled();
    expect([at.store.deadlines.size, at.counts.visitsOpen]).toEqual([0, 0]);
  });
});

test('a visit that somebody is in has ended no earlier than it did', async () => {
  const at = createTestVisits();
  const [ana, pat] = [new Page('ana', 'provider'), new Page('pat')];
  for (const page of [ana, pat]) {
    await page.connect(at.visits);
    await page.join();
  }
  await ana.command('leave', {});
  await settled();
  const other = createTestVisits({ store: at.store, node: at.node });
  const late = at.clock.now() + 30 * MINUTE;
  other.clock.advance(late - other.clock.now());
  expect((await other.visits.read(clinic, visit)).state).toBe('active');
  await other.visits.look(key);
  await settled();
  expect(at.store.snapshots.get(key)).toMatchObject({ state: 'ended', endedAt: late });
  expect(late).toBeGreaterThan(GRACE_MS);
});

test('what the cluster is to look at is said again when Redis is back', async () => {
  const { at, due } = await deserted();
  const ben = new Page('ben');
  await ben.connect(at.visits);
  await ben.join();
  await settled();
  at.store.deadlines.clear();
  await at.visits.redisReturned();
  await settled();
  expect(at.store.deadlines.get(key)).toBe(due);
});

describe('the watch', () => {
  const watchOf = (answers: (() => VisitKey[])[]) => {
    const clock = new FakeClock();
    const looked: VisitKey[] = [];
    const watch = new DeadlineWatch({
      clock,
      store: { overdue: async () => (answers.shift() ?? (() => []))() },
      look: async (visit) => {
        looked.push(visit);
        if (visit === 'elsewhere') throw new Error('moved');
      },
    });
    watch.start();
    return { clock, looked, watch };
  };
  const keys = (...some: string[]) => (() => some) as () => VisitKey[];

  test('looks at all that is overdue, and goes on after what fails', async () => {
    const { clock, looked } = watchOf([
      () => {
        throw new Error('Redis is away');
      },
      keys('elsewhere', 'one'),
      keys('two'),
      keys(),
      keys('three'),
    ]);
    clock.advance(8_000);
    await settled();
    expect(looked).toEqual([]);
    clock.advance(8_000);
    await settled();
    expect(looked).toEqual(['elsewhere', 'one', 'two']);
    clock.advance(8_000);
    await settled();
    expect(looked).toEqual(['elsewhere', 'one', 'two', 'three']);
  });

  test('that is stopped looks at nothing more', async () => {
    const { clock, looked, watch } = watchOf([keys('one')]);
    watch.stop();
    clock.advance(60_000);
    await settled();
    expect([looked, clock.pending]).toEqual([[], 0]);
  });
});
