import type { CallId, ClinicId, ParticipantId, TenantId, VisitId } from '@bedside/protocol';
import { REDIS_OPTIONS, RedisCalls } from '@bedside/service';
import { Cluster, Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { RedisServer } from '../../../../load-tests/lib/redis-server.ts';
import { until } from '../../../../load-tests/lib/wait.ts';
import { clinicKey } from '../keys.ts';
import { onCallKeys } from './keys.ts';
import type { OnCallPerson } from './matching.ts';
import { OnCallStore } from './store.ts';

const clinic = clinicKey('clinic' as TenantId, 'c1' as ClinicId);
const keys = onCallKeys(clinic);
const call = 'call-1' as CallId;
const ana = 'ana' as ParticipantId;
const ben = 'ben' as ParticipantId;

let admin: Redis;
let stores: OnCallStore[];
const open: (() => unknown)[] = [];

/** Two gateways on a Redis Cluster: every script must find its keys in one slot. */
beforeAll(async () => {
  const server = await RedisServer.start(
    '--cluster-enabled',
    'yes',
    '--cluster-announce-ip',
    '127.0.0.1',
  );
  open.push(() => server.stop());
  admin = new Redis(server.url);
  open.push(() => admin.disconnect());
  await admin.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
  while (!String(await admin.call('CLUSTER', 'INFO')).includes('state:ok'));
  const redis = new Cluster([{ host: '127.0.0.1', port: server.port }], {
    redisOptions: REDIS_OPTIONS,
  });
  open.push(() => redis.disconnect());
  await new Promise((resolve) => redis.once('ready', resolve));
  const calls = new RedisCalls({ redis, telemetry: { redis() {} } });
  stores = ['one', 'two'].map((gateway) => new OnCallStore(redis, calls, gateway));
});

afterAll(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

beforeEach(async () => {
  await admin.flushall();
});

const store = (index = 0) => stores[index] as OnCallStore;

const person = (name: ParticipantId, more: Partial<OnCallPerson> = {}): OnCallPerson => ({
  person: name,
  role: 'specialist',
  skills: { specialties: ['cardiology'], languages: ['ase'], regions: [] },
  since: 1,
  busy: false,
  ...more,
});

const ring = (...people: ParticipantId[]) =>
  store().ring(clinic, {
    call,
    index: 0,
    visit: 'v1' as VisitId,
    role: 'specialist',
    kind: 'visit',
    forMs: 30_000,
    people: people.map((each) => ({ person: each, need: {} })),
  });

describe('who is on call', () => {
  const names = async () =>
    (await store().people(clinic)).map((each) => each.person as string).toSorted();

  test('is known at every gateway, as it was said last', async () => {
    await store(0).present(clinic, [person(ana)], true);
    await store(1).present(clinic, [person(ben, { busy: true })], true);
    expect(await store(0).people(clinic)).toEqual(
      expect.arrayContaining([person(ana), person(ben, { busy: true })]),
    );
    await store(1).present(clinic, [], true);
    expect(await names()).toEqual(['ana']);
  });

  test('is forgotten with its gateway', async () => {
    await store(0).present(clinic, [person(ana)], true);
    await store(1).present(clinic, [person(ben)], true);
    expect(await admin.pttl(keys.people('two'))).toBeGreaterThan(0);
    // As its time passes.
    await admin.pexpire(keys.people('two'), 1);
    await until('one is left', names, (left) => left.length === 1);
    expect(await admin.pttl(keys.gateways)).toBeGreaterThan(0);
  });

  test('of another version is nobody', async () => {
    await store(0).present(clinic, [person(ana)], true);
    await store(1).present(clinic, [person(ben, { role: 'robot' as never })], true);
    expect(await names()).toEqual(['ana']);
  });
});

describe('a call', () => {
  const accept = async (who: ParticipantId) => (await store().accept(clinic, call, who)).type;

  test('is the first one’s who was rung and accepts, however often', async () => {
    await ring(ana, ben);
    expect(await store().accept(clinic, call, ana)).toEqual({
      type: 'theirs',
      visit: 'v1',
      role: 'specialist',
      over: undefined,
    });
    expect([await accept(ben), await accept(ana)]).toEqual(['taken', 'theirs']);
    expect(await store().read(clinic, call)).toMatchObject({ by: ana, over: undefined });
  });

  test('is nobody’s who was not rung, declined, or comes when it is over', async () => {
    expect(await accept(ana)).toBe('gone');
    await ring(ana);
    expect(await accept(ben)).toBe('gone');
    await store().decline(clinic, call, ana);
    await ring(ana);
    expect(await accept(ana)).toBe('gone');
    expect((await store().read(clinic, call)).declined).toEqual(new Set([ana]));
    await ring(ben);
    await store().end(clinic, call, 'cancelled');
    expect(await store().accept(clinic, call, ben)).toEqual({ type: 'gone', over: 'cancelled' });
  });

  test('can not be declined by who was not rung', async () => {
    await ring(ana);
    await store().decline(clinic, call, ben);
    await ring(ben);
    expect(await accept(ben)).toBe('theirs');
  });

  test('that was given up as somebody accepted stays theirs; one that was cancelled, not', async () => {
    await ring(ana);
    await accept(ana);
    expect(await store().end(clinic, call, 'unanswered')).toBe(ana);
    expect(await store().read(clinic, call)).toMatchObject({ over: undefined });
    expect(await store().end(clinic, call, 'taken')).toBe(ana);
    expect(await store().accept(clinic, call, ana)).toMatchObject({ over: 'taken' });
  });

  test('rings on for a new owner, whatever the old one said last, but not once it is taken', async () => {
    await ring(ana);
    await store().end(clinic, call, 'unanswered');
    await ring(ben);
    expect((await store().read(clinic, call)).over).toBeUndefined();
    await accept(ben);
    const said: string[] = [];
    const ear = admin.duplicate();
    open.push(() => ear.disconnect());
    ear.on('message', (_channel, text) => said.push(JSON.parse(text).type));
    await ear.subscribe(keys.messages);
    await ring(ana, ben);
    await store().end(clinic, call, 'taken');
    await until(
      'the end is said',
      async () => said.length,
      (count) => count > 0,
    );
    expect(said).toEqual(['over']);
  });

  test('is forgotten after a while, and one that was never rung is not remembered at all', async () => {
    await ring(ana);
    expect(await admin.pttl(keys.call(call))).toBeGreaterThan(30_000);
    const rung = await admin.pttl(keys.call(call));
    await accept(ana);
    expect(await admin.pttl(keys.call(call))).toBeGreaterThan(rung);
    await store().end(clinic, 'call-2' as CallId, 'unanswered');
    expect(await admin.exists(keys.call('call-2' as CallId))).toBe(0);
  });
});
