import {
  type ClientEventPayload,
  type ControlRequest,
  LIMITS,
  type TenantId,
  type VisitId,
} from '@bedside/protocol';
import { beforeEach, describe, expect, test } from 'vitest';
import { Page } from '../../test/page.ts';
import { createTestVisits, GRACE_MS, keyOf, settled } from '../../test/visits.ts';

const key = keyOf();

let at: ReturnType<typeof createTestVisits>;

beforeEach(async () => {
  at = createTestVisits();
  const [tenant, visit] = ['clinic' as TenantId, 'visit-1' as VisitId];
  await at.visits.create(tenant, { visit, kind: 'lecture' });
});

async function enter(participant: string, role: Page['identity']['role'] = 'observer') {
  const page = new Page(participant, role);
  await page.connect(at.visits);
  await page.join();
  await settled();
  return page;
}

/** What was told so far is forgotten. */
const quiet = (pages: readonly Page[]) => {
  for (const page of pages) page.events.length = 0;
};

const counts = (page: Page) =>
  page
    .payloads('changed')
    .flatMap(({ changes }) => changes)
    .map((change) => (change.type === 'visit' ? change.audience : change.type));

const texts = (page: Page) => page.payloads('message').map(({ text }) => text);

describe('of who comes to the audience', () => {
  test('nobody else is told, but all of how many they are by now, once a second', async () => {
    const others = [await enter('ana', 'provider'), await enter('kim', 'specialist')];
    others.push(await enter('l1'), await enter('l2'));
    at.clock.advance(1_000);
    quiet(others);
    const late = [await enter('l3'), await enter('l4'), await enter('l5')];
    expect(others.flatMap(({ events }) => events)).toEqual([]);
    await late[0]?.command('leave', {});
    at.clock.advance(999);
    expect(others.flatMap(({ events }) => events)).toEqual([]);
    at.clock.advance(1);
    for (const each of others) expect(counts(each)).toEqual([4]);
    quiet(others);
    at.clock.advance(60_000);
    expect(others.flatMap(({ events }) => events)).toEqual([]);
  });

  test('the numbers of what a page is told have no gaps all the same', async () => {
    const ana = await enter('ana', 'provider');
    const l1 = await enter('l1');
    const known = (page: Page) => [
      (page.joined as NonNullable<Page['joined']>).visit.seq,
      ...page.payloads('changed').map(({ seq }: ClientEventPayload<'changed'>) => seq),
    ];
    quiet([ana, l1]);
    await enter('l2');
    await ana.produce('microphone');
    await l1.command('raise-hand', { raised: true });
    at.clock.advance(1_000);
    await enter('kim', 'specialist');
    expect(known(l1).slice(1)).toHaveLength(4);
    for (const page of [ana, l1]) {
      const seqs = known(page).slice(1);
      expect(seqs).toEqual(seqs.map((_, index) => (seqs[0] ?? 0) + index));
    }
    expect(known(l1)[1]).toBe((known(l1)[0] ?? 0) + 1);
  });
});

test('the audience is told in a bulletin who speaks and how well they are heard', async () => {
  const [ana, kim] = [await enter('ana', 'provider'), await enter('kim', 'specialist')];
  const [l1, l2] = [await enter('l1'), await enter('l2')];
  const voices = [await ana.produce('microphone'), await kim.produce('microphone')];
  await settled();
  at.clock.advance(1_000);
  quiet([ana, kim, l1, l2]);
  for (const [index, producerId] of [...voices, ...voices].entries()) {
    at.visits.report({ type: 'speaker', node: at.node.id, visit: key, producerId });
    const producers = [{ producerId, score: index }];
    at.visits.report({
      type: 'scores',
      node: at.node.id,
      visit: key,
      producers,
      consumers: [],
    });
  }
  expect(kim.payloads('speaker')).toHaveLength(4);
  expect([...l1.events, ...l2.events]).toEqual([]);
  at.clock.advance(1_000);
  for (const each of [l1, l2]) {
    expect(each.payloads('speaker')).toEqual([{ participantId: 'kim' }]);
    expect(each.payloads('quality')).toEqual([
      {
        participants: [
          { participantId: 'ana', level: 1 },
          { participantId: 'kim', level: 1 },
        ],
      },
    ]);
  }
});

