import { BedsideError, type VisitKey } from '@bedside/protocol';
import * as fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { FakeClock } from '../../test/fake-clock.ts';
import { FakeStore } from '../../test/fake-store.ts';
import { settled } from '../../test/visits.ts';
import { emptyVisit } from '../visit/arbitrary.ts';
import type { LedgerEvent, Media } from '../visit/state.ts';
import { VisitWriter, type WriterOptions } from './writer.ts';

const key = 'visit-key' as VisitKey;
const visitAt = (seq: number) => ({ ...emptyVisit(), seq });
const event = (at: number): LedgerEvent => ({ type: 'media-placed', at });

let store: FakeStore;
let clock: FakeClock;
let writer: VisitWriter;
let unwritten: number;
let dropped: number;
let log: string[];
let keep: WriterOptions['keep'];
/** What a node was given to hold: the visit, events by the numbers of their commits, and where. */
let held: { seq: number; batches: Record<number, number>; at: string[] }[];

beforeEach(() => {
  store = new FakeStore();
  clock = new FakeClock();
  unwritten = 0;
  dropped = 0;
  log = [];
  held = [];
  keep = async ({ visit, batches }, keepers) => {
    held.push({
      seq: visit.seq,
      batches: Object.fromEntries(batches.map(({ number, events }) => [number, events.length])),
      at: keepers.map(({ node }) => node),
    });
    return 'kept';
  };
  writer = new VisitWriter({
    store,
    key,
    epoch: store.takeOver(key),
    clock,
    keepers: [],
    keepersFor: (home) => (home ? [home] : []),
    keep: async (...given) => keep(...given),
    drop: () => log.push('drop'),
    onUnwritten: (difference) => {
      unwritten += difference;
    },
    onStale: () => log.push('stale'),
    onClean: () => log.push('clean'),
    onDropped: (events) => {
      dropped += events;
    },
    onFault: ({ code }) => log.push(code),
  });
});

/** Holds the next commit back until it is let go. */
function holdCommit(): () => void {
  const gate = Promise.withResolvers<void>();
  store.before = async () => {
    store.before = async () => {};
    await gate.promise;
  };
  return gate.resolve;
}

describe('while Redis answers', () => {
  test('a change is written before its answer, and then nothing is left', async () => {
    expect(await writer.write(visitAt(1), [event(1)])).toBe('written');
    expect(store.snapshots.get(key)).toEqual(visitAt(1));
    expect(store.ledger).toEqual([event(1)]);
    await writer.flush();
    expect([writer.clean, unwritten, log]).toEqual([true, 0, ['clean']]);
  });

  test('what comes while a batch is under way goes into one next batch, latest snapshot, all events', async () => {
    const letGo = holdCommit();
    const answers = [1, 2, 3, 4].map((seq) => writer.write(visitAt(seq), [event(seq)]));
    expect(unwritten).toBe(4);
    letGo();
    expect(await Promise.all(answers)).toEqual(['written', 'written', 'written', 'written']);
    expect(store.commits.map(({ number, visit, events }) => [number, visit.seq, events])).toEqual([
      [1, 1, [event(1)]],
      [2, 4, [event(2), event(3), event(4)]],
    ]);
    expect(unwritten).toBe(0);
  });
});

describe('what is deferred', () => {
  test('goes with the next change, in one commit', async () => {
    writer.defer(visitAt(1), [event(1)]);
    expect([store.commits, unwritten, writer.clean]).toEqual([[], 1, false]);
    expect(await writer.write(visitAt(2), [event(2)])).toBe('written');
    expect(store.commits.map(({ visit, events }) => [visit.seq, events])).toEqual([
      [2, [event(1), event(2)]],
    ]);
    expect([writer.roundTrips, unwritten, clock.pending]).toEqual([1, 0, 0]);
  });

  test('is written after a moment where nothing else comes', async () => {
    writer.defer(visitAt(1), [event(1)]);
    clock.advance(60_000);
    await settled();
    expect(store.ledger).toEqual([event(1)]);
    expect(log).toEqual(['clean']);
  });

  test('is written at once for who is about to close', async () => {
    writer.defer(visitAt(1), [event(1)]);
    writer.hurry();
    await settled();
    expect(store.ledger).toEqual([event(1)]);
  });

  test('is kept while Redis is away, and written on its return', async () => {
    store.goAway();
    writer.defer(visitAt(1), [event(1)]);
    clock.advance(60_000);
    expect([unwritten, clock.pending]).toEqual([1, 0]);
    store.comeBack();
    await writer.write(visitAt(1), []);
    expect(store.ledger).toEqual([event(1)]);
  });

  test('is not written by who has lost the visit', async () => {
    writer.defer(visitAt(1), [event(1)]);
    writer.discard();
    expect([unwritten, clock.pending]).toEqual([0, 0]);
    await writer.flush();
    expect(store.commits).toEqual([]);
  });
});

