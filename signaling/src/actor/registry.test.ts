import {
  BedsideError,
  type NodeId,
  type ProducerId,
  type TenantId,
  type VisitId,
} from '@bedside/protocol';
import { beforeEach, describe, expect, test } from 'vitest';
import { Page } from '../../test/page.ts';
import { createTestVisits, GRACE_MS, keyOf, settled } from '../../test/visits.ts';
import { present, type Visit } from '../visit/state.ts';

const clinic = 'clinic' as TenantId;
const visit = 'visit-1' as VisitId;
const key = keyOf();

let at: ReturnType<typeof createTestVisits>;

beforeEach(() => {
  at = createTestVisits();
});

async function enter(participant: string, visitId?: string): Promise<Page> {
  const page = new Page(participant, 'patient', visitId);
  await page.connect(at.visits);
  await page.join();
  await settled();
  return page;
}

/** Calls of the store, by name, as they come. */
function countCalls(): string[] {
  const calls: string[] = [];
  at.store.before = async (call) => void calls.push(call);
  return calls;
}

describe('opening a visit', () => {
  test('takes its lease once, however many come at the same moment', async () => {
    const calls = countCalls();
    const pages = Array.from({ length: 5 }, (_, n) => new Page(`p${n}`));
    await Promise.all(pages.map((page) => page.connect(at.visits)));
    expect(calls.filter((call) => call === 'acquire')).toHaveLength(1);
    expect(at.counts.visitsOpen).toBe(1);
  });

  test('that fails is tried anew by who comes next', async () => {
    at.store.goAway();
    await expect(new Page('ana').connect(at.visits)).rejects.toMatchObject({
      code: 'state-unavailable',
    });
    at.store.comeBack();
    await enter('ana');
    expect(at.counts.people).toBe(1);
  });

  test('has a first join wait for Redis twice, and for what else it is told never', async () => {
    at.store.before = async (call) =>
      call === 'acquire' || call === 'commit' ? undefined : new Promise(() => {});
    await enter('ana');
    await enter('ben');
    expect(at.counts.joinRoundTrips).toEqual([2, 1]);
  });

  test('leaves out an owner whom its pages were sent to and did not reach, once in a while', async () => {
    const overtakes: boolean[] = [];
    at.store.acquire = async (_key, _keepers, overtake = false) => {
      overtakes.push(overtake);
      throw new BedsideError('moved');
    };
    const come = (isAstray: boolean) =>
      expect(
        new Page('ana').connect({
          connect: (identity, link, sessionId) =>
            at.visits.connect(identity, link, sessionId, isAstray),
        }),
      ).rejects.toMatchObject({ code: 'moved' });
    for (const isAstray of [false, true, true]) await come(isAstray);
    at.clock.advance(10_000);
    await come(true);
    expect(overtakes).toEqual([false, true, false, true]);
  });

  test('waits for one that is closing, and finds what that one wrote', async () => {
    const ana = await enter('ana');
    const released = Promise.withResolvers<void>();
    at.store.before = async (call) => (call === 'release' ? released.promise : undefined);
    await ana.command('leave', {});
    ana.drop();
    await settled();
    const ben = new Page('ben');
    const coming = ben.connect(at.visits);
    await settled();
    expect(ben.connection).toBeUndefined();
    released.resolve();
    expect((await coming).welcome.visit.state).toBe('active');
    expect(at.store.snapshots.get(key)?.participants).toMatchObject([{ id: 'ana', state: 'left' }]);
  });

  test('does not mix visits of different tenants with the same id', async () => {
    await enter('ana');
    const stranger = new Page('ben');
    Object.assign(stranger.identity, { tenant: 'hospital' });
    await stranger.connect(at.visits);
    const { participants } = (await stranger.join()).visit;
    expect(participants.map(({ participantId }) => participantId)).toEqual(['ben']);
    expect(at.counts.visitsOpen).toBe(2);
    await expect(at.visits.read('somebody' as TenantId, visit)).rejects.toMatchObject({
      code: 'not-found',
    });
  });
});

describe('reading a visit', () => {
  test('shows it as it is, before Redis has it', async () => {
    await enter('ana');
    at.store.goAway();
    await enter('ben');
    const { participants } = await at.visits.read(clinic, visit);
    expect(participants.map(({ participant }) => participant)).toEqual(['ana', 'ben']);
  });

  test('takes no lease where it is not open', async () => {
    await at.visits.create(clinic, { visit, kind: 'consult' });
    await settled();
    const calls = countCalls();
    expect(await at.visits.read(clinic, visit)).toMatchObject({ kind: 'consult', state: 'open' });
    expect(calls).toEqual(['read']);
  });
});

describe('creating a visit', () => {
  test('twice is once, as another kind a conflict, and with Redis away not done', async () => {
    const create = (kind: 'visit' | 'consult') => at.visits.create(clinic, { visit, kind });
    expect((await create('consult')).created).toBe(true);
    expect((await create('consult')).created).toBe(false);
    await expect(create('visit')).rejects.toMatchObject({ code: 'conflict', field: 'kind' });
    await settled();
    at.store.goAway();
    await expect(create('consult')).rejects.toMatchObject({ code: 'state-unavailable' });
  });

  test('is not said to be done until Redis has it, asked once or again', async () => {
    const create = () => at.visits.create(clinic, { visit, kind: 'visit' });
    at.store.before = async (call) => {
      if (call !== 'commit') return;
      at.store.available = false;
      throw new BedsideError('state-unavailable');
    };
    for (const _ of [1, 2]) {
      await expect(create()).rejects.toMatchObject({ code: 'state-unavailable' });
      expect(at.store.snapshots.size).toBe(0);
    }
    at.store.comeBack();
    await expect(create()).resolves.toMatchObject({ visit: { state: 'open' } });
    expect(at.store.snapshots.size).toBe(1);
  });
});

