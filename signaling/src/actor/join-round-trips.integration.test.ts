import type { TenantId, VisitId } from '@bedside/protocol';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { RedisServer } from '../../../load-tests/lib/redis-server.ts';
import { Page } from '../../test/page.ts';
import { type RedisGateway, startRedisGateway } from '../../test/redis-gateway.ts';
import { keyOf } from '../../test/visits.ts';
import { visitKeys } from '../store/keys.ts';
import { ACQUIRE, COMMIT, JOIN_SCRIPTS } from '../store/scripts.ts';

/** Membership is not asked for on the way of a join, and Redis twice at most. */

let server: RedisServer;
let admin: Redis;
let monitor: Redis;
let gateway: RedisGateway;
/** Commands that Redis was sent, in its order; the scripts that a join waits for by their names. */
let seen: string[];

const NAMES = new Map([
  [ACQUIRE.sha1, 'acquire'],
  [COMMIT.sha1, 'commit'],
]);

beforeEach(async () => {
  server = await RedisServer.start();
  admin = new Redis(server.url);
  seen = [];
  monitor = await admin.monitor();
  monitor.on('monitor', (_time: string, [command = '', script = '']: string[], source: string) => {
    if (source !== 'lua') seen.push(NAMES.get(script) ?? command.toLowerCase());
  });
  gateway = await startRedisGateway({ BEDSIDE_REDIS_URL: server.url }, 'gateway-a');
});

afterEach(async () => {
  await gateway.stop();
  monitor.disconnect();
  admin.disconnect();
  await server.stop();
});

/** Everything that was sent to Redis up to now is in `seen`. */
async function monitored(): Promise<void> {
  const mark = `mark-${seen.length}`;
  await admin.call('echo', mark);
  while (!seen.includes('echo')) await new Promise((resolve) => setTimeout(resolve, 5));
  seen.splice(seen.indexOf('echo'), 1);
}

/** Of what a join waits for Redis saw the one, and the metric says the other. */
async function join(participant: string) {
  await monitored();
  seen.length = 0;
  gateway.counts.joinRoundTrips.length = 0;
  const page = new Page(participant);
  await page.connect(gateway.visits);
  await page.join();
  await monitored();
  const waitedFor = seen.filter((name) => name === 'acquire' || name === 'commit');
  return { waitedFor, counted: gateway.counts.joinRoundTrips };
}

test('a first join into a new visit makes two round trips to Redis, one to take the visit and one to write it', async () => {
  expect(await join('ana')).toEqual({ waitedFor: ['acquire', 'commit'], counted: [2] });
  expect(seen).not.toContain('eval');
});

test('a join into a visit that is open here makes one', async () => {
  await join('ana');
  expect(await join('ben')).toEqual({ waitedFor: ['commit'], counted: [1] });
});

test('a join into a visit that stood by in Redis makes two', async () => {
  await gateway.visits.create('clinic' as TenantId, { visit: 'visit-1' as VisitId, kind: 'visit' });
  while (gateway.counts.visitsOpen > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  expect(await join('ana')).toEqual({ waitedFor: ['acquire', 'commit'], counted: [2] });
});

test('to take a visit over costs a look at who is in the cluster, and another try', async () => {
  await admin.hset(visitKeys(keyOf()).lease, { gateway: 'gone', boot: 'gone', epoch: '1' });
  const { waitedFor, counted } = await join('ana');
  expect(waitedFor).toEqual(['acquire', 'acquire', 'commit']);
  expect(counted).toEqual([4]);
});

test('what the metric says is what Redis saw where a script had to be brought', async () => {
  await admin.script('FLUSH');
  const { counted } = await join('ana');
  // Each was refused once, and brought then.
  expect(counted).toEqual([4]);
  expect(seen.filter((name) => name === 'eval')).toHaveLength(JOIN_SCRIPTS.length);
});
