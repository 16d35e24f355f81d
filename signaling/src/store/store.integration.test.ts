import {
  type GatewayId,
  LIMITS,
  type NodeId,
  type ParticipantId,
  type VisitKey,
} from '@bedside/protocol';
import { type Clock, MEMBERSHIP_KEYS, REDIS_OPTIONS, systemClock } from '@bedside/service';
import * as fc from 'fast-check';
import { Cluster, Redis } from 'ioredis';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { RedisServer } from '../../../load-tests/lib/redis-server.ts';
import { TcpProxy } from '../../../load-tests/lib/tcp-proxy.ts';
import { FakeClock } from '../../test/fake-clock.ts';
import { memberOf } from '../../test/member.ts';
import { Counts } from '../../test/telemetry.ts';
import { emptyVisit } from '../visit/arbitrary.ts';
import type { Media, Said } from '../visit/state.ts';
import { gatewayKeys, visitKeys } from './keys.ts';
import { unpack } from './packing.ts';
import { type Commit, RedisStore } from './store.ts';

const key = 'visit-key' as VisitKey;
const keys = visitKeys(key);
const A = 'gateway-a' as GatewayId;
const B = 'gateway-b' as GatewayId;

let server: RedisServer;
/** For looking and for spoiling. */
let admin: Redis;
let clock: FakeClock;
/** Closed after each test, last first. */
const open: (() => unknown)[] = [];

beforeAll(async () => {
  server = await RedisServer.start();
  admin = new Redis(server.url);
});

afterAll(async () => {
  admin?.disconnect();
  await server?.stop();
});

beforeEach(async () => {
  clock = new FakeClock();
  await admin.flushall();
  silent.clear();
});

afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

let boots = 0;

/** The store of one gateway's boot: `port` of Redis or of a proxy before it. */
async function storeOf(
  gatewayId: GatewayId,
  options: { port?: number; clock?: Clock; redis?: Redis | Cluster; boot?: string } = {},
) {
  const { port = server.port, boot = `boot-${++boots}` } = options;
  const logged: string[] = [];
  const telemetry = new Counts();
  const redis = options.redis ?? new Redis(port, '127.0.0.1', REDIS_OPTIONS);
  redis.on('error', () => {});
  if (redis.status !== 'ready') await new Promise((resolve) => redis.once('ready', resolve));
  let returned = Promise.withResolvers<void>();
  const store = new RedisStore({
    redis,
    gatewayId,
    boot,
    self: () => memberOf(gatewayId, boot),
    answers: async (address) => !silent.has(address),
    clock: options.clock ?? clock,
    log: pino({ level: 'warn' }, { write: (line: string) => void logged.push(line) }),
    telemetry,
    onAvailable: () => {
      returned.resolve();
      returned = Promise.withResolvers();
    },
  });
  open.push(() => redis.disconnect());
  open.push(() => store.stop());
  await store.start();
  return {
    store,
    redis,
    boot,
    logged,
    telemetry,
    /** Redis has answered again. */
    returned: () => returned.promise,
  };
}

const commitOf = (epoch: number, number: number, seq = number): Commit => ({
  epoch,
  number,
  visit: { ...emptyVisit(), seq },
  events: [{ type: 'participant-left', at: seq }],
  messages: [],
});

const said = (number: number): Said => ({
  message: { number, to: { type: 'all' }, kind: 'chat', text: `text ${number}`, at: number },
  audience: ['ana' as ParticipantId],
});

const ledgerLength = () => admin.llen(keys.ledger);
const storedSeq = async () => {
  const snapshot = await admin.getBuffer(keys.snapshot);
  return snapshot === null ? undefined : JSON.parse(unpack(snapshot)).seq;
};
const epochInRedis = async () => Number(await admin.hget(keys.lease, 'epoch'));
/** Addresses at which nobody answers any more. */
const silent = new Set<string>();
/** The process is gone, without a word. */
const forget = (gateway: GatewayId) => silent.add(addressOf(gateway));
const addressOf = (gateway: GatewayId) => memberOf(gateway, '').address;