describe('reports of a node', () => {
  test('reach the visit that they name and no other', async () => {
    const [ana, ben] = [await enter('ana'), await enter('ben', 'visit-2')];
    const speaking = await ana.produce('microphone');
    at.visits.report({ type: 'speaker', node: at.node.id, visit: key, producerId: speaking });
    at.visits.report({
      type: 'speaker',
      node: at.node.id,
      visit: keyOf('visit-3'),
      producerId: 'x' as ProducerId,
    });
    expect(ana.payloads('speaker').at(-1)).toEqual({ participantId: 'ana' });
    expect(ben.payloads('speaker').filter(({ participantId }) => participantId)).toEqual([]);
  });

  test('that visits are lost count only where they come from the node that carries them', async () => {
    const ana = await enter('ana');
    const lostAt = (node: NodeId) =>
      at.visits.report({ type: 'visits-lost', node, visits: [key], reason: 'worker-died' });
    lostAt('node-2' as NodeId);
    await settled();
    expect(ana.payloads('media-lost')).toEqual([]);
    lostAt(at.node.id);
    await settled();
    expect(ana.payloads('media-lost')).toHaveLength(1);
  });
});

describe('after a kill', () => {
  /** A gateway with two visits is killed: in one Ana is present, from the other Ben has left. */
  async function killed() {
    await enter('ana');
    const ben = await enter('ben', 'visit-2');
    await ben.command('leave', {});
    await settled();
    at = createTestVisits({ store: at.store, node: at.node });
    at.store.left = [key, keyOf('visit-2')];
  }

  test('visits are taken up again; who does not come back has left after the grace time', async () => {
    await killed();
    await at.visits.recover();
    expect([at.counts.visitsOpen, at.counts.people]).toEqual([1, 1]);
    const { participants } = await at.visits.read(clinic, visit);
    expect(participants).toMatchObject([{ participant: 'ana', connection: 'reconnecting' }]);
    at.clock.advance(GRACE_MS);
    await settled();
    expect(present(at.store.snapshots.get(key) as never)).toEqual([]);
    expect([at.counts.visitsOpen, at.clock.pending]).toEqual([0, 0]);
    expect(at.node.peersOf(key)).toEqual([]);
  });

  test('they are taken up once Redis is there, where it is away at the start', async () => {
    await killed();
    at.store.goAway();
    await at.visits.recover();
    expect(at.counts.visitsOpen).toBe(0);
    at.store.comeBack();
    await at.visits.redisReturned();
    expect(at.counts.visitsOpen).toBe(1);
  });

  test('one that another gateway has meanwhile is left to it', async () => {
    await killed();
    at.store.before = async (call) => {
      if (call === 'acquire') throw Object.assign(new Error(), { code: 'moved' });
    };
    await at.visits.recover();
    expect(at.counts.visitsOpen).toBe(0);
  });
});

test('a visit that was closed, and that Redis has as it was before, is taken up when Redis is back', async () => {
  const ana = await enter('ana');
  const before = at.store.snapshots.get(key) as Visit;
  await ana.command('leave', {});
  ana.drop();
  await settled();
  expect(at.counts.visitsOpen).toBe(0);
  at.store.snapshots.set(key, before);
  at.store.left = [key];
  await at.visits.redisReturned();
  expect(at.counts.visitsOpen).toBe(1);
  at.clock.advance(GRACE_MS);
  await settled();
  expect(present(at.store.snapshots.get(key) as Visit)).toEqual([]);
});

describe('stopping', () => {
  test('writes what is unwritten, frees the leases, keeps the media, and takes nobody in', async () => {
    await enter('ana');
    await enter('ben', 'visit-2');
    await at.visits.stop(1_000);
    expect(at.store.released.toSorted()).toEqual([key, keyOf('visit-2')].toSorted());
    expect(at.node.peersOf(key)).toHaveLength(1);
    expect([at.counts.visitsOpen, at.counts.people, at.counts.unwritten]).toEqual([0, 0, 0]);
    expect(at.clock.pending).toBe(0);
    await expect(new Page('cem').connect(at.visits)).rejects.toMatchObject({
      code: 'shutting-down',
    });
    expect(at.visits.readiness()).toEqual({ ready: false, reasons: ['shutting down'] });
  });

  test('ends at its deadline where Redis hangs', async () => {
    await enter('ana');
    at.store.before = () => new Promise(() => {});
    let stopped = false;
    const stopping = at.visits.stop(1_000).then(() => {
      stopped = true;
    });
    await settled();
    expect(stopped).toBe(false);
    at.clock.advance(1_000);
    await stopping;
  });
});

test('readiness names what is missing', () => {
  expect(at.visits.readiness()).toEqual({ ready: true, reasons: [] });
  at.store.goAway();
  at.node.up = false;
  expect(at.visits.readiness()).toEqual({
    ready: false,
    reasons: ['Redis does not answer', 'no node is linked'],
  });
});