test('a round trip that was under way is one that a later change waits for', async () => {
  const letGo = holdCommit();
  void writer.write(visitAt(1), [event(1)]);
  const before = writer.roundTrips;
  const written = writer.write(visitAt(2), [event(2)]);
  letGo();
  await written;
  expect(writer.roundTrips - before).toBe(2);
});

describe('while Redis is away', () => {
  test('answers don\u2019t wait, changes are kept, and the next flush writes them all', async () => {
    store.goAway();
    expect(await writer.write(visitAt(1), [event(1)])).toBe('kept');
    expect(await writer.write(visitAt(2), [event(2)])).toBe('kept');
    expect([writer.clean, unwritten]).toEqual([false, 2]);
    await writer.flush();
    expect(store.commits).toEqual([]);
    store.comeBack();
    await writer.flush();
    expect(store.snapshots.get(key)?.seq).toBe(2);
    expect(store.ledger).toEqual([event(1), event(2)]);
    expect([writer.clean, unwritten, log]).toEqual([true, 0, ['clean']]);
  });

  test('a batch that failed is tried again as it was, under its number', async () => {
    let attempts = 0;
    store.before = async () => {
      attempts += 1;
      store.available = false;
      throw new BedsideError('state-unavailable');
    };
    expect(await writer.write(visitAt(1), [event(1)])).toBe('kept');
    expect(attempts).toBe(1);
    await writer.write(visitAt(2), [event(2)]);
    store.comeBack();
    await writer.flush();
    expect(store.commits.map(({ number, visit, events }) => [number, visit.seq, events])).toEqual([
      [1, 1, [event(1)]],
      [2, 2, [event(2)]],
    ]);
  });

  test('who waits behind the batch that fails is answered too', async () => {
    const gate = Promise.withResolvers<void>();
    store.before = async () => {
      await gate.promise;
      store.available = false;
      throw new BedsideError('state-unavailable');
    };
    const answers = [writer.write(visitAt(1), []), writer.write(visitAt(2), [])];
    gate.resolve();
    expect(await Promise.all(answers)).toEqual(['kept', 'kept']);
    expect(unwritten).toBe(2);
  });

  test('what anybody repeats at will is dropped before any proof', async () => {
    store.goAway();
    const held = { type: 'hold-started', at: 0 } as const;
    await writer.write(visitAt(1), [held]);
    for (let at = 1; at < 1_200; at++)
      await writer.write(visitAt(at), [{ type: 'producer-paused', at }]);
    store.comeBack();
    await writer.flush();
    expect(store.ledger).toHaveLength(1_000);
    expect([store.ledger[0], store.ledger[1]?.at]).toEqual([held, 201]);
  });

  test('the oldest events beyond the bound are dropped, and counted', async () => {
    store.goAway();
    for (let at = 0; at < 1_003; at++) await writer.write(visitAt(at), [event(at)]);
    expect(dropped).toBe(3);
    store.comeBack();
    await writer.flush();
    expect(store.ledger).toHaveLength(1_000);
    expect(store.ledger[0]).toEqual(event(3));
    expect(unwritten).toBe(0);
  });
});

describe('where Redis has lost what it said to have written', () => {
  test('the next change has it written again, in its order and before that change', async () => {
    for (const seq of [1, 2, 3]) await writer.write(visitAt(seq), [event(seq)]);
    store.lose(key, 2);
    expect(await writer.write(visitAt(4), [event(4)])).toBe('written');
    expect(store.ledger).toEqual([1, 2, 3, 4].map(event));
    expect(store.commits.map(({ number }) => number)).toEqual([1, 2, 3, 4]);
    expect([store.snapshots.get(key), unwritten, writer.clean]).toEqual([visitAt(4), 0, true]);
  });

  test('all of it is written again, and once, though Redis is away in the middle', async () => {
    for (const seq of [1, 2, 3]) await writer.write(visitAt(seq), [event(seq)]);
    store.lose(key, 3);
    let calls = 0;
    store.before = async () => {
      calls += 1;
      if (calls < 3) return;
      store.available = false;
      throw new BedsideError('state-unavailable');
    };
    expect(await writer.write(visitAt(4), [event(4)])).toBe('kept');
    store.comeBack();
    await writer.flush();
    expect(store.ledger).toEqual([1, 2, 3, 4].map(event));
    expect(writer.clean).toBe(true);
  });

  test('of long ago, that change is written alone', async () => {
    await writer.write(visitAt(1), [event(1)]);
    clock.advance(61_000);
    await writer.write(visitAt(2), [event(2)]);
    store.lose(key, 2);
    expect(await writer.write(visitAt(3), [event(3)])).toBe('written');
    expect(store.ledger).toEqual([2, 3].map(event));
  });
});

