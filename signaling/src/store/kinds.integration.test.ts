/** Whatever kind of Redis it is, and however it is to be proved to: a gateway has in it what it needs. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { GatewayId, VisitId } from '@bedside/protocol';
import {
  connectCommands,
  MEMBERSHIP_KEYS,
  Membership,
  RedisCalls,
  readRedisSettings,
  systemClock,
} from '@bedside/service';
import { pino } from 'pino';
import { afterEach, describe, expect, test } from 'vitest';
import { Authority } from '../../../load-tests/lib/authority.ts';
import { redisCommand, redisKeys } from '../../../load-tests/lib/redis.ts';
import { RedisServer } from '../../../load-tests/lib/redis-server.ts';
import { memberOf } from '../../test/member.ts';
import { Page } from '../../test/page.ts';
import { CLINIC, entryOf, keyOfVisit } from '../../test/queue-entries.ts';
import { type RedisGateway, startRedisGateway, watchQueue } from '../../test/redis-gateway.ts';
import { clinicKey, clinicKeys } from '../clinic/keys.ts';
import { DEADLINE_EPOCHS, DEADLINES, gatewayKeys, visitKeys } from './keys.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
const soon = { timeout: 20_000 };
type Environment = Record<string, string>;

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

/** The users that deploy/ gives as an example. */
const USERS = readFileSync(new URL('../../../deploy/redis/users.conf', import.meta.url), 'utf8');

function authority(): Authority {
  const made = new Authority();
  open.push(() => made.remove());
  return made;
}

const KINDS: Record<string, () => Promise<Environment>> = {
  'a server by itself': async () => ({ BEDSIDE_REDIS_URL: (await started()).url }),

  'TLS with certificates at both ends, and the users of deploy/redis': async () => {
    const ca = authority();
    const { certFile, keyFile } = ca.issue('redis');
    const port = await RedisServer.port();
    await started(
      ...['--include', ca.file('users.conf', USERS), '--tls-port', `${port}`],
      ...['--tls-cert-file', certFile, '--tls-key-file', keyFile, '--tls-ca-cert-file', ca.caFile],
    );
    const own = ca.issue('gateway');
    return {
      BEDSIDE_REDIS_URL: `rediss://127.0.0.1:${port}`,
      BEDSIDE_REDIS_USER: 'bedside-gateway',
      BEDSIDE_REDIS_PASSWORD_FILE: ca.file('password', 'GATEWAY_PASSWORD\n'),
      BEDSIDE_REDIS_TLS_CA: ca.caFile,
      BEDSIDE_REDIS_TLS_CERT: own.certFile,
      BEDSIDE_REDIS_TLS_KEY: own.keyFile,
    };
  },

  'Sentinel with a replica, of which one does not answer': async () => {
    const primary = await started();
    await started('--replicaof', `127.0.0.1 ${primary.port}`);
    const sentinel = await RedisServer.startSentinel(primary);
    open.push(() => sentinel.stop());
    const urls = [`redis://127.0.0.1:${await RedisServer.port()}`, sentinel.url];
    return { BEDSIDE_REDIS_SENTINELS: urls.join() };
  },

  'a Cluster of three, of which two are named': async () => {
    const servers = await RedisServer.startCluster(3);
    open.push(() => Promise.all(servers.map((server) => server.stop())));
    return {
      BEDSIDE_REDIS_CLUSTER: servers
        .slice(1)
        .map(({ url }) => url)
        .join(),
    };
  },
};

async function gateway(env: Environment, id: string): Promise<RedisGateway> {
  const at = await startRedisGateway(env, id);
  open.push(() => at.stop());
  return at;
}

describe.each(Object.entries(KINDS))('%s', (_kind, start) => {
  test('has visits, the members of the cluster and the queues of clinics', async () => {
    const env = await start();
    const [one, other] = [await gateway(env, 'gateway-a'), await gateway(env, 'gateway-b')];

    // Of many visits, so that they are on every node of a Cluster.
    for (let i = 0; i < 12; i += 1) {
      const page = new Page('ana', 'patient', `visit-${i}`);
      await page.connect(one.visits);
      await page.join();
      await page.produce('microphone');
      expect((await other.visits.read(page.identity.tenant, `visit-${i}` as VisitId)).state).toBe(
        'active',
      );
      await expect(
        new Page('ben', 'provider', `visit-${i}`).connect(other.visits),
      ).rejects.toMatchObject({
        code: 'moved',
      });
    }
    expect(await one.store.abandoned()).toHaveLength(12);
    await one.written();

    await expect
      .poll(() => [one.members(), other.members()], soon)
      .toEqual([
        ['gateway-a', 'gateway-b'],
        ['gateway-a', 'gateway-b'],
      ]);

    const seen = await watchQueue(other);
    one.clinics.entryChanged(CLINIC, keyOfVisit('waits'), entryOf('waits', 10), 1);
    await expect.poll(() => [...seen.keys()], soon).toEqual(['waits']);
    one.clinics.entryChanged(CLINIC, keyOfVisit('waits'), undefined, 1);
    await expect.poll(() => [...seen.keys()], soon).toEqual([]);

    expect([...one.log, ...other.log].filter((line) => JSON.parse(line).level !== 30)).toEqual([]);
  });
});