/** How often Redis has run a script since the last FLUSHALL or reset. */
async function scriptRuns(): Promise<number> {
  const stats = await admin.info('commandstats');
  return [...stats.matchAll(/cmdstat_eval(?:sha)?:calls=(\d+)/g)].reduce(
    (sum, [, calls]) => sum + Number(calls),
    0,
  );
}

async function until(right: () => Promise<boolean>): Promise<void> {
  while (!(await right())) await new Promise((resolve) => setTimeout(resolve, 5));
}

describe('a commit', () => {
  test('under the epoch of the lease writes snapshot and events, and both are read back', async () => {
    const { store } = await storeOf(A);
    const { epoch } = await store.acquire(key);
    expect(await store.commit(key, commitOf(epoch, 1))).toBe('written');
    expect(await store.read(key)).toEqual({ ...emptyVisit(), seq: 1 });
    const [event] = await admin.lrange(keys.ledger, 0, -1);
    expect(JSON.parse(event ?? '')).toEqual({ type: 'participant-left', at: 1 });
  });

  test('keeps messages for the next owner, as many as a visit keeps, until the visit ends', async () => {
    const { store } = await storeOf(A);
    const { epoch, messages } = await store.acquire(key);
    expect(messages).toEqual([]);
    const many = Array.from({ length: LIMITS.messagesPerVisit }, (_, index) => said(index + 1));
    await store.commit(key, { ...commitOf(epoch, 1), messages: many });
    for (const _ of [1, 2])
      await store.commit(key, { ...commitOf(epoch, 2), messages: [said(501), said(502)] });
    const next = await store.acquire(key);
    expect(next.messages).toEqual([...many.slice(2), said(501), said(502)]);
    expect(await admin.pttl(keys.messages)).toBeGreaterThan(0);
    const ended = commitOf(next.epoch, 3);
    await store.commit(key, {
      ...ended,
      visit: { ...ended.visit, state: 'ended' },
      messages: [said(503)],
    });
    expect(await admin.exists(keys.messages)).toBe(0);
  });

  test('is read back as the ledger, in order', async () => {
    const { store } = await storeOf(A);
    const { epoch } = await store.acquire(key);
    for (const number of [1, 2, 3]) await store.commit(key, commitOf(epoch, number));
    expect(await store.events(key)).toEqual(
      [1, 2, 3].map((at) => ({ type: 'participant-left', at })),
    );
  });

  test('beyond the length of the ledger drops the oldest events', async () => {
    const { store } = await storeOf(A);
    const { epoch } = await store.acquire(key);
    for (let number = 1; number <= 11; number++) {
      const events = Array.from({ length: 1_000 }, (_, index) => ({
        type: 'participant-left' as const,
        at: number * 1_000 + index,
      }));
      await store.commit(key, { ...commitOf(epoch, number), events });
    }
    expect(await ledgerLength()).toBe(10_000);
    const ends = [await admin.lindex(keys.ledger, 0), await admin.lindex(keys.ledger, -1)];
    expect(ends.map((event) => JSON.parse(event ?? '').at)).toEqual([2_000, 11_999]);
  });

  test('of what anybody repeats at will pushes no proof out, and is bounded by itself', async () => {
    const { store } = await storeOf(A);
    const { epoch } = await store.acquire(key);
    const held = { type: 'hold-started' as const, at: 1 };
    await store.commit(key, { ...commitOf(epoch, 1), events: [held] });
    for (let number = 2; number <= 13; number++) {
      const events = Array.from({ length: 1_000 }, (_, index) => ({
        type: 'producer-paused' as const,
        at: number * 1_000 + index,
      }));
      await store.commit(key, { ...commitOf(epoch, number), events });
    }
    const released = { type: 'hold-ended' as const, at: 13_500 };
    await store.commit(key, { ...commitOf(epoch, 14), events: [released] });
    const events = await store.events(key);
    expect(events).toHaveLength(5_002);
    expect([events[0], events[1]?.at]).toEqual([held, 9_000]);
    expect(events.map(({ at }) => at)).toEqual(
      events.map(({ at }) => at).toSorted((one, other) => one - other),
    );
    expect(events).toContainEqual(released);
    expect(await admin.pttl(keys.activity)).toBeGreaterThan(0);
  });

  test('twice under its number writes once', async () => {
    const { store } = await storeOf(A);
    const { epoch } = await store.acquire(key);
    for (const _ of [1, 2]) expect(await store.commit(key, commitOf(epoch, 1))).toBe('written');
    expect(await ledgerLength()).toBe(1);
  });

  test('that comes late, after the next one, doesn\u2019t undo it', async () => {
    const { store } = await storeOf(A);
    const { epoch } = await store.acquire(key);
    await store.commit(key, commitOf(epoch, 1));
    await store.commit(key, commitOf(epoch, 2));
    await store.commit(key, commitOf(epoch, 1));
    expect([await storedSeq(), await ledgerLength()]).toEqual([2, 2]);
  });

  test('under a stale epoch is refused and changes nothing', async () => {
    const [a, b] = [await storeOf(A), await storeOf(B)];
    const old = await a.store.acquire(key);
    await a.store.commit(key, commitOf(old.epoch, 1));
    forget(A);
    const { epoch } = await b.store.acquire(key);
    await b.store.commit(key, commitOf(epoch, 1, 7));
    expect(await a.store.commit(key, commitOf(old.epoch, 2))).toBe('stale');
    expect([await storedSeq(), await ledgerLength(), await epochInRedis()]).toEqual([7, 2, epoch]);
  });

  test('after Redis lost everything puts lease and visit back, for the owner of before', async () => {
    const [a, b] = [await storeOf(A), await storeOf(B)];
    const { epoch } = await a.store.acquire(key);
    await a.store.commit(key, commitOf(epoch, 1));
    await admin.del(keys.lease, keys.snapshot, keys.ledger);
    expect(await a.store.commit(key, commitOf(epoch, 2))).toBe('written');
    expect(await admin.hgetall(keys.lease)).toMatchObject({
      gateway: A,
      boot: a.boot,
      epoch: String(epoch),
    });
    expect(await storedSeq()).toBe(2);
    await expect(b.store.acquire(key)).rejects.toMatchObject({ code: 'moved' });
  });
});

