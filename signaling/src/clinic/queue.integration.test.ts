import {
  type ClinicEventPayload,
  type ClinicGrant,
  type ClinicId,
  LIMITS,
  type ParticipantId,
  type QueueEntry,
  type RequestId,
  type TenantId,
} from '@bedside/protocol';
import { REDIS_OPTIONS, SUBSCRIBER_OPTIONS } from '@bedside/service';
import { Cluster, Redis } from 'ioredis';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { RedisServer } from '../../../load-tests/lib/redis-server.ts';
import { TcpProxy } from '../../../load-tests/lib/tcp-proxy.ts';
import { CLINIC, entryOf, keyOfVisit, TENANT } from '../../test/queue-entries.ts';
import { GuestKeys } from '../auth/guest-tokens.ts';
import { createMetrics, type GatewayMetrics } from '../metrics.ts';
import type { ClinicConnection, Staff } from '../ports.ts';
import { type ClinicService, createClinics } from './index.ts';
import { clinicKey, clinicKeys } from './keys.ts';

const guests = new GuestKeys('guest-secret-of-this-test-0123456789');

const request = { requestId: 'r1' as RequestId };
const keys = clinicKeys(clinicKey(CLINIC.tenant, CLINIC.clinic));

let server: RedisServer;
let admin: Redis;
/** Closed after each test, last first. */
const open: (() => unknown)[] = [];

beforeEach(async () => {
  server = await RedisServer.start();
  open.push(() => server.stop());
  admin = new Redis(server.url, { retryStrategy: () => 20 });
  admin.on('error', () => {});
  open.push(() => admin.disconnect());
});

afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

const ready = (...clients: (Redis | Cluster)[]) =>
  Promise.all(clients.map((client) => new Promise((resolve) => client.once('ready', resolve))));

interface TestGateway {
  clinics: ClinicService;
  metrics: GatewayMetrics;
  way: TcpProxy;
  /** As by SIGKILL: nothing more goes out. */
  kill(): void;
}

/** The clinics of a gateway on real Redis, over a way that can be cut. */
async function startGateway({ entryLifeMs = 60_000 } = {}): Promise<TestGateway> {
  const way = await TcpProxy.to(server.port);
  open.push(() => way.close());
  const redis = new Redis(way.port, '127.0.0.1', REDIS_OPTIONS);
  const subscriber = new Redis(way.port, '127.0.0.1', SUBSCRIBER_OPTIONS);
  for (const each of [redis, subscriber]) {
    each.on('error', () => {});
    open.push(() => each.disconnect());
  }
  await ready(redis, subscriber);
  const metrics = createMetrics();
  const log = pino({ level: 'silent' });
  const telemetry = metrics.clinics;
  const clinics = createClinics({ redis, subscriber, guests, telemetry, log, entryLifeMs });
  open.push(() => clinics.stop());
  const kill = () => {
    redis.disconnect();
    subscriber.disconnect();
  };
  return { clinics, metrics, way, kill };
}

/** A queue's view as a page has it: applies what it hears. */
class View {
  readonly connection: ClinicConnection;
  readonly heard: ClinicEventPayload<'queue'>[] = [];
  readonly #entries = new Map<string, QueueEntry>();
  stale = false;
  #wake = () => {};

  constructor({ clinics }: TestGateway, staff: Partial<Staff> = {}) {
    this.connection = clinics.connect(
      {
        ...CLINIC,
        participant: 's1' as ParticipantId,
        role: 'provider',
        grants: ['queue'],
        skills: { specialties: [], languages: [], regions: [] },
        expiresAt: Number.MAX_SAFE_INTEGER,
        ...staff,
      },
      {
        send: (name, payload) => {
          if (name !== 'queue') return;
          this.heard.push(payload as ClinicEventPayload<'queue'>);
          this.#apply(payload as ClinicEventPayload<'queue'>);
        },
      },
    );
  }

  async watch(): Promise<this> {
    const { entries, stale } = await this.connection.command('watch-queue', request);
    this.#entries.clear();
    this.#apply({ entries, removed: [], stale });
    return this;
  }