test('after a crash of everything all that is in Redis goes by itself', async () => {
  const server = await started();
  const at = await gateway({ BEDSIDE_REDIS_URL: server.url }, 'gateway-a');
  const page = new Page('ana', 'patient');
  await page.connect(at.visits);
  await page.join();
  await page.produce('microphone');
  at.clinics.entryChanged(CLINIC, keyOfVisit('waits'), entryOf('waits', 10), 1);
  const soonAfter = Date.now() + 1_000;
  for (const [visit, days] of [
    ['soon', 0],
    ['late', 3],
    ['sooner', 0],
  ] as const)
    await at.store.expect(keyOfVisit(visit), 1, soonAfter + days * DAY_MS);
  await expect
    .poll(async () => (await redisKeys(server.url)).sort(), soon)
    .toEqual(
      [
        DEADLINES,
        DEADLINE_EPOCHS,
        gatewayKeys('gateway-a' as GatewayId).visits,
        clinicKeys(clinicKey(CLINIC.tenant, CLINIC.clinic)).queue,
        ...MEMBERSHIP_KEYS,
        ...Object.values(visitKeys(keyOfVisit('visit-1'))).filter(
          (key) => !key.endsWith('messages'),
        ),
      ].sort(),
    );
  const lives = await Promise.all(
    (await redisKeys(server.url)).map((key) => redisCommand(server.url, 'PTTL', key)),
  );
  expect(Math.min(...lives.map(Number))).toBeGreaterThan(0);
  // What is due late is not forgotten by what is due soon.
  const deadlines = Number(await redisCommand(server.url, 'PTTL', DEADLINES));
  expect(deadlines).toBeGreaterThan(3 * DAY_MS);
  expect(deadlines).toBeLessThan(5 * DAY_MS);
});

test('a user that may not listen to channels is told of in the log', async () => {
  const server = await started();
  await redisCommand(server.url, 'ACL', 'SETUSER', 'default', 'resetchannels');
  const at = await gateway({ BEDSIDE_REDIS_URL: server.url }, 'gateway-a');
  await watchQueue(at);
  await expect
    .poll(() => at.log.map((line) => JSON.parse(line)), soon)
    .toContainEqual(
      expect.objectContaining({
        reason: 'Redis does not permit its user what is needed',
        msg: 'what changes at other gateways is not heard',
      }),
    );
});