describe('a snapshot', () => {
  test('of the version before, which was plain JSON, is read, and written anew by the next commit', async () => {
    const { store, logged } = await storeOf(A);
    await admin.set(keys.snapshot, JSON.stringify({ ...emptyVisit(), seq: 6 }));
    expect((await store.read(key))?.seq).toBe(6);
    const { epoch, visit } = await store.acquire(key);
    expect(visit).toEqual({ ...emptyVisit(), seq: 6 });
    await store.commit(key, commitOf(epoch, 1, 7));
    expect((await store.read(key))?.seq).toBe(7);
    expect(logged).toEqual([]);
  });

  test('in a form of a later version is refused, and that is logged', async () => {
    const { store, logged } = await storeOf(A);
    await admin.set(keys.snapshot, Buffer.of(2, 0x80, 0xff));
    await expect(store.acquire(key)).rejects.toMatchObject({ code: 'state-unavailable' });
    expect(logged.join()).toContain('does not match its schema');
  });
});

describe('a lease', () => {
  test('of a live gateway is nobody else\u2019s, who is sent away with a time to try again', async () => {
    const [a, b] = [await storeOf(A), await storeOf(B)];
    await a.store.acquire(key);
    await expect(b.store.acquire(key)).rejects.toMatchObject({
      code: 'moved',
      gateway: A,
      retryAfterMs: expect.any(Number),
    });
  });

  test('is taken over at once when its owner answers no more, with what was committed', async () => {
    const [a, b] = [await storeOf(A), await storeOf(B)];
    const { epoch } = await a.store.acquire(key);
    await a.store.commit(key, commitOf(epoch, 1));
    forget(A);
    const lease = await b.store.acquire(key);
    expect(lease.epoch).toBeGreaterThan(epoch);
    expect(lease.visit?.seq).toBe(1);
  });

  test('comes with the last commit and its keepers where somebody had it until now, whoever has had it since then and written nothing', async () => {
    const [a, b, c] = [await storeOf(A), await storeOf(B), await storeOf(A)];
    const [one, two, three] = ['a node', 'node-2', 'node-3'].map((node) => ({
      node: node as NodeId,
      bootId: 'boot',
    })) as [Media, Media, Media];
    const { epoch, inherited } = await a.store.acquire(key, [one]);
    expect(inherited).toBeUndefined();
    await a.store.commit(key, commitOf(epoch, 1));
    await a.store.commit(key, { ...commitOf(epoch, 2), keepers: [one, two] });
    forget(A);
    expect((await b.store.acquire(key, [three])).inherited).toEqual({
      epoch,
      number: 2,
      keepers: [one, two],
    });
    forget(B);
    const last = await c.store.acquire(key, [two]);
    expect(last.inherited).toEqual({ epoch, number: 2, keepers: [one, two, three] });
    await c.store.commit(key, { ...commitOf(last.epoch, 1), keepers: [two] });
    const next = await a.store.acquire(key);
    expect(next.inherited).toEqual({ epoch: last.epoch, number: 1, keepers: [two] });
    await a.store.release(key, next.epoch);
    expect((await a.store.acquire(key)).inherited).toBeUndefined();
  });

  test('that is taken over, or found to be, is among the visits of its new owner alone', async () => {
    const [a, b] = [await storeOf(A), await storeOf(B)];
    await a.store.acquire(key);
    forget(A);
    await b.store.acquire(key);
    await expect.poll(() => b.store.visitsOf(A)).toEqual([]);
    expect(await b.store.abandoned()).toEqual([key]);
    // Where the new owner could not say so, the old one does.
    await admin.sadd(gatewayKeys(A).visits, key);
    await a.store.lost(key);
    expect(await a.store.abandoned()).toEqual([]);
  });

  test('is taken over when its owner was started anew and has not taken it up again', async () => {
    const a = await storeOf(A);
    await a.store.acquire(key);
    await storeOf(A);
    await expect((await storeOf(B)).store.acquire(key)).resolves.toBeDefined();
  });

  test('is taken again by the next boot of its owner, though the one before is still registered', async () => {
    const first = await storeOf(A);
    const { epoch } = await first.store.acquire(key);
    await first.store.commit(key, commitOf(epoch, 1));
    const second = await storeOf(A);
    expect(await second.store.acquire(key)).toMatchObject({ visit: { seq: 1 } });
  });

  test('that is abandoned goes to exactly one of many who race for it', async () => {
    const dead = await storeOf('gateway-dead' as GatewayId);
    const racers = await Promise.all(
      ['b', 'c', 'd', 'e'].map((name) => storeOf(`gateway-${name}` as GatewayId)),
    );
    for (let round = 0; round < 25; round++) {
      const visit = `visit-${round}` as VisitKey;
      await dead.store.acquire(visit);
      forget('gateway-dead' as GatewayId);
      const outcomes = await Promise.allSettled(racers.map(({ store }) => store.acquire(visit)));
      const won = outcomes.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
      expect(won).toHaveLength(1);
      expect(Number(await admin.hget(visitKeys(visit).lease, 'epoch'))).toBe(won[0]?.epoch);
      for (const each of outcomes)
        if (each.status === 'rejected') expect(each.reason).toMatchObject({ code: 'moved' });
      silent.clear();
    }
  });

  test('that nobody has goes to exactly one of two who race for it', async () => {
    const [a, b] = [await storeOf(A), await storeOf(B)];
    for (let round = 0; round < 25; round++) {
      const visit = `visit-${round}` as VisitKey;
      const outcomes = await Promise.allSettled([a, b].map(({ store }) => store.acquire(visit)));
      expect(outcomes.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
    }
  });

  test('that was released is free at once; the epoch goes on', async () => {
    const [a, b] = [await storeOf(A), await storeOf(B)];
    const { epoch } = await a.store.acquire(key);
    await a.store.commit(key, commitOf(epoch, 1));
    await a.store.release(key, epoch);
    const lease = await b.store.acquire(key);
    expect(lease.epoch).toBeGreaterThan(epoch);
    expect(lease.visit?.seq).toBe(1);
  });

  test('is not released by who had it before', async () => {
    const [a, b] = [await storeOf(A), await storeOf(B)];
    const { epoch } = await a.store.acquire(key);
    await a.store.commit(key, commitOf(epoch, 1));
    forget(A);
    await b.store.acquire(key);
    await a.store.release(key, epoch);
    expect(await admin.hget(keys.lease, 'gateway')).toBe(B);
  });

  test('without a visit leaves nothing behind when it is released', async () => {
    const { store } = await storeOf(A);
    const { epoch } = await store.acquire(key);
    await store.release(key, epoch);
    expect(await admin.keys('*visit-key*')).toEqual([]);
    expect(await store.abandoned()).toEqual([]);
  });
});

describe('an epoch', () => {
  test('is at least the time', async () => {
    const { store } = await storeOf(A);
    expect((await store.acquire(key)).epoch).toBe(clock.now());
  });

  test('never goes back: not with the clock, not with a release, not in a failover that loses the last write', async () => {
    const { store } = await storeOf(A);
    const step = fc.constantFrom('acquire', 'clock-back', 'release', 'failover' as const);
    let visits = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 20, size: 'max' }), async (steps) => {
        const visit = `visit-${++visits}` as VisitKey;
        const { lease } = visitKeys(visit);
        let last = 0;
        const acquire = async () => {
          const { epoch } = await store.acquire(visit);
          expect(epoch).toBeGreaterThan(last);
          last = epoch;
          await store.commit(visit, commitOf(epoch, 1));
        };
        await acquire();
        for (const each of steps) {
          if (each === 'acquire') await acquire();
          if (each === 'release') await store.release(visit, last);
          // A clock that was set right: back a little, but the epoch knows.
          if (each === 'clock-back') {
            clock.setBack(1_000);
            await acquire();
          }
          if (each === 'failover') {
            const before = await admin.hgetall(lease);
            await acquire();
            await admin.hset(lease, before);
            // Failovers take time, and epochs are the time.
            clock.advance(last - clock.now() + 1);
            await acquire();
          }
        }
      }),
      { numRuns: 30 },
    );
  });
});

