import { randomUUID } from 'node:crypto';
import type { GatewayId, ProducerId, TenantId, VisitId } from '@bedside/protocol';
import { REDIS_OPTIONS, systemClock } from '@bedside/service';
import { Redis } from 'ioredis';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { RedisServer } from '../../../load-tests/lib/redis-server.ts';
import { TcpProxy } from '../../../load-tests/lib/tcp-proxy.ts';
import { FakeClinics } from '../../test/fake-clinics.ts';
import { FakeNode } from '../../test/fake-node.ts';
import { memberOf } from '../../test/member.ts';
import { Page } from '../../test/page.ts';
import { Counts } from '../../test/telemetry.ts';
import { keyOf, settled } from '../../test/visits.ts';
import { Seal } from '../store/kept.ts';
import { visitKeys } from '../store/keys.ts';
import { unpack } from '../store/packing.ts';
import { RedisStore } from '../store/store.ts';
import type { Visit } from '../visit/state.ts';
import { VisitRegistry } from './registry.ts';

const clinic = 'clinic' as TenantId;
const visit1 = 'visit-1' as VisitId;
const key = keyOf();
const keys = visitKeys(key);

let server: RedisServer;
/** For looking and for spoiling; follows Redis through its restarts. */
let admin: Redis;
let proxy: TcpProxy;
let at: Awaited<ReturnType<typeof startGateway>>;
/** Closed after each test, last first. */
const open: (() => unknown)[] = [];

beforeEach(async () => {
  server = await RedisServer.start();
  open.push(() => server.stop());
  admin = new Redis(server.url, { retryStrategy: () => 20 });
  admin.on('error', () => {});
  open.push(() => admin.disconnect());
  proxy = await TcpProxy.to(server.port);
  open.push(() => proxy.close());
  at = await startGateway('gateway-a', new FakeNode());
});

afterEach(async () => {
  silent.clear();
  for (const close of open.splice(0).reverse()) await close();
});

/** Addresses at which no gateway answers. */
const silent = new Set<string>();

/** A gateway's visits on real Redis, behind the proxy, with a node at the port. */
async function startGateway(id: string, node: FakeNode, graceMs = 20_000) {
  const counts = new Counts();
  const logged: string[] = [];
  const log = pino({ level: 'warn' }, { write: (line: string) => void logged.push(line) });
  const redis = new Redis(proxy.port, '127.0.0.1', REDIS_OPTIONS);
  redis.on('error', () => {});
  await new Promise((resolve) => redis.once('ready', resolve));
  let returned = Promise.withResolvers<void>();
  const boot = randomUUID();
  const store = new RedisStore({
    redis,
    gatewayId: id as GatewayId,
    boot,
    self: () => memberOf(id, boot),
    answers: async (address) => !silent.has(address),
    clock: systemClock,
    log,
    telemetry: counts,
    onAvailable: () => {
      void visits.redisReturned().then(returned.resolve);
      returned = Promise.withResolvers();
    },
  });
  const clinics = new FakeClinics();
  const visits: VisitRegistry = new VisitRegistry({
    store,
    nodes: node,
    clock: systemClock,
    log,
    telemetry: counts,
    clinics,
    guests: clinics,
    calls: clinics,
    seal: new Seal('a-secret-of-all-gateways-for-tests-01'),
    graceMs,
  });
  open.push(() => redis.disconnect());
  open.push(() => store.stop());
  open.push(() => visits.stop(1_000));
  await store.start();
  return { visits, store, node, counts, logged, redis, returned: () => returned.promise };
}

async function enter(participant: string, role: Page['identity']['role'] = 'patient') {
  const page = new Page(participant, role);
  Object.assign(page.identity, { name: 'A Name of Some Length' });
  await page.connect(at.visits);
  await page.join();
  await settled();
  return page;
}

/** Redis has every change. */
async function written(): Promise<void> {
  while (at.counts.unwritten > 0) await new Promise((resolve) => setTimeout(resolve, 10));
}

/** No visit is open any more. */
async function closed(): Promise<void> {
  while (at.counts.visitsOpen > 0) await new Promise((resolve) => setTimeout(resolve, 10));
}

const stored = async (): Promise<Visit | undefined> => {
  const snapshot = await admin.getBuffer(keys.snapshot);
  return snapshot === null ? undefined : JSON.parse(unpack(snapshot));
};

const ledger = async (): Promise<string[]> => {
  const lists = [keys.ledger, keys.activity].map((list) => admin.lrange(list, 0, -1));
  return (await Promise.all(lists)).flat().map((event) => JSON.parse(event).type);
};

const muted = async () =>
  (await stored())?.participants[0]?.endpoint?.producers.map(({ paused }) => paused);

