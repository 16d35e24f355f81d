import type { QueueEntry, TenantId } from '@bedside/protocol';
import { beforeEach, expect, test } from 'vitest';
import { FakeClock } from '../../../test/fake-clock.ts';
import { FakeQueueStore } from '../../../test/fake-queue-store.ts';
import { CLINIC, entryOf, keyOfVisit } from '../../../test/queue-entries.ts';
import { settled } from '../../../test/visits.ts';
import { QueueWriter } from './writer.ts';

const REFRESH_MS = 20_000;
/** Longer than any pause between two tries. */
const RETRY_MS = 1_000;

let store: FakeQueueStore;
let clock: FakeClock;
let writer: QueueWriter;
const counts = { standing: 0, unwritten: 0 };

beforeEach(() => {
  store = new FakeQueueStore();
  clock = new FakeClock();
  Object.assign(counts, { standing: 0, unwritten: 0 });
  writer = new QueueWriter({
    store,
    clock,
    refreshMs: REFRESH_MS,
    telemetry: {
      queueEntries: (count) => {
        counts.standing = count;
      },
      unwrittenEntries: (count) => {
        counts.unwritten = count;
      },
    },
  });
});

const tell = (visit: string, entry: QueueEntry | undefined, epoch = 1) =>
  writer.entryChanged(CLINIC, keyOfVisit(visit), entry, epoch);
const stored = () => [...store.entries.values()].map(({ visit }) => visit as string);
const since = () => [...store.entries.values()].map(({ waiting }) => waiting[0]?.since);

test('what changes in one turn is written in one call', async () => {
  tell('a', entryOf('a', 1));
  tell('b', entryOf('b', 2));
  tell('a', entryOf('a', 3));
  await settled();
  expect(store.writes.length).toBe(1);
  expect(since()).toEqual([3, 2]);
  expect(counts).toEqual({ standing: 2, unwritten: 0 });
});

test('the same word twice is written once', async () => {
  tell('a', entryOf('a', 1));
  await settled();
  tell('a', entryOf('a', 1));
  await settled();
  expect(store.writes.length).toBe(1);
});

test('what changes while a call is under way is written by the next one', async () => {
  store.holdAnswers();
  tell('a', entryOf('a', 1));
  await settled();
  tell('a', entryOf('a', 2));
  tell('b', entryOf('b', 3));
  await settled();
  expect([store.writes.length, counts.unwritten]).toEqual([1, 2]);
  store.giveAnswers();
  await settled();
  expect([store.writes.length, counts.unwritten]).toEqual([2, 0]);
  expect(since()).toEqual([2, 3]);
});

test('a word that comes just as the last call ends is written', async () => {
  for (let turn = 0; turn < 12; turn += 1) {
    tell('a', entryOf('a', turn));
    for (let tick = 0; tick < turn; tick += 1) await Promise.resolve();
    tell('b', entryOf('b', turn));
    await settled();
    expect(since()).toEqual([turn, turn]);
  }
});

test('while Redis is away the newest of each visit is kept, and written when it is back', async () => {
  store.away = true;
  tell('a', entryOf('a', 1));
  tell('b', entryOf('b', 1));
  await settled();
  tell('a', entryOf('a', 2));
  tell('b', undefined);
  for (let i = 0; i < 100; i += 1) tell('c', entryOf('c', i));
  clock.advance(RETRY_MS);
  await settled();
  expect(counts).toEqual({ standing: 2, unwritten: 3 });
  store.away = false;
  clock.advance(RETRY_MS);
  await settled();
  expect(stored()).toEqual(['a', 'c']);
  expect(since()).toEqual([2, 99]);
  expect(counts).toEqual({ standing: 2, unwritten: 0 });
});

test('while Redis is away it is tried ever more slowly, whatever changes meanwhile', async () => {
  store.away = true;
  const triesIn = async (ms: number) => {
    const before = store.writes.length;
    for (let passed = 0; passed < ms; passed += 10) {
      tell('a', entryOf('a', clock.now()));
      clock.advance(10);
      await settled();
    }
    return store.writes.length - before;
  };
  expect(await triesIn(1_000)).toBeLessThanOrEqual(5);
  const later = await triesIn(4_000);
  expect(later).toBeGreaterThanOrEqual(3);
  expect(later).toBeLessThanOrEqual(6);
});

test('entries are written again before they expire, also those of a clinic in which others change', async () => {
  tell('a', entryOf('a', 1));
  await settled();
  for (let passed = 0; passed < REFRESH_MS; passed += 1_000) {
    tell('b', entryOf('b', clock.now()));
    clock.advance(1_000);
    await settled();
  }
  const writesOfA = store.writes.flat().filter(({ visit }) => visit === keyOfVisit('a'));
  expect(writesOfA.length).toBe(2);
});

test('a visit that is in the queue no more is written so, and not again', async () => {
  tell('a', entryOf('a', 1));
  await settled();
  tell('a', undefined);
  await settled();
  expect([stored(), counts]).toEqual([[], { standing: 0, unwritten: 0 }]);
  const writes = store.writes.length;
  clock.advance(REFRESH_MS);
  await settled();
  expect([store.writes.length, clock.pending]).toEqual([writes, 0]);
});

test('an entry that another owner has written since is given up', async () => {
  tell('a', entryOf('a', 1));
  await settled();
  store.refused.add(keyOfVisit('a'));
  clock.advance(REFRESH_MS);
  await settled();
  expect(counts.standing).toBe(0);
  const writes = store.writes.length;
  clock.advance(REFRESH_MS);
  await settled();
  expect(store.writes.length).toBe(writes);
});

test('what was forgotten is neither written nor refreshed', async () => {
  store.away = true;
  tell('a', entryOf('a', 1));
  await settled();
  writer.forget(keyOfVisit('a'));
  store.away = false;
  clock.advance(RETRY_MS);
  await settled();
  clock.advance(REFRESH_MS);
  await settled();
  expect([stored(), counts]).toEqual([[], { standing: 0, unwritten: 0 }]);
});

test('what an older owner of the visit says after a newer one is not written', async () => {
  tell('a', entryOf('a', 5), 2);
  tell('a', entryOf('a', 1), 1);
  await settled();
  expect(since()).toEqual([5]);
});

test('many entries go out in several calls, in the order in which they came', async () => {
  const visits = Array.from({ length: 250 }, (_, i) => `v${i}`);
  for (const visit of visits) tell(visit, entryOf(visit, 1));
  await settled();
  expect(store.writes.map((changes) => changes.length)).toEqual([100, 100, 50]);
  expect(stored()).toEqual(visits);
});

test('clinics do not wait for each other', async () => {
  store.holdAnswers();
  tell('a', entryOf('a', 1));
  writer.entryChanged(
    { ...CLINIC, tenant: 'hospital' as TenantId },
    keyOfVisit('b'),
    entryOf('b', 1),
    1,
  );
  await settled();
  expect(store.writes.length).toBe(2);
});

test('the stop writes what is unwritten, and leaves the entries', async () => {
  tell('a', entryOf('a', 1));
  await writer.stop();
  expect([stored(), clock.pending]).toEqual([['a'], 0]);
});

test('the stop does not wait for a Redis that is away', async () => {
  store.away = true;
  tell('a', entryOf('a', 1));
  await writer.stop();
  expect([stored(), clock.pending]).toEqual([[], 0]);
});