describe('what a gateway leaves behind', () => {
  test('is listed for its next boot: visits that it had open and did not release', async () => {
    const { store } = await storeOf(A);
    const other = 'other-visit' as VisitKey;
    const { epoch } = await store.acquire(key);
    await store.commit(key, commitOf(epoch, 1));
    await store.acquire(other);
    await store.release(key, epoch);
    expect(await (await storeOf(A)).store.abandoned()).toEqual([other]);
    expect(await (await storeOf(B)).store.abandoned()).toEqual([]);
  });

  test('keeps all of its record as long as it changes', async () => {
    const { store } = await storeOf(A);
    const { epoch } = await store.acquire(key);
    await store.commit(key, commitOf(epoch, 1));
    await admin.pexpire(keys.ledger, 1_000);
    await store.commit(key, { ...commitOf(epoch, 2), events: [] });
    expect(await admin.pttl(keys.ledger)).toBeGreaterThan(1_000);
  });

  test('expires by itself, every key of it', async () => {
    const { store } = await storeOf(A);
    const { epoch } = await store.acquire(key);
    const { events, ...first } = commitOf(epoch, 1);
    const paused = { type: 'producer-paused', at: 1 } as const;
    await store.commit(key, { ...first, events: [...events, paused], messages: [said(1)] });
    const unwritten = 'unwritten' as VisitKey;
    await store.acquire(unwritten);
    const all = await admin.keys('*');
    expect(all.toSorted()).toEqual(
      [
        ...Object.values(keys),
        visitKeys(unwritten).lease,
        ...Object.values(gatewayKeys(A)),
        ...MEMBERSHIP_KEYS,
      ].toSorted(),
    );
    const day = 24 * 60 * 60 * 1_000;
    for (const each of all) {
      const ttl = await admin.pttl(each);
      expect(ttl, each).toBeGreaterThan(0);
      expect(ttl, each).toBeLessThanOrEqual(day);
    }
  });

  test('that is to begin later is kept until a day after that, with what the portal decided', async () => {
    const { store } = await storeOf(A);
    const { epoch } = await store.acquire(key);
    const commit = commitOf(epoch, 1);
    const day = 24 * 60 * 60 * 1_000;
    const policy = { ...commit.visit.policy, startsAt: clock.now() + 30 * day };
    await store.commit(key, { ...commit, visit: { ...commit.visit, policy } });
    expect(await admin.pttl(keys.snapshot)).toBeGreaterThan(30 * day);
    expect(await admin.pttl(keys.snapshot)).toBeLessThanOrEqual(31 * day);
  });

  test('names no tenant, visit or person in any key', async () => {
    const { store } = await storeOf(A);
    const { epoch } = await store.acquire(key);
    await store.commit(key, commitOf(epoch, 1));
    const { tenant, visit } = emptyVisit();
    for (const each of await admin.keys('*')) {
      expect(each).not.toContain(tenant);
      expect(each).not.toContain(visit);
    }
  });

  test('is free for others at once after an orderly stop of its gateway', async () => {
    const first = await storeOf(A);
    const { epoch } = await first.store.acquire(key);
    await first.store.stop();
    expect((await (await storeOf(B)).store.acquire(key)).epoch).toBeGreaterThan(epoch);
  });
});