test('what a failover loses while it is written again is written again once more', async () => {
  for (const seq of [1, 2, 3]) await writer.write(visitAt(seq), [event(seq)]);
  store.lose(key, 2);
  let commits = 0;
  store.before = async () => {
    commits += 1;
    // That one comes after the second again, which is lost again.
    if (commits === 4) store.lose(key, 1);
  };
  await writer.write(visitAt(4), [event(4)]);
  expect(store.ledger).toEqual([1, 2, 3, 4].map(event));
});

describe('what Redis lacks while it is away', () => {
  const at = (node: string) => ({ node, bootId: 'boot' }) as Media;

  test('is held by a node before it is acknowledged, all of it each time, and with what a failover may lose', async () => {
    await writer.write(visitAt(1), [event(1)]);
    await writer.flush();
    store.goAway();
    expect(await writer.write(visitAt(2), [event(2)])).toBe('kept');
    expect(await writer.write(visitAt(3), [event(3)])).toBe('kept');
    expect(held.map(({ seq, batches }) => [seq, batches])).toEqual([
      [2, { 1: 1, 2: 1 }],
      [3, { 1: 1, 2: 2 }],
    ]);
  });

  test('is not acknowledged while no node takes it; that is tried again', async () => {
    const ok = keep;
    keep = async () => 'failed';
    store.goAway();
    let answered = false;
    const answer = writer.write(visitAt(1), []).then(() => {
      answered = true;
    });
    for (let tries = 0; tries < 3; tries++) {
      await settled();
      clock.advance(300);
    }
    expect(answered).toBe(false);
    keep = ok;
    await settled();
    clock.advance(300);
    await answer;
    expect(held).toHaveLength(1);
  });

  test('is acknowledged once Redis has it, where that is sooner', async () => {
    keep = async () => 'failed';
    store.goAway();
    const answer = writer.write(visitAt(1), []);
    await settled();
    store.comeBack();
    await writer.flush();
    expect(await answer).toBe('written');
  });

  test('is another gateway’s where the node knows of one: nothing is acknowledged any more', async () => {
    keep = async () => 'stale';
    store.goAway();
    await expect(writer.write(visitAt(1), [])).rejects.toMatchObject({ code: 'moved' });
    expect(log).toEqual(['stale']);
  });

  test('is not held any more once Redis has it and no failover loses it', async () => {
    store.goAway();
    await writer.write(visitAt(1), []);
    store.comeBack();
    await writer.flush();
    clock.advance(50_000);
    expect(log).toEqual(['clean']);
    clock.advance(10_000);
    expect(log).toEqual(['clean', 'drop']);
  });

  test('is not held any more where the visit is closed, and Redis has it', async () => {
    store.goAway();
    await writer.write(visitAt(1), []);
    writer.drop();
    expect(log).toEqual([]);
    store.comeBack();
    await writer.flush();
    writer.drop();
    expect(log).toEqual(['clean', 'drop']);
  });

  test('is left to the next owner where that one has the visit by now', async () => {
    store.goAway();
    await writer.write(visitAt(1), []);
    store.comeBack();
    store.takeOver(key);
    await writer.flush();
    writer.drop();
    clock.advance(60_000);
    expect(log).toEqual(['stale', 'clean']);
  });

  test('is held by all keepers that may be on record: a commit without an answer may be written, and a failover undoes some', async () => {
    const visitWithMediaAt = (seq: number) => ({ ...visitAt(seq), media: at(`node-${seq}`) });
    await writer.write(visitWithMediaAt(1), []);
    await writer.write(visitWithMediaAt(2), []);
    store.goAway();
    await writer.write(visitWithMediaAt(3), []);
    expect(held.at(-1)?.at).toEqual(['node-1', 'node-2']);
    await writer.flush();
    await writer.write(visitWithMediaAt(4), []);
    expect(held.at(-1)?.at).toEqual(['node-1', 'node-2', 'node-3']);
    store.comeBack();
    await writer.flush();
    clock.advance(61_000);
    await writer.write(visitWithMediaAt(5), []);
    store.goAway();
    await writer.write(visitWithMediaAt(6), []);
    expect(held.at(-1)?.at).toEqual(['node-4', 'node-5']);
  });
});