describe('the users of deploy/redis', () => {
  const nodeAt = async () => {
    const ca = authority();
    const server = await started('--include', ca.file('users.conf', USERS));
    const url = new URL(server.url);
    const as = (user: string, password: string) => {
      url.username = user;
      url.password = password;
      return url.href;
    };
    return { server, as };
  };

  test('nobody gets in without a password', async () => {
    const { server } = await nodeAt();
    await expect(redisCommand(server.url, 'GET', 'bedside:x')).rejects.toThrow('NOAUTH');
  });

  test('a node may say of itself that it is there, and see nothing of a visit', async () => {
    const { as } = await nodeAt();
    const node = as('bedside-node', 'NODE_PASSWORD');
    await redisCommand(node, 'HSET', MEMBERSHIP_KEYS[0], 'node:1', '{}');
    for (const words of [
      ['HGETALL', 'bedside:{a-visit}:lease'],
      ['EVAL', "return redis.call('HGETALL', KEYS[1])", '1', 'bedside:{a-visit}:lease'],
      ['GET', 'bedside:{a-visit}:visit'],
      ['SUBSCRIBE', 'bedside:{a-clinic}:queue-changes'],
      ['KEYS', '*'],
      ['FLUSHALL'],
    ])
      await expect(redisCommand(node, ...words)).rejects.toThrow(/NOPERM|ACL failure/);
  });

  test('a node joins the cluster, and leaves it', async () => {
    const { server, as } = await nodeAt();
    const { settings } = readRedisSettings({
      BEDSIDE_REDIS_URL: server.url,
      BEDSIDE_REDIS_USER: 'bedside-node',
      BEDSIDE_REDIS_PASSWORD: 'NODE_PASSWORD',
    });
    if (!settings) throw new Error('no settings');
    const log = pino({ level: 'silent' });
    const connection = connectCommands({ settings, log });
    open.push(() => connection.close());
    await connection.open();
    const membership = new Membership({
      calls: new RedisCalls({ redis: connection.client, telemetry: { redis() {} } }),
      self: () => ({ ...memberOf('node-1', 'boot-1', 'ws://127.0.0.1:1'), kind: 'node' }),
      clock: systemClock,
      log,
    });
    await membership.start();
    expect([...membership.view.keys()]).toEqual(['node:node-1']);
    await membership.stop();
    const members = await redisCommand(
      as('bedside-gateway', 'GATEWAY_PASSWORD'),
      ...['HVALS', MEMBERSHIP_KEYS[0]],
    );
    expect(String(members)).toContain('"left"');
  });

  test('replicas follow, and a Sentinel has one take over', async () => {
    const conf = authority().file('users.conf', USERS);
    const users = ['--include', conf, '--masteruser', 'bedside-replica'];
    const own = [...users, '--masterauth', 'REPLICA_PASSWORD'];
    const primary = await started(...own);
    const replica = await started(...own, '--replicaof', `127.0.0.1 ${primary.port}`);
    const sentinel = await RedisServer.startSentinel(
      primary,
      'sentinel auth-user mymaster bedside-sentinel',
      'sentinel auth-pass mymaster SENTINEL_PASSWORD',
    );
    open.push(() => sentinel.stop());
    const at = await gateway(
      {
        BEDSIDE_REDIS_SENTINELS: sentinel.url,
        BEDSIDE_REDIS_USER: 'bedside-gateway',
        BEDSIDE_REDIS_PASSWORD: 'GATEWAY_PASSWORD',
      },
      'gateway-a',
    );
    const port = async () => {
      const address = await redisCommand(
        sentinel.url,
        ...['SENTINEL', 'GET-MASTER-ADDR-BY-NAME', 'mymaster'],
      );
      return Number((address as string[])[1]);
    };
    expect(await port()).toBe(primary.port);
    await expect
      .poll(
        () =>
          redisCommand(sentinel.url, 'SENTINEL', 'FAILOVER', 'mymaster').then(
            () => true,
            () => false,
          ),
        soon,
      )
      .toBe(true);
    await expect.poll(port, soon).toBe(replica.port);
    // Nothing else is left to write to.
    await primary.kill();
    await new Page('ana', 'patient').connect(at.visits).catch(() => {});
    await expect.poll(() => at.store.available, soon).toBe(true);
    await new Page('ana', 'patient').connect(at.visits);
    const redis = replica.url.replace('//', '//bedside-gateway:GATEWAY_PASSWORD@');
    expect(await redisCommand(redis, 'EXISTS', visitKeys(keyOfVisit('visit-1')).lease)).toBe(1);
  });

  test('a gateway may do whatever its scripts do', () => {
    const folders = ['../../../service/src', '..'].map((path) => new URL(path, import.meta.url));
    const sources = folders.flatMap((folder) =>
      readdirSync(folder, { recursive: true, encoding: 'utf8' })
        .filter((path) => path.endsWith('scripts.ts'))
        .map((path) => readFileSync(join(fileURLToPath(folder), path), 'utf8')),
    );
    const called = sources.join('').matchAll(/redis\.call\('(\w+)'/g);
    const names = new Set([...called].map(([, name = '']) => name.toLowerCase()));
    expect(names.size).toBeGreaterThan(20);
    const rules = USERS.split('\n').find((line) => line.startsWith('user bedside-gateway')) ?? '';
    expect([...names].filter((name) => !rules.split(' ').includes(`+${name}`))).toEqual([]);
  });

  test('a gateway may touch nothing but what is Bedside’s', async () => {
    const { as } = await nodeAt();
    const at = as('bedside-gateway', 'GATEWAY_PASSWORD');
    await redisCommand(at, 'SET', 'bedside:x', '1');
    for (const words of [
      ['SET', 'other', '1'],
      ['SUBSCRIBE', 'other'],
      ['CONFIG', 'GET', '*'],
      ['KEYS', '*'],
      ['FLUSHALL'],
    ])
      await expect(redisCommand(at, ...words)).rejects.toThrow(/NOPERM/);
  });
});
