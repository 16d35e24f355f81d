import type { QueueEntry } from '@bedside/protocol';
import { beforeEach, expect, test } from 'vitest';
import { FakeClock } from '../../../test/fake-clock.ts';
import { FakeQueueStore } from '../../../test/fake-queue-store.ts';
import { CLINIC, entryOf, keyOfVisit } from '../../../test/queue-entries.ts';
import { settled } from '../../../test/visits.ts';
import { clinicKey } from '../keys.ts';
import { type QueueNews, THROTTLE_MS, WatchedQueue } from './watched-queue.ts';

const REREAD_MS = 20_000;

let store: FakeQueueStore;
let clock: FakeClock;
let queue: WatchedQueue;
let news: QueueNews[];
const watcher = (each: QueueNews) => void news.push(each);

beforeEach(() => {
  store = new FakeQueueStore();
  clock = new FakeClock();
  news = [];
  const clinic = clinicKey(CLINIC.tenant, CLINIC.clinic);
  queue = new WatchedQueue({ clinic, store, clock, rereadMs: REREAD_MS });
});

const put = (visit: string, since: number) =>
  store.entries.set(keyOfVisit(visit), entryOf(visit, since));
const ids = (entries: readonly QueueEntry[]) => entries.map(({ visit }) => visit as string);

async function pass(ms: number): Promise<void> {
  clock.advance(ms);
  await settled();
}

test('who begins to watch is told all there is, the longest wait first', async () => {
  put('late', 30);
  put('b', 10);
  put('a', 10);
  const { entries, stale } = await queue.watch(watcher);
  expect([ids(entries), stale]).toEqual([['a', 'b', 'late'], false]);
});

test('a watcher hears of what changed, and of nothing else', async () => {
  put('a', 1);
  put('b', 2);
  await queue.watch(watcher);
  put('a', 3);
  store.entries.delete(keyOfVisit('b'));
  queue.touch([keyOfVisit('a'), keyOfVisit('b')]);
  await pass(THROTTLE_MS);
  queue.touch([keyOfVisit('a')]);
  await pass(THROTTLE_MS);
  expect(news).toEqual([{ changed: [entryOf('a', 3)], removed: [entryOf('b', 2)], stale: false }]);
});

test('however much changes, it is looked at no more often than the throttle says', async () => {
  await queue.watch(watcher);
  const { length } = store.reads;
  for (let passed = 0; passed < THROTTLE_MS * 10; passed += 10) {
    put('a', passed);
    queue.touch([keyOfVisit('a')]);
    await pass(10);
  }
  expect(store.reads.length - length).toBeLessThanOrEqual(11);
  await pass(THROTTLE_MS);
  expect(news.at(-1)?.changed[0]?.waiting[0]?.since).toBe(THROTTLE_MS * 10 - 10);
});

test('only what was touched is read', async () => {
  await queue.watch(watcher);
  queue.touch([keyOfVisit('a')]);
  queue.touch([keyOfVisit('b')]);
  await pass(THROTTLE_MS);
  expect(store.reads).toEqual(['all', [keyOfVisit('a'), keyOfVisit('b')]]);
});

test('what changes during a read is read again: an old answer is never the last word', async () => {
  put('a', 1);
  await queue.watch(watcher);
  store.holdAnswers();
  queue.touch([keyOfVisit('a')]);
  await pass(THROTTLE_MS);
  put('a', 2);
  queue.touch([keyOfVisit('a')]);
  store.giveAnswers();
  await settled();
  await pass(THROTTLE_MS);
  expect(queue.entries[0]?.waiting[0]?.since).toBe(2);
});

test('what has expired is missed without a word, also while others change', async () => {
  put('a', 1);
  await queue.watch(watcher);
  store.entries.delete(keyOfVisit('a'));
  for (let passed = 0; passed <= REREAD_MS; passed += 1_000) {
    put('b', passed);
    queue.touch([keyOfVisit('b')]);
    await pass(1_000);
  }
  expect(news.flatMap(({ removed }) => ids(removed))).toEqual(['a']);
});

test('while Redis is away what was known last is shown as stale, and whole again when it is back', async () => {
  put('a', 1);
  await queue.watch(watcher);
  store.away = true;
  queue.touch('all');
  await pass(THROTTLE_MS);
  expect(news).toEqual([{ changed: [], removed: [], stale: true }]);
  const late = await queue.watch(() => {});
  expect([ids(late.entries), late.stale]).toEqual([['a'], true]);
  await pass(5_000);
  expect(news.length).toBe(1);
  put('b', 2);
  store.away = false;
  await pass(1_000);
  expect(news[1]).toEqual({ changed: [entryOf('b', 2)], removed: [], stale: false });
});

test('that Redis is back is told even where nothing has changed', async () => {
  await queue.watch(watcher);
  store.away = true;
  queue.touch('all');
  await pass(THROTTLE_MS);
  store.away = false;
  await pass(1_000);
  expect(news.map(({ stale }) => stale)).toEqual([true, false]);
});

test('where nothing is known and Redis is away, nobody is told that the queue is empty', async () => {
  store.away = true;
  await expect(queue.watch(watcher)).rejects.toMatchObject({ code: 'state-unavailable' });
  put('a', 1);
  store.away = false;
  const { entries } = await queue.watch(watcher);
  expect(ids(entries)).toEqual(['a']);
});

test('who has stopped watching hears nothing', async () => {
  await queue.watch(watcher);
  queue.unwatch(watcher);
  put('a', 1);
  queue.touch('all');
  await pass(THROTTLE_MS);
  expect([news, ids(queue.entries)]).toEqual([[], ['a']]);
});

test('a clock that is set back does not hold the queue up', async () => {
  await queue.watch(watcher);
  clock.setBack(10 * REREAD_MS);
  put('a', 1);
  queue.touch([keyOfVisit('a')]);
  await pass(REREAD_MS);
  expect(ids(queue.entries)).toEqual(['a']);
});

test('after its end it reads no more', async () => {
  await queue.watch(watcher);
  queue.close();
  queue.touch('all');
  await pass(10 * REREAD_MS);
  expect([store.reads.length, clock.pending]).toEqual([1, 0]);
});