describe('of what was written to all', () => {
  const write = (page: Page, text: string) =>
    page.command('send-message', { to: { type: 'all' }, kind: 'chat', text });

  test('who comes back to the audience, even at another gateway, has what came meanwhile', async () => {
    const [ana, l1] = [await enter('ana', 'provider'), await enter('l1')];
    await write(ana, 'first');
    await settled();
    expect(texts(l1)).toEqual(['first']);
    l1.drop();
    await write(ana, 'second');
    const stored = at.store.said.get(key) ?? [];
    expect(stored.map(({ audience, listeners }) => ({ audience, listeners }))).toEqual([
      { audience: ['ana'], listeners: { except: [] } },
      { audience: ['ana'], listeners: { except: [] } },
    ]);
    const other = createTestVisits({ store: at.store, node: at.node });
    await l1.connect(other.visits);
    const { messages } = await l1.command('resume', { consumerIds: [], messagesAfter: 1 });
    expect(messages.map(({ text }) => text)).toEqual(['second']);
  });

  test('who comes later has nothing, and nor has who was elsewhere', async () => {
    const [ana, l0, l1] = [await enter('ana', 'provider'), await enter('l0'), await enter('l1')];
    await ana.command('move', { participantIds: [l1.id], to: { type: 'hold', audio: 'none' } });
    await ana.command('send-message', { to: { type: 'room' }, kind: 'chat', text: 'here' });
    await settled();
    at.clock.advance(1);
    const l2 = await enter('l2');
    expect([l0, l1, l2].map(texts)).toEqual([['here'], [], []]);
    const had = [l0, l1, l2].map(async (page) => (await page.join()).messages.length);
    expect(await Promise.all(had)).toEqual([1, 0, 0]);
  });
});

test('hundreds who come at the same moment are let in', async () => {
  const ana = await enter('ana', 'provider');
  await ana.produce('microphone');
  quiet([ana]);
  const pages = Array.from({ length: 500 }, (_, n) => new Page(`l${n}`, 'observer'));
  let coming = pages.length;
  for (const page of pages)
    void page
      .connect(at.visits)
      .then(() => page.join())
      .finally(() => coming--);
  // A large visit rests between two writes.
  for (; coming > 0; at.clock.advance(50)) await settled();
  expect(pages.every(({ consumers }) => consumers.size === 1)).toBe(true);
  at.clock.advance(1_000);
  expect(counts(ana).at(-1)).toBe(500);
  for (const page of [ana, ...pages])
    for (const { changes } of page.payloads('changed'))
      for (const change of changes)
        if (change.type === 'participant') expect(change.participant.participantId).toBe(page.id);
        else expect(change.type).toBe('visit');
  // Far fewer writes than they are.
  expect(at.store.commits.length).toBeLessThan(400);
});

test('of many who receive much the node is told in parts that its answer has room for', async () => {
  for (let n = 0; n < 20; n++) {
    const page = await enter(`s${n}`, 'specialist');
    for (const source of ['microphone', 'camera', 'screen'] as const) await page.produce(source);
  }
  for (let n = 0; n < 20; n++) await enter(`l${n}`);
  const parts: ControlRequest<'apply-plan'>['listeners'][] = [];
  const call = at.node.call.bind(at.node);
  at.node.call = (node, name, request) => {
    if (name === 'apply-plan') parts.push((request as ControlRequest<'apply-plan'>).listeners);
    return call(node, name, request);
  };
  at.link();
  await settled();
  const flows = parts.map((listeners) => listeners.flatMap((each) => each.flows).length);
  expect(flows.reduce((sum, each) => sum + each, 0)).toBe(20 * 57 + 20 * 60);
  expect(Math.max(...flows)).toBeLessThanOrEqual(LIMITS.consumersPerPage);
});

test('who takes part does not wait for the many who come to listen, and who left before they were in is not', async () => {
  const ana = await enter('ana', 'provider');
  const pages = Array.from({ length: 100 }, (_, n) => new Page(`l${n}`, 'observer'));
  await Promise.all(pages.map((page) => page.connect(at.visits)));
  const order: string[] = [];
  const gone = pages.pop();
  const joins = pages.map((page) => page.join().then(() => order.push(page.id)));
  const lost = gone?.join().catch(() => {});
  gone?.drop();
  const raised = ana.command('raise-hand', { raised: true }).then(() => order.push('ana'));
  await Promise.all([...joins, raised, lost]);
  expect(order.indexOf('ana')).toBeLessThan(3);
  await settled();
  const there = at.store.snapshots.get(key)?.participants ?? [];
  expect(there.find(({ id }) => id === gone?.id)?.connection).toBe('reconnecting');
  at.clock.advance(GRACE_MS);
  await settled();
  expect(at.store.snapshots.get(key)?.participants.at(-1)).toMatchObject({ state: 'left' });
});
