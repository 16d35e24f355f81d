/** Whatever becomes of Redis: visits under way go on, what needs it says so, and what was answered is there afterwards. */
import { writeFileSync } from 'node:fs';
import type { ProducerId } from '@bedside/protocol';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Authority } from '../../../load-tests/lib/authority.ts';
import { redisCommand } from '../../../load-tests/lib/redis.ts';
import { RedisServer } from '../../../load-tests/lib/redis-server.ts';
import { TcpProxy } from '../../../load-tests/lib/tcp-proxy.ts';
import { Page } from '../../test/page.ts';
import { type RedisGateway, startRedisGateway } from '../../test/redis-gateway.ts';
import { keyOf } from '../../test/visits.ts';
import { visitKeys } from '../store/keys.ts';
import { unpack } from '../store/packing.ts';
import type { Visit } from '../visit/state.ts';

const soon = { timeout: 25_000 };

/** Closed after each test, last first. */
const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

async function started(...args: string[]): Promise<RedisServer> {
  const server = await RedisServer.start(...args);
  open.push(() => server.stop());
  return server;
}

/** A visit with one in it, whose microphone is on. */
class UnderWay {
  readonly at: RedisGateway;
  readonly page: Page;
  readonly #microphone: ProducerId;
  /** What the record must have of its mutes. */
  #mutes: string[] = [];

  private constructor(at: RedisGateway, page: Page, microphone: ProducerId) {
    this.at = at;
    this.page = page;
    this.#microphone = microphone;
  }

  static async begin(env: Record<string, string>, visit = 'visit-1'): Promise<UnderWay> {
    const at = await startRedisGateway(env, 'gateway-a');
    open.push(() => at.stop());
    const page = new Page('ana', 'patient', visit);
    await page.connect(at.visits);
    await page.join();
    return new UnderWay(at, page, await page.produce('microphone'));
  }