describe('a script that Redis runs a second time, because the connection broke before its answer', () => {
  /** Runs `call` through a connection that is lost once Redis has carried it out; ioredis sends it again. */
  async function interrupted<Result>(
    call: (store: RedisStore) => Promise<Result>,
    before: (store: RedisStore) => Promise<unknown> = async () => {},
  ): Promise<{ result: Result; runs: number }> {
    const proxy = await TcpProxy.to(server.port);
    open.push(() => proxy.close());
    const { store, redis } = await storeOf(A, { port: proxy.port });
    await before(store);
    await admin.config('RESETSTAT');
    proxy.holdAnswers();
    const calling = call(store);
    await until(async () => (await scriptRuns()) > 0);
    const reconnected = new Promise((resolve) => redis.once('ready', resolve));
    proxy.drop();
    await reconnected;
    const result = await calling;
    return { result, runs: await scriptRuns() };
  }

  test('commits once', async () => {
    let epoch = 0;
    const { result, runs } = await interrupted(
      (store) => store.commit(key, commitOf(epoch, 1)),
      async (store) => {
        ({ epoch } = await store.acquire(key));
        // The script is known to Redis, so that one call is one run.
        await store.commit('other' as VisitKey, commitOf(1, 1));
      },
    );
    expect([result, runs]).toEqual(['written', 2]);
    expect([await storedSeq(), await ledgerLength()]).toEqual([1, 1]);
  });

  test('acquires a lease that is the one in Redis', async () => {
    const { result, runs } = await interrupted(
      (store) => store.acquire(key),
      (store) => store.acquire('other' as VisitKey),
    );
    expect(runs).toBe(2);
    expect(result.epoch).toBe(await epochInRedis());
  });

  test('releases what was to be released', async () => {
    let epoch = 0;
    const { runs } = await interrupted(
      (store) => store.release(key, epoch),
      async (store) => {
        ({ epoch } = await store.acquire(key));
        await store.commit(key, commitOf(epoch, 1));
        await store.release('other' as VisitKey, 1);
      },
    );
    expect(runs).toBe(2);
    expect(await admin.hget(keys.lease, 'gateway')).toBe('');
  });
});

