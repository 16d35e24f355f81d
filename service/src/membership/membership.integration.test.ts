import { Redis } from 'ioredis';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { RedisServer } from '../../../load-tests/lib/redis-server.ts';
import { TcpProxy } from '../../../load-tests/lib/tcp-proxy.ts';
import { systemClock } from '../clock.ts';
import { RedisCalls } from '../redis/calls.ts';
import type { Member, View } from './member.ts';
import { Membership } from './membership.ts';
import { MEMBERSHIP_KEYS } from './scripts.ts';

let server: RedisServer;
/** Closed after each test, last first. */
const open: (() => unknown)[] = [];

beforeEach(async () => {
  server = await RedisServer.start();
  open.push(() => server.kill());
});

afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

/** A process of the cluster, with a way to Redis of its own. */
async function join(id: string, boot = 'boot-1') {
  const way = await TcpProxy.to(server.port);
  const redis = new Redis(way.port, '127.0.0.1', {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    retryStrategy: () => 50,
  });
  redis.on('error', () => {});
  await new Promise((resolve) => redis.once('ready', resolve));
  const views: View[] = [];
  const self: Member = {
    kind: 'node',
    id,
    boot,
    version: '1.0.0',
    region: 'here',
    state: 'ready',
    address: `ws://127.0.0.1/${id}`,
  };
  const calls = new RedisCalls({ redis, telemetry: { redis: () => {} } });
  const membership = new Membership({
    calls,
    self: () => self,
    clock: systemClock,
    log: pino({ level: 'silent' }),
    onView: (view) => views.push(view),
  });
  await membership.start();
  const kill = async () => {
    redis.disconnect();
    await way.close();
  };
  open.push(kill);
  const sees = () => [...membership.view.values()].map((member) => member.id).sort();
  return { membership, self, views, sees, redis, kill };
}

const soon = { timeout: 20_000 };

describe('members', () => {
  test('see each other, and what each says of itself', async () => {
    const one = await join('1');
    const two = await join('2');
    expect(two.sees()).toEqual(['1', '2']);
    await expect.poll(one.sees, soon).toEqual(['1', '2']);
    two.self.state = 'draining';
    await two.membership.beat();
    await one.membership.beat();
    expect(one.membership.view.get('node:2')).toMatchObject({ state: 'draining' });
    await two.membership.stop();
    await one.membership.beat();
    expect(one.sees()).toEqual(['1']);
  });

  test('that were killed are gone after a while, and nobody else', async () => {
    const [one, two, three] = [await join('1'), await join('2'), await join('3')];
    await expect
      .poll(() => [one.sees(), two.sees()], soon)
      .toEqual([
        ['1', '2', '3'],
        ['1', '2', '3'],
      ]);
    await three.kill();
    await expect
      .poll(() => [one.sees(), two.sees()], soon)
      .toEqual([
        ['1', '2'],
        ['1', '2'],
      ]);
  });

  test('whose heartbeat changes nothing are told nothing but the revision', async () => {
    const one = await join('1');
    await join('2');
    await one.membership.beat();
    const told = one.views.length;
    await one.membership.beat();
    await one.membership.beat();
    expect(one.views).toHaveLength(told);
  });

  test('of an earlier boot that leaves late does not take its successor along', async () => {
    const old = await join('1', 'boot-1');
    const next = await join('1', 'boot-2');
    await old.membership.stop();
    await next.membership.beat();
    expect(next.sees()).toEqual(['1']);
  });
});

describe('a Redis that was away', () => {
  test('and comes back empty costs nobody their place in anybody’s view', async () => {
    const [one, two] = [await join('1'), await join('2')];
    await expect.poll(one.sees, soon).toEqual(['1', '2']);
    const seen = one.views.length;
    await server.kill();
    await expect.poll(() => one.membership.available, soon).toBe(false);
    await server.start();
    await expect.poll(() => one.membership.available && two.membership.available, soon).toBe(true);
    // Who does not come back is gone in the end, so what was seen until then was not by chance.
    await two.kill();
    await expect.poll(one.sees, soon).toEqual(['1']);
    expect(one.views.slice(seen).map((view) => view.size)).toEqual([1]);
  });

  test('for longer than a member lives makes nobody dead', async () => {
    const one = await join('1');
    await join('2');
    await one.membership.beat();
    // As if nobody had been heard for a minute.
    const ago = Date.now() - 60_000;
    await one.redis.zadd(MEMBERSHIP_KEYS[1], ago, 'node:1', ago, 'node:2');
    await one.redis.hset(MEMBERSHIP_KEYS[2], { last: ago, since: ago - 60_000 });
    await one.membership.beat();
    expect(one.sees()).toEqual(['1', '2']);
  });

  test('whose clock went back, as after a failover, still takes off who is gone', async () => {
    const [one, two] = [await join('1'), await join('2')];
    await one.membership.beat();
    await two.kill();
    const ahead = Date.now() + 3_600_000;
    await one.redis.zadd(MEMBERSHIP_KEYS[1], ahead, 'node:1', ahead, 'node:2');
    await one.redis.hset(MEMBERSHIP_KEYS[2], { last: ahead, since: ahead });
    await expect.poll(one.sees, soon).toEqual(['1']);
  });
});