describe('where Redis refuses this visit\u2019s data though it answers', () => {
  test('the answer doesn\u2019t wait for ever, nothing is tried in a loop, and the next change tries again', async () => {
    let attempts = 0;
    store.before = async () => {
      attempts += 1;
      throw new BedsideError('internal');
    };
    expect(await writer.write(visitAt(1), [event(1)])).toBe('kept');
    await new Promise((resolve) => setImmediate(resolve));
    expect([attempts, log]).toEqual([1, ['internal']]);
    store.before = async () => {};
    expect(await writer.write(visitAt(2), [event(2)])).toBe('written');
    expect(store.ledger).toEqual([event(1), event(2)]);
    expect(unwritten).toBe(0);
  });
});

test('all is said to be written when it is, not while Redis is away, and never of another gateway\u2019s visit', async () => {
  expect(await writer.written()).toBe(true);
  void writer.write(visitAt(1), []);
  expect(await writer.written()).toBe(true);
  expect(store.snapshots.get(key)?.seq).toBe(1);
  store.goAway();
  void writer.write(visitAt(2), []);
  expect(await writer.written()).toBe(false);
  store.comeBack();
  expect(await writer.written()).toBe(true);
  store.takeOver(key);
  writer.write(visitAt(3), []).catch(() => {});
  await expect(writer.written()).rejects.toMatchObject({ code: 'moved' });
});

describe('once another gateway owns the visit', () => {
  test('nothing is written, who waits is told, and so is the owner', async () => {
    store.takeOver(key);
    const answers = [writer.write(visitAt(1), []), writer.write(visitAt(2), [])];
    for (const answer of answers) await expect(answer).rejects.toMatchObject({ code: 'moved' });
    await expect(writer.write(visitAt(3), [])).rejects.toMatchObject({ code: 'moved' });
    expect(store.commits).toEqual([]);
    expect(log[0]).toBe('stale');
    expect([writer.clean, unwritten]).toEqual([true, 0]);
  });

  test('a batch that is given up while it is under way is counted off once', async () => {
    const letGo = holdCommit();
    const answer = writer.write(visitAt(1), []);
    const rejected = expect(answer).rejects.toMatchObject({ code: 'moved' });
    writer.discard();
    expect(unwritten).toBe(0);
    letGo();
    await rejected;
    await writer.flush();
    expect(unwritten).toBe(0);
  });
});

test('with any interleaving of changes and outages every event is written once, in order, and the last snapshot stays', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom('write', 'fail', 'return', 'tick', 'lose'), { maxLength: 40 }),
      async (steps) => {
        const redis = new FakeStore();
        let balance = 0;
        const subject = new VisitWriter({
          store: redis,
          key,
          epoch: redis.takeOver(key),
          clock,
          keepers: [],
          keepersFor: () => [],
          keep: async () => 'kept',
          drop: () => {},
          onUnwritten: (difference) => {
            balance += difference;
          },
          onStale: () => {},
          onClean: () => {},
          onDropped: () => {},
          onFault: () => {},
        });
        const answers: Promise<unknown>[] = [];
        let seq = 0;
        for (const each of steps) {
          if (each === 'write') {
            seq += 1;
            answers.push(subject.write(visitAt(seq), [event(seq)]));
          }
          if (each === 'fail') {
            redis.before = async () => {
              await Promise.resolve();
              redis.available = false;
              throw new BedsideError('state-unavailable');
            };
          }
          if (each === 'return') {
            redis.comeBack();
            void subject.flush();
          }
          if (each === 'lose') redis.lose(key, 2);
          if (each === 'tick') await new Promise((resolve) => setImmediate(resolve));
        }
        // Every answer comes without the return of Redis.
        await Promise.all(answers);
        redis.comeBack();
        await subject.flush();
        // As the visit does when Redis is back.
        if (seq > 0) await subject.write(visitAt(seq), []);
        await subject.flush();
        expect(redis.ledger).toEqual(Array.from({ length: seq }, (_, index) => event(index + 1)));
        expect(redis.snapshots.get(key)?.seq).toBe(seq === 0 ? undefined : seq);
        expect(balance).toBe(0);
        expect(subject.clean).toBe(true);
      },
    ),
  );
});