describe('what Redis holds and is not ours', () => {
  test('a snapshot that can\u2019t be read is refused and kept, and logged without its content', async () => {
    const { store, logged } = await storeOf(A);
    for (const garbage of ['not JSON', '{"name":"Ana Secret"}', 'null', '[]']) {
      await admin.set(keys.snapshot, garbage);
      await expect(store.read(key)).rejects.toMatchObject({ code: 'state-unavailable' });
      await expect(store.acquire(key)).rejects.toMatchObject({ code: 'state-unavailable' });
      expect(await admin.get(keys.snapshot)).toBe(garbage);
    }
    expect(logged).toHaveLength(8);
    expect(logged.join()).not.toContain('Secret');
  });

  test('a message that can\u2019t be read is left out, and logged without its content', async () => {
    const { store, logged } = await storeOf(A);
    const garbage = ['{"text":"Ana Secret"}', 'Secret'];
    await admin.rpush(keys.messages, ...garbage, JSON.stringify(said(1)));
    expect((await store.acquire(key)).messages).toEqual([said(1)]);
    expect(logged).toHaveLength(2);
    expect(logged.join()).not.toContain('Secret');
  });

  test.each([
    ['lease', 'acquire'],
    ['snapshot', 'acquire'],
    ['ledger', 'commit'],
    ['activity', 'commit'],
  ] as const)('a %s of the wrong type fails this visit, and nobody else', async (name, call) => {
    const { store } = await storeOf(A);
    await admin.sadd(keys[name], 'not ours');
    const calling = call === 'acquire' ? store.acquire(key) : store.commit(key, commitOf(1, 1));
    await expect(calling).rejects.toMatchObject({ code: 'internal' });
    expect(store.available).toBe(true);
    const other = 'other' as VisitKey;
    const { epoch } = await store.acquire(other);
    expect(await store.commit(other, commitOf(epoch, 1))).toBe('written');
  });
});