  get visits(): string[] {
    return [...this.#entries.values()]
      .toSorted((a, b) => (a.waiting[0]?.since ?? 0) - (b.waiting[0]?.since ?? 0))
      .map(({ visit }) => visit as string);
  }

  entry(visit: string): QueueEntry | undefined {
    return this.#entries.get(visit);
  }

  /** Resolves once it is so; the test's own time limit is the deadline. */
  async until(right: (view: this) => boolean): Promise<void> {
    while (!right(this))
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
  }

  shows = (...visits: string[]) =>
    this.until((view) => JSON.stringify(view.visits) === JSON.stringify(visits));

  #apply({ entries, removed, stale }: ClinicEventPayload<'queue'>): void {
    for (const entry of entries) this.#entries.set(entry.visit, entry);
    for (const visit of removed) this.#entries.delete(visit);
    this.stale = stale;
    this.#wake();
  }
}

let epoch = 1;
const tell = (
  { clinics }: TestGateway,
  visit: string,
  entry: QueueEntry | undefined,
  where: { tenant: TenantId; clinic: ClinicId } = CLINIC,
) => clinics.entryChanged(where, keyOfVisit(visit), entry, epoch);

const unwritten = async ({ metrics }: TestGateway) => {
  const gauge = metrics.registry.getSingleMetric('bedside_gateway_unwritten_queue_entries');
  return (await gauge?.get())?.values[0]?.value ?? 0;
};

async function written(at: TestGateway): Promise<void> {
  while ((await unwritten(at)) > 0) await new Promise((resolve) => setTimeout(resolve, 5));
}

describe('a queue that two gateways have a part in', () => {
  test('is the same at both, the longest wait first, whoever wrote', async () => {
    const [one, other] = [await startGateway(), await startGateway()];
    tell(one, 'second', entryOf('second', 20));
    tell(other, 'first', entryOf('first', 10));
    tell(other, 'third', entryOf('third', 30));
    await Promise.all([written(one), written(other)]);
    const views = [await new View(one).watch(), await new View(other).watch()];
    expect(views.map(({ visits }) => visits)).toEqual([
      ['first', 'second', 'third'],
      ['first', 'second', 'third'],
    ]);
    const { entries } = await new View(one).connection.command('watch-queue', request);
    expect(entries.map(({ visit }) => visit)).toEqual(['first', 'second', 'third']);
  });

  test('tells its watchers at both of what comes, changes and goes', async () => {
    const [one, other] = [await startGateway(), await startGateway()];
    const views = [await new View(one).watch(), await new View(other).watch()];
    const all = (check: (view: View) => Promise<void>) => Promise.all(views.map(check));
    tell(one, 'a', entryOf('a', 10));
    await all((view) => view.shows('a'));
    tell(other, 'b', entryOf('b', 5));
    await all((view) => view.shows('b', 'a'));
    tell(one, 'a', entryOf('a', 10, { attended: true }));
    await all((view) => view.until(() => view.entry('a')?.attended === true));
    tell(one, 'a', undefined);
    await all((view) => view.shows('b'));
  });

  test('holds a page of entries in its answer, and the rest after it', async () => {
    const at = await startGateway();
    const visits = Array.from({ length: 250 }, (_, i) => `v${1000 + i}`);
    for (const [i, visit] of visits.entries()) tell(at, visit, entryOf(visit, i));
    await written(at);
    const view = new View(at);
    const first = await view.connection.command('watch-queue', request);
    expect(first.entries.length).toBe(LIMITS.queueEntriesPerMessage);
    await view.watch();
    await view.shows(...visits);
    expect(Math.max(...view.heard.map(({ entries }) => entries.length))).toBe(100);
  });

  test('reaches nobody of another tenant or clinic, nor who lacks the grant', async () => {
    const at = await startGateway();
    const elsewhere: [Partial<Staff>, string][] = [
      [{ tenant: 'hospital' as TenantId }, 'of-another-tenant'],
      [{ clinic: 'c2' as ClinicId }, 'of-another-clinic'],
    ];
    const views = await Promise.all(elsewhere.map(([staff]) => new View(at, staff).watch()));
    const view = await new View(at).watch();
    tell(at, 'a', entryOf('a', 1));
    await view.shows('a');
    // Each clinic of its own hears what is its own: the silence above was no deafness.
    for (const [staff, visit] of elsewhere)
      tell(at, visit, entryOf(visit, 1), { ...CLINIC, ...staff });
    for (const [i, [, visit]] of elsewhere.entries()) await views[i]?.shows(visit);
    expect(views.flatMap(({ heard }) => heard.map(({ entries }) => entries.length))).toEqual([
      1, 1,
    ]);

    const grants: ClinicGrant[] = ['on-call'];
    await expect(new View(at, { grants }).watch()).rejects.toMatchObject({ code: 'forbidden' });
  });

  test('is watched no more by whose grant was withdrawn', async () => {
    const at = await startGateway();
    const [one, other] = [await new View(at).watch(), await new View(at).watch()];
    one.connection.identify({ grants: ['on-call'] } as unknown as Staff);
    tell(at, 'a', entryOf('a', 1));
    await other.shows('a');
    expect(one.heard).toEqual([]);
    await expect(one.watch()).rejects.toMatchObject({ code: 'forbidden' });
  });

  test('is listened to only while somebody watches', async () => {
    const at = await startGateway();
    const listeners = async () => (await admin.pubsub('NUMSUB', keys.queueChanges))[1];
    const views = [await new View(at).watch(), await new View(at).watch()];
    tell(at, 'a', entryOf('a', 1));
    await views[0]?.shows('a');
    expect(await listeners()).toBe(1);
    views[0]?.connection.disconnected();
    views[0]?.connection.disconnected();
    tell(at, 'b', entryOf('b', 2));
    await views[1]?.shows('a', 'b');
    views[1]?.connection.disconnected();
    while ((await listeners()) !== 0);
  });
});