describe('while Redis is killed under a visit', () => {
  test('commands go on, and what changed is written when it is back, though it lost everything', async () => {
    const [ana, ben] = [await enter('ana'), await enter('ben')];
    const microphone = await ana.produce('microphone');
    const back = at.returned();
    await server.kill();

    await ana.command('pause-producer', { producerId: microphone, paused: true });
    const camera = await ana.produce('camera');
    await settled();
    expect([...ben.consumers.values()].map(({ producerId }) => producerId)).toEqual([
      microphone,
      camera,
    ]);
    // Who is in the visit already may even come anew, and others may join.
    const cem = await enter('cem');
    expect(cem.consumers.size).toBe(2);
    expect(at.counts.unwritten).toBeGreaterThan(0);
    expect(at.visits.readiness().reasons).toEqual(['Redis does not answer']);

    await server.start();
    await back;
    expect((await stored())?.participants.map(({ id }) => id)).toEqual(['ana', 'ben', 'cem']);
    expect(await muted()).toEqual([true, false]);
    expect(at.counts.unwritten).toBe(0);
    expect(await ledger()).toEqual(
      expect.arrayContaining(['producer-paused', 'producer-opened', 'participant-admitted']),
    );
    expect(await admin.hget(keys.lease, 'gateway')).toBe('gateway-a');
  });

  test('what needs it fails with a clear error: another visit, a visit of /v1', async () => {
    await enter('ana');
    await server.kill();
    const elsewhere = new Page('ben', 'patient', 'visit-2');
    await expect(elsewhere.connect(at.visits)).rejects.toMatchObject({ code: 'state-unavailable' });
    await expect(
      at.visits.create(clinic, { visit: 'visit-3' as VisitId, kind: 'visit' }),
    ).rejects.toMatchObject({ code: 'state-unavailable' });
    await expect(at.visits.read(clinic, 'visit-4' as VisitId)).rejects.toMatchObject({
      code: 'state-unavailable',
    });
    expect((await at.visits.read(clinic, visit1)).state).toBe('active');
    const back = at.returned();
    await server.start();
    await back;
    await elsewhere.connect(at.visits);
  });

  test('a visit that ends meanwhile is ended in Redis when it is back, and nothing of it stays open', async () => {
    const ana = await enter('ana', 'provider');
    await server.kill();
    await ana.command('end', {});
    await settled();
    expect(at.counts.visitsOpen).toBe(1);
    const back = at.returned();
    await server.start();
    await back;
    await closed();
    expect((await stored())?.state).toBe('ended');
  });

  test('each change is on the ledger once, and in order, though connections break in the middle of commits', async () => {
    const ana = await enter('ana');
    const microphone = await ana.produce('microphone');
    let expected = 0;
    for (let round = 0; round < 12; round++) {
      const answered = [true, false].map((paused) =>
        ana.command('pause-producer', { producerId: microphone, paused }),
      );
      expected += 1;
      if (round % 3 === 1) proxy.drop();
      if (round % 3 === 2) proxy.holdAnswers();
      await new Promise((resolve) => setTimeout(resolve, 5));
      if (round % 3 === 2) proxy.drop();
      await Promise.all(answered);
    }
    await at.store.read(key).catch(() => {});
    await written();
    const types = await ledger();
    const pauses = types.filter(
      (type) => type === 'producer-paused' || type === 'producer-resumed',
    );
    expect(pauses).toEqual(
      Array.from({ length: expected }, () => ['producer-paused', 'producer-resumed']).flat(),
    );
  });
});

describe('while Redis is slow', () => {
  test('the answer of a command waits for its commit, but no other page and no event does', async () => {
    const [ana, ben] = [await enter('ana'), await enter('ben')];
    proxy.delay(150);
    let answered = false;
    const camera = ana.produce('camera').finally(() => {
      answered = true;
    });
    await settled();
    expect(ben.consumers.size).toBe(1);
    expect(answered).toBe(false);
    await camera;
    proxy.delay(0);
    expect((await stored())?.participants[0]?.endpoint?.producers).toHaveLength(1);
  });

  test('past its deadline it counts as away: the answer comes, and the change is written later', async () => {
    const ana = await enter('ana');
    const back = at.returned();
    server.freeze();
    open.push(() => server.thaw());
    const camera: ProducerId = await ana.produce('camera');
    expect(at.store.available).toBe(false);
    await ana.command('pause-producer', { producerId: camera, paused: true });
    server.thaw();
    await back;
    await written();
    expect(await muted()).toEqual([true]);
    expect((await ledger()).filter((type) => type === 'producer-opened')).toHaveLength(1);
  });
});