describe('a visit that is overdue', () => {
  test('is given to one gateway that asks, and again after a while, until it is expected later or never', async () => {
    const [a, b] = [await storeOf(A), await storeOf(B)];
    const asked = async () => [...(await a.store.overdue()), ...(await b.store.overdue())];
    await a.store.expect(key, 1, clock.now() + 10_000);
    clock.advance(10_000);
    // Who has it open comes first.
    expect(await asked()).toEqual([]);
    clock.advance(2_000);
    const [first, second] = await Promise.all([a.store.overdue(), b.store.overdue()]);
    expect([...first, ...second]).toEqual([key]);
    clock.advance(32_000);
    expect(await asked()).toEqual([key]);
    await b.store.expect(key, 2, clock.now() + 50_000);
    clock.advance(40_000);
    expect(await asked()).toEqual([]);
    await b.store.expect(key, 2, undefined);
    clock.advance(100_000);
    expect(await asked()).toEqual([]);
  });

  test('is expected when its latest owner says, whatever one before says later', async () => {
    const [a, b] = [await storeOf(A), await storeOf(B)];
    await b.store.expect(key, 2, clock.now() + 10_000);
    await a.store.expect(key, 1, undefined);
    await a.store.expect(key, 1, clock.now() + 90_000);
    clock.advance(12_000);
    expect(await a.store.overdue()).toEqual([key]);
    await b.store.expect(key, 2, undefined);
    await a.store.expect(key, 1, clock.now());
    clock.advance(60_000);
    expect(await a.store.overdue()).toEqual([]);
  });

  test('is kept until then, and after', async () => {
    const { store } = await storeOf(A);
    const { epoch } = await store.acquire(key);
    const { visit, ...commit } = commitOf(epoch, 1);
    const day = 24 * 60 * 60 * 1_000;
    const policy = { ...visit.policy, unattendedMs: day };
    const unattendedSince = clock.now();
    await store.commit(key, {
      ...commit,
      visit: { ...visit, state: 'active', policy, unattendedSince },
    });
    expect(await admin.pttl(keys.snapshot)).toBeGreaterThan(day);
  });
});