describe('when a gateway is killed', () => {
  test('its entries stay for who takes the visits up, and expire where nobody does', async () => {
    const [one, other] = [
      await startGateway({ entryLifeMs: 1_500 }),
      await startGateway({ entryLifeMs: 1_500 }),
    ];
    const view = await new View(other).watch();
    tell(one, 'taken-up', entryOf('taken-up', 10));
    tell(one, 'left-alone', entryOf('left-alone', 20));
    await view.shows('taken-up', 'left-alone');
    one.kill();
    const fresh = await new View(other).watch();
    expect(fresh.visits).toEqual(['taken-up', 'left-alone']);
    epoch += 1;
    tell(other, 'taken-up', entryOf('taken-up', 10, { attended: true }));
    await view.shows('taken-up');
    // Its owner writes it again and again: it outlives three lives of an entry.
    const first = await admin.hget(keys.queue, keyOfVisit('taken-up'));
    const expiry = (stored: string | null) => Number(stored?.split(' ')[0]);
    while (expiry(await admin.hget(keys.queue, keyOfVisit('taken-up'))) < expiry(first) + 3_000)
      await new Promise((resolve) => setTimeout(resolve, 20));
    expect([view.visits, view.entry('taken-up')?.attended]).toEqual([['taken-up'], true]);
  });

  test('what it says late, as one that was only cut off, is not believed', async () => {
    const [old, owner] = [await startGateway(), await startGateway()];
    const view = await new View(owner).watch();
    tell(old, 'a', entryOf('a', 10));
    tell(old, 'b', entryOf('b', 20));
    await view.shows('a', 'b');
    old.way.cut();
    tell(old, 'a', entryOf('a', 10, { state: 'active' }));
    tell(old, 'b', entryOf('b', 20, { state: 'active' }));
    epoch += 1;
    tell(owner, 'a', entryOf('a', 10, { attended: true }));
    tell(owner, 'b', undefined);
    await view.shows('a');
    old.way.restore();
    await written(old);
    const { entries } = await owner.clinics
      .connect({ ...CLINIC, grants: ['queue'] } as unknown as Staff, { send: () => {} })
      .command('watch-queue', request);
    expect(entries).toEqual([entryOf('a', 10, { attended: true })]);
    const gauge = old.metrics.registry.getSingleMetric('bedside_gateway_queue_entries');
    expect((await gauge?.get())?.values[0]?.value).toBe(0);
  });
});