  /** Answered, whatever Redis does. */
  async mute(paused: boolean): Promise<void> {
    await this.page.command('pause-producer', { producerId: this.#microphone, paused });
    this.#mutes.push(paused ? 'producer-paused' : 'producer-resumed');
  }

  /** What needs Redis is refused until it is back, and an operator can read why. */
  async isWithout(fault: string): Promise<void> {
    await expect.poll(() => this.at.visits.readiness().reasons, soon).toEqual([`Redis ${fault}`]);
    await expect(
      new Page('cem', 'patient', 'visit-4').connect(this.at.visits),
    ).rejects.toMatchObject({ code: 'state-unavailable', retryAfterMs: 1_000 });
  }

  /** Redis is back, with all that was answered, each once and in order. */
  async isWhole(url: string): Promise<void> {
    await expect.poll(() => this.at.store.available, soon).toBe(true);
    await expect
      .poll(() => kept(url, this.page.identity.visit), soon)
      .toEqual({
        muted: [this.#mutes.at(-1) === 'producer-paused'],
        mutes: this.#mutes,
      });
    await this.at.written();
    expect(this.at.visits.readiness().reasons).toEqual([]);
    expect(this.page.closed).toBeUndefined();
    await new Page('ben', 'patient', 'visit-2').connect(this.at.visits);
  }
}

/** What Redis has of the visit. */
async function kept(url: string, name: string) {
  const redis = new Redis(url, { lazyConnect: true, retryStrategy: null });
  redis.on('error', () => {});
  try {
    await redis.connect();
    const keys = visitKeys(keyOf(name));
    const snapshot = await redis.getBuffer(keys.snapshot);
    const visit: Visit | undefined = snapshot ? JSON.parse(unpack(snapshot)) : undefined;
    const ledger = await redis.lrange(keys.activity, 0, -1);
    return {
      muted: visit?.participants[0]?.endpoint?.producers.map(({ paused }) => paused),
      mutes: ledger
        .map((event) => JSON.parse(event).type as string)
        .filter((type) => type === 'producer-paused' || type === 'producer-resumed'),
    };
  } catch {
    return undefined;
  } finally {
    redis.disconnect();
  }
}

describe('a server by itself', () => {
  let server: RedisServer;
  let visit: UnderWay;
  const admin = (...words: string[]) => redisCommand(server.url, ...words);
  beforeEach(async () => {
    server = await started();
    visit = await UnderWay.begin({ BEDSIDE_REDIS_URL: server.url });
    await visit.mute(true);
  });

  test('that restarts without its data before any call misses it', async () => {
    await server.kill();
    await server.start();
    await visit.isWhole(server.url);
    expect(await visit.at.store.abandoned()).toContain(keyOf('visit-1'));
  });

  test('that is full', async () => {
    await admin('CONFIG', 'SET', 'maxmemory', '1');
    await visit.mute(false);
    await visit.isWithout('is out of memory');
    await visit.mute(true);
    await admin('CONFIG', 'SET', 'maxmemory', '0');
    await visit.isWhole(server.url);
  });

  test('that became a replica of somebody', async () => {
    await admin('REPLICAOF', '127.0.0.1', '1');
    await visit.mute(false);
    await visit.isWithout('is a replica that can not be written to');
    await visit.mute(true);
    await admin('REPLICAOF', 'NO', 'ONE');
    await visit.isWhole(server.url);
  });

  test('that forgot our scripts', async () => {
    await admin('SCRIPT', 'FLUSH');
    await visit.mute(false);
    expect(visit.at.counts.redisCalls.filter((call) => call.endsWith('error'))).toEqual([]);
    await visit.isWhole(server.url);
  });
});

test('a password that is another since: the file says it, and no process starts anew', async () => {
  const server = await started('--requirepass', 'the-first');
  const files = new Authority();
  open.push(() => files.remove());
  const file = files.file('password', 'the-first\n');
  const visit = await UnderWay.begin({
    BEDSIDE_REDIS_URL: server.url,
    BEDSIDE_REDIS_PASSWORD_FILE: file,
  });
  await visit.mute(true);
  const url = (password: string) => `redis://:${password}@127.0.0.1:${server.port}`;
  await redisCommand(url('the-first'), 'CONFIG', 'SET', 'requirepass', 'the-second');
  // Who is connected stays so.
  await visit.mute(false);
  expect(visit.at.store.available).toBe(true);
  await redisCommand(url('the-second'), 'CLIENT', 'KILL', 'TYPE', 'normal');
  await redisCommand(url('the-second'), 'CLIENT', 'KILL', 'TYPE', 'pubsub');
  await visit.mute(true);
  await visit.isWithout('refuses the password');
  writeFileSync(file, 'the-second\n');
  await visit.isWhole(url('the-second'));
  await expect.poll(() => visit.at.subscriber.error, soon).toBeUndefined();
  expect(visit.at.log.join()).not.toContain('the-second');
});

test('200 ms away: everything waits that long, and nothing more', async () => {
  const server = await started();
  const way = await TcpProxy.to(server.port);
  open.push(() => way.close());
  const visit = await UnderWay.begin({ BEDSIDE_REDIS_URL: `redis://127.0.0.1:${way.port}` });
  way.delay(100);
  await visit.mute(true);
  await visit.mute(false);
  await visit.isWhole(server.url);
  expect(visit.at.counts.redisCalls.filter((call) => call.endsWith('error'))).toEqual([]);
});

test('Sentinel has a replica take over that lacks the last writes: what was answered is written again', async () => {
  const primary = await started();
  const replica = await started('--replicaof', `127.0.0.1 ${primary.port}`);
  const sentinel = await RedisServer.startSentinel(primary);
  open.push(() => sentinel.stop());
  const visit = await UnderWay.begin({ BEDSIDE_REDIS_SENTINELS: sentinel.url });
  await visit.mute(true);
  await expect.poll(() => kept(replica.url, 'visit-1'), soon).toMatchObject({ muted: [true] });
  const replicas = async () =>
    String(await redisCommand(sentinel.url, 'SENTINEL', 'REPLICAS', 'mymaster'));
  await expect.poll(replicas, soon).toContain(`${replica.port}`);
  // What is written from now on does not get there: who is connected stays so, but for the replica.
  await redisCommand(primary.url, 'CONFIG', 'SET', 'requirepass', 'unknown-to-the-replica');
  const admin = primary.url.replace('//', '//:unknown-to-the-replica@');
  await redisCommand(admin, 'CLIENT', 'KILL', 'TYPE', 'replica');
  await visit.mute(false);
  await visit.mute(true);
  await visit.mute(false);
  await visit.at.written();
  expect((await kept(replica.url, 'visit-1'))?.mutes).toHaveLength(1);
  await primary.kill();
  await visit.mute(true);
  await visit.isWithout('does not answer');
  await visit.mute(false);
  await visit.isWhole(replica.url);
});

test('a primary that Sentinel gave up is left though it answers, and what it was told meanwhile is written again', async () => {
  const primary = await started();
  const replica = await started('--replicaof', `127.0.0.1 ${primary.port}`);
  for (const { url } of [primary, replica])
    await redisCommand(url, 'ACL', 'SETUSER', 'gateway', 'on', '>password', '~*', '&*', '+@all');
  const sentinel = await RedisServer.startSentinel(primary);
  open.push(() => sentinel.stop());
  const visit = await UnderWay.begin({
    BEDSIDE_REDIS_SENTINELS: sentinel.url,
    BEDSIDE_REDIS_USER: 'gateway',
    BEDSIDE_REDIS_PASSWORD: 'password',
  });
  await visit.mute(true);
  await expect.poll(() => kept(replica.url, 'visit-1'), soon).toMatchObject({ muted: [true] });
  const replicas = async () =>
    String(await redisCommand(sentinel.url, 'SENTINEL', 'REPLICAS', 'mymaster'));
  await expect.poll(replicas, soon).toContain(`${replica.port}`);
  // Sentinel and replica are let in no more; the gateway is another user.
  const admin = primary.url.replace('//', '//gateway:password@');
  await redisCommand(admin, 'ACL', 'SETUSER', 'default', 'off');
  await redisCommand(admin, 'CLIENT', 'KILL', 'USER', 'default');
  await visit.mute(false);
  expect(visit.at.counts.unwritten).toBe(0);
  await visit.isWhole(replica.url);
});

test('a server of a Cluster is killed and comes back empty: visits on it go on, the others do not notice', async () => {
  const servers = await RedisServer.startCluster(3);
  open.push(() => Promise.all(servers.map((server) => server.stop())));
  const [first] = servers;
  if (!first) throw new Error('no server');
  /** The first three visits of each server, by where their keys are. */
  const home = async (name: string) => {
    const slot = Number(await redisCommand(first.url, 'CLUSTER', 'KEYSLOT', keyOf(name)));
    return Math.min(Math.floor((slot * 3) / 16_384), 2);
  };
  const visitAt = async (server: number) => {
    for (let i = 0; ; i += 1)
      if ((await home(`visit-${server}-${i}`)) === server) return `visit-${server}-${i}`;
  };
  const env = { BEDSIDE_REDIS_CLUSTER: servers.map(({ url }) => url).join() };
  // Who is in the cluster must not be at the one that goes.
  const members = Number(
    await redisCommand(first.url, 'CLUSTER', 'KEYSLOT', 'bedside:{members}:view'),
  );
  const gone = (Math.min(Math.floor((members * 3) / 16_384), 2) + 1) % 3;
  const visit = await UnderWay.begin(env, await visitAt(gone));
  await visit.mute(true);
  await servers[gone]?.kill();
  await visit.mute(false);
  await visit.mute(true);
  const elsewhere = await visitAt((gone + 1) % 3);
  await expect
    .poll(
      () =>
        new Page('ben', 'patient', elsewhere).connect(visit.at.visits).then(
          () => true,
          () => false,
        ),
      soon,
    )
    .toBe(true);
  await servers[gone]?.start();
  await expect
    .poll(() => kept(servers[gone]?.url ?? '', visit.page.identity.visit), soon)
    .toEqual({
      muted: [true],
      mutes: ['producer-paused', 'producer-resumed', 'producer-paused'],
    });
  await visit.at.written();
});