describe('a gateway that is cut off from Redis', () => {
  test('loses its visit to another, learns of it on the return, and tells its pages', async () => {
    const ana = await enter('ana');
    const first = at;
    const back = first.returned();
    proxy.cut();
    await first.store.read(key).catch(() => {});
    silent.add(memberOf('gateway-a', '').address);
    // The other gateway has a way of its own.
    const [oldProxy, oldWay] = [proxy, back];
    proxy = await TcpProxy.to(server.port);
    open.push(() => proxy.close());
    at = await startGateway('gateway-b', first.node);
    await enter('ben');
    expect(ana.closed).toBeUndefined();
    oldProxy.restore();
    await oldWay;
    expect(ana.closed).toBe('moved');
    expect((await ana.connect(at.visits)).welcome.resumed).toBe(true);
    await ana.resume();
    await written();
    expect((await stored())?.participants.map(({ id, connection }) => [id, connection])).toEqual([
      ['ana', 'connected'],
      ['ben', 'connected'],
    ]);
    expect([first.counts.visitsOpen, at.counts.visitsOpen]).toEqual([0, 1]);
  });
});

describe('a gateway that is cut off from Redis alone', () => {
  test('acknowledges no more once another one has its visit, and that one has all that was acknowledged before', async () => {
    const [ana, ben] = [await enter('ana'), await enter('ben')];
    const microphone = await ana.produce('microphone');
    const cut = at;
    cut.redis.disconnect();
    await ana.command('pause-producer', { producerId: microphone, paused: true });
    at = await startGateway('gateway-b', cut.node);
    silent.add(memberOf('gateway-a', '').address);
    ana.drop();
    await ana.connect(at.visits);
    await ana.resume();
    await expect(ben.command('raise-hand', { raised: true })).rejects.toMatchObject({
      code: 'moved',
    });
    expect(ben.closed).toBe('moved');
    await written();
    expect(await muted()).toEqual([true]);
    expect((await ledger()).filter((type) => type === 'producer-paused')).toHaveLength(1);
    expect([cut.counts.visitsOpen, cut.counts.unwritten]).toEqual([0, 0]);
  });
});

describe('a gateway that is killed', () => {
  test('finds its visits again at its next start under the same id, and frees those that nobody comes back to', async () => {
    const ana = await enter('ana');
    const { node } = at;
    ana.drop();
    // Killed: no stop, no release. Its next boot takes over though it is still in everybody's view.
    at.redis.disconnect();
    at = await startGateway('gateway-a', node, 50);
    await at.visits.recover();
    expect(at.counts.people).toBe(1);
    await closed();
    expect((await stored())?.participants[0]).toMatchObject({
      state: 'left',
      leftReason: 'connection-lost',
    });
    expect(await admin.hget(keys.lease, 'gateway')).toBe('');
    expect(await at.store.abandoned()).toEqual([]);
    expect(node.peersOf(key)).toEqual([]);
  });
});

describe('a snapshot of another version or of somebody else', () => {
  test('is kept for who can read it: nobody gets in here, and the fault is logged', async () => {
    const snapshot = '{"kind":"of another version"}';
    await admin.set(keys.snapshot, snapshot);
    await expect(new Page('ana').connect(at.visits)).rejects.toMatchObject({
      code: 'state-unavailable',
      retryable: true,
    });
    expect(await admin.get(keys.snapshot)).toBe(snapshot);
    expect(await admin.hget(keys.lease, 'gateway')).toBe('');
    expect(at.logged.join()).toContain('does not match its schema');
  });

  test('of the wrong type is an error of this visit, and the gateway stays ready', async () => {
    await admin.sadd(keys.snapshot, 'x');
    await expect(new Page('ana').connect(at.visits)).rejects.toMatchObject({ code: 'internal' });
    await new Page('ana', 'patient', 'visit-2').connect(at.visits);
    expect(at.visits.readiness().ready).toBe(true);
  });

  test('in a ledger that can\u2019t be written stops no visit, and is logged', async () => {
    const ana = await enter('ana');
    await admin.del(keys.ledger);
    await admin.sadd(keys.ledger, 'x');
    await ana.produce('camera');
    expect(at.logged.join()).toContain('was not written');
    await admin.del(keys.ledger);
    await ana.produce('microphone');
    expect((await ledger()).filter((type) => type === 'producer-opened')).toHaveLength(2);
    expect(at.counts.unwritten).toBe(0);
  });
});

test('a visit of four, with sound and picture, a reconnect and a mute each, takes at most 8 KB of Redis', async () => {
  const roles = ['patient', 'provider', 'interpreter', 'specialist'] as const;
  for (const role of roles) {
    const page = await enter(randomUUID(), role);
    const microphone = await page.produce('microphone');
    await page.produce('camera');
    page.drop();
    await settled();
    await page.connect(at.visits);
    await page.resume();
    await page.command('pause-producer', { producerId: microphone, paused: true });
  }
  const sizes = await Promise.all(
    Object.values(keys).map((each) => admin.memory('USAGE', each, 'SAMPLES', 0)),
  );
  const bytes = sizes.reduce<number>((sum, size) => sum + Number(size), 0);
  expect((await stored())?.participants).toHaveLength(4);
  expect(bytes).toBeLessThanOrEqual(8 * 1024);
});