describe('while Redis is away', () => {
  test('the last that was known is shown as stale, and what changed comes when it is back', async () => {
    const at = await startGateway({ entryLifeMs: 3_000 });
    const view = await new View(at).watch();
    tell(at, 'a', entryOf('a', 10));
    await view.shows('a');
    at.way.cut();
    await view.until(() => view.stale);
    tell(at, 'b', entryOf('b', 20));
    tell(at, 'b', entryOf('b', 5));
    expect((await new View(at).watch()).stale).toBe(true);
    expect(view.visits).toEqual(['a']);
    at.way.restore();
    await view.shows('b', 'a');
    await view.until(() => !view.stale);
    expect(await unwritten(at)).toBe(0);
  });

  test('a queue that nobody knows is not shown as empty', async () => {
    const at = await startGateway();
    at.way.cut();
    await expect(new View(at).watch()).rejects.toMatchObject({
      code: 'state-unavailable',
      retryable: true,
    });
  });

  test('and loses everything, the queue is there again', async () => {
    const at = await startGateway({ entryLifeMs: 3_000 });
    const view = await new View(at).watch();
    tell(at, 'a', entryOf('a', 10));
    await view.shows('a');
    await server.kill();
    await view.until(() => view.stale);
    await server.start();
    await view.until(() => !view.stale);
    await view.shows('a');
    while ((await admin.hlen(keys.queue)) === 0);
    // The channel is listened to again.
    tell(at, 'b', entryOf('b', 20));
    await view.shows('a', 'b');
  });

  test('a connection for listening that passes nothing any more is replaced', async () => {
    const [at, other] = [await startGateway(), await startGateway()];
    const view = await new View(at).watch();
    at.way.swallow();
    tell(other, 'a', entryOf('a', 10));
    await view.shows('a');
    tell(other, 'b', entryOf('b', 20));
    await view.shows('a', 'b');
  }, 20_000);
});

describe('in Redis', () => {
  test('there are ids and roles, and no clinic, tenant or person in a key', async () => {
    const at = await startGateway();
    tell(at, 'a', entryOf('a', 10));
    await written(at);
    expect(await admin.keys('*')).toEqual([keys.queue]);
    expect(keys.queue).not.toContain(CLINIC.clinic);
    expect(keys.queue).not.toContain(TENANT);
    const stored = await admin.hgetall(keys.queue);
    expect(Object.keys(stored)).toEqual([keyOfVisit('a')]);
    expect(await admin.pttl(keys.queue)).toBeGreaterThan(0);
  });

  test('an entry of another version is not shown, and hinders none of the others', async () => {
    const at = await startGateway();
    tell(at, 'a', entryOf('a', 10));
    await written(at);
    await admin.hset(keys.queue, 'other', `${Date.now() + 60_000} 1 {"visit":"b","news":1}`);
    await admin.hset(keys.queue, 'broken', 'nothing of ours');
    expect((await new View(at).watch()).visits).toEqual(['a']);
  });

  test('in a cluster every script finds its keys in one slot', async () => {
    const ip = ['--cluster-announce-ip', '127.0.0.1'];
    const cluster = await RedisServer.start('--cluster-enabled', 'yes', ...ip);
    open.push(() => cluster.stop());
    const node = new Redis(cluster.url);
    open.push(() => node.disconnect());
    await node.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
    while (!String(await node.call('CLUSTER', 'INFO')).includes('state:ok'));
    const redis = new Cluster([{ host: '127.0.0.1', port: cluster.port }], {
      redisOptions: REDIS_OPTIONS,
    });
    open.push(() => redis.disconnect());
    const subscriber = new Redis(cluster.url, SUBSCRIBER_OPTIONS);
    open.push(() => subscriber.disconnect());
    await ready(redis, subscriber);
    const metrics = createMetrics();
    const clinics = createClinics({
      redis,
      subscriber,
      guests,
      telemetry: metrics.clinics,
      log: pino({ level: 'silent' }),
      entryLifeMs: 60_000,
    });
    open.push(() => clinics.stop());
    const at = { clinics, metrics } as TestGateway;
    const view = await new View(at).watch();
    tell(at, 'a', entryOf('a', 10));
    await view.shows('a');
  });
});
