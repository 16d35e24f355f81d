import type { GatewayId, VisitKey } from '@bedside/protocol';
import type { Redis } from 'ioredis';
import { pino } from 'pino';
import { beforeEach, expect, test } from 'vitest';
import { FakeClock } from '../../test/fake-clock.ts';
import { memberOf } from '../../test/member.ts';
import { Counts } from '../../test/telemetry.ts';
import { settled } from '../../test/visits.ts';
import { RedisStore } from './store.ts';

const key = 'visit-key' as VisitKey;

/** The two calls that matter here, each answered when a test says so. */
class FakeRedis {
  heartbeats = 0;
  beat: () => Promise<unknown> = async () => ['1', '1'].map((text) => Buffer.from(text));
  read: () => Promise<Buffer | null> = async () => null;

  callBuffer(): Promise<unknown> {
    this.heartbeats += 1;
    return this.beat();
  }
  getBuffer(): Promise<Buffer | null> {
    return this.read();
  }
}

let redis: FakeRedis;
let clock: FakeClock;
let store: RedisStore;
let returns: number;

beforeEach(() => {
  redis = new FakeRedis();
  clock = new FakeClock();
  returns = 0;
  store = new RedisStore({
    redis: redis as unknown as Redis,
    gatewayId: 'gateway' as GatewayId,
    boot: 'boot',
    self: () => memberOf('gateway', 'boot'),
    answers: async () => true,
    clock,
    log: pino({ level: 'silent' }),
    telemetry: new Counts(),
    onAvailable: () => {
      returns += 1;
    },
  });
});

const gone = async () => {
  throw new Error('Connection is closed.');
};

test('Redis is there from the first heartbeat on, and its return is told once an outage', async () => {
  expect(store.available).toBe(false);
  await store.start();
  expect([store.available, returns]).toEqual([true, 1]);
  for (const outages of [1, 2]) {
    redis.read = gone;
    await expect(store.read(key)).rejects.toMatchObject({ code: 'state-unavailable' });
    expect(store.available).toBe(false);
    redis.read = async () => null;
    // In steps that are shorter than a call may take: its deadline passes, too.
    for (let step = 0; step < 4; step++) {
      clock.advance(500);
      await settled();
    }
    expect([store.available, returns]).toEqual([true, 1 + outages]);
  }
});

test('a call that fails while a heartbeat is under way is an outage whose end is told', async () => {
  await store.start();
  const beat = Promise.withResolvers<Buffer[]>();
  redis.beat = () => beat.promise;
  clock.advance(2_000);
  redis.read = gone;
  await expect(store.read(key)).rejects.toMatchObject({ code: 'state-unavailable' });
  beat.resolve(['1', '1'].map((text) => Buffer.from(text)));
  await settled();
  expect([store.available, returns]).toEqual([true, 2]);
});

test('heartbeats go on for as long as Redis is away, ever more slowly up to a bound, and until the stop', async () => {
  redis.beat = gone;
  await store.start();
  const within = async (ms: number) => {
    const before = redis.heartbeats;
    for (let passed = 0; passed < ms; passed += 10) {
      clock.advance(10);
      await Promise.resolve();
      await settled();
    }
    return redis.heartbeats - before;
  };
  expect(await within(1_000)).toBeGreaterThan(2);
  await within(2_000);
  const later = await within(3_000);
  expect(later).toBeGreaterThanOrEqual(2);
  expect(later).toBeLessThanOrEqual(4);
  await store.stop();
  expect(await within(5_000)).toBe(0);
});