describe('while Redis is away', () => {
  test('calls fail with state-unavailable, at once when the connection is gone', async () => {
    const proxy = await TcpProxy.to(server.port);
    open.push(() => proxy.close());
    const { store } = await storeOf(A, { port: proxy.port, clock: systemClock });
    proxy.cut();
    for (const call of [
      () => store.acquire(key),
      () => store.read(key),
      () => store.commit(key, commitOf(1, 1)),
      () => store.release(key, 1),
      () => store.abandoned(),
    ]) {
      await expect(call()).rejects.toMatchObject({ code: 'state-unavailable', retryable: true });
      expect(store.available).toBe(false);
    }
  });

  test('one that hangs is away, too, and is back when it answers', async () => {
    const { store, returned } = await storeOf(A, { clock: systemClock });
    server.freeze();
    open.push(() => server.thaw());
    await expect(store.read(key)).rejects.toMatchObject({ code: 'state-unavailable' });
    expect(store.available).toBe(false);
    const back = returned();
    server.thaw();
    await back;
    expect(store.available).toBe(true);
    expect(await store.read(key)).toBeUndefined();
  });

  test('a connection that passes nothing any more is given up for a new one', async () => {
    const proxy = await TcpProxy.to(server.port);
    open.push(() => proxy.close());
    const { store, returned } = await storeOf(A, { port: proxy.port, clock: systemClock });
    const back = returned();
    proxy.swallow();
    await expect(store.read(key)).rejects.toMatchObject({ code: 'state-unavailable' });
    await back;
    expect(await store.read(key)).toBeUndefined();
  });

  test('a lease that is given up is freed on its return', async () => {
    const proxy = await TcpProxy.to(server.port);
    open.push(() => proxy.close());
    const { store, returned } = await storeOf(A, { port: proxy.port, clock: systemClock });
    const { epoch } = await store.acquire(key);
    await store.commit(key, commitOf(epoch, 1));
    proxy.cut();
    await expect(store.release(key, epoch)).rejects.toThrow();
    const back = returned();
    proxy.restore();
    await back;
    await until(async () => (await admin.hget(keys.lease, 'gateway')) === '');
    await until(async () => (await store.abandoned()).length === 0);
  });

  test('slow is not away: up to the deadline it is waited for', async () => {
    const proxy = await TcpProxy.to(server.port);
    open.push(() => proxy.close());
    const { store } = await storeOf(A, { port: proxy.port, clock: systemClock });
    const { epoch } = await store.acquire(key);
    proxy.delay(150);
    expect(await store.commit(key, commitOf(epoch, 1))).toBe('written');
    proxy.delay(2_000);
    await expect(store.commit(key, commitOf(epoch, 2))).rejects.toMatchObject({
      code: 'state-unavailable',
    });
  });
});

test('in Redis Cluster every script finds its keys in one slot', async () => {
  const node = await RedisServer.start(
    '--cluster-enabled',
    'yes',
    '--cluster-announce-ip',
    '127.0.0.1',
  );
  open.push(() => node.stop());
  const look = new Redis(node.url);
  open.push(() => look.disconnect());
  await look.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
  await until(async () => String(await look.call('CLUSTER', 'INFO')).includes('state:ok'));
  const cluster = new Cluster([{ host: '127.0.0.1', port: node.port }], {
    redisOptions: REDIS_OPTIONS,
  });
  const { store } = await storeOf(A, { redis: cluster });
  const { epoch } = await store.acquire(key);
  expect(await store.commit(key, commitOf(epoch, 1))).toBe('written');
  expect((await store.read(key))?.seq).toBe(1);
  expect(await store.abandoned()).toEqual([key]);
  await store.release(key, epoch);
  expect(await store.abandoned()).toEqual([]);
});
