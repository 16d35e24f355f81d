import { BedsideError } from '@bedside/protocol';
import { describe, expect, test } from 'vitest';
import { FakeNode, FakeNodes } from '../../test/fake-node.ts';
import { FakeStore } from '../../test/fake-store.ts';
import { newRequestId, Page } from '../../test/page.ts';
import { createTestVisits, keyOf, settled } from '../../test/visits.ts';

/** What was acknowledged while Redis was away, when its gateway is no more or has lost the visit (ADR 0015). */

const key = keyOf();
type Gateway = ReturnType<typeof createTestVisits>;
const hand = { raised: true };
const toHold = (page: Page) => ({
  participantIds: [page.id],
  to: { type: 'hold', audio: 'none' } as const,
});

async function enter(at: Gateway, participant: string, role: Page['identity']['role'] = 'patient') {
  const page = new Page(participant, role);
  await page.connect(at.visits);
  await page.join();
  return page;
}

async function follow(page: Page, to: Gateway) {
  page.drop();
  await page.connect(to.visits);
  await page.resume();
}

const say = (page: Page, text: string, request = newRequestId()) =>
  page.command('send-message', { to: { type: 'all' }, kind: 'chat', text }, request);

describe('what was acknowledged while Redis was away', () => {
  test('is there with the next gateway, though the one that said so was killed: state, ledger, messages, and that it was done', async () => {
    const one = createTestVisits();
    const [ana, ben] = [await enter(one, 'ana', 'provider'), await enter(one, 'ben')];
    await say(ana, 'before');
    const others = one.store.ledger.length;
    one.store.goAway();
    await ana.command('move', toHold(ben));
    const request = newRequestId();
    await say(ana, 'while it was away', request);
    // Nothing more comes from the first.
    const other = createTestVisits({ store: one.store, node: one.node });
    one.store.comeBack();
    await follow(ana, other);
    await follow(ben, other);
    expect(await say(ana, 'while it was away', request)).toEqual({ number: 2 });
    await settled();
    expect(other.store.snapshots.get(key)?.participants[1]?.place).toBe('hold');
    expect(other.store.ledger.slice(others).map(({ type }) => type)).toContain('hold-started');
    expect(other.store.said.get(key)?.map(({ message }) => message.text)).toEqual([
      'before',
      'while it was away',
    ]);
    other.clock.advance(60_000);
    await settled();
    expect(one.node.visits.get(key)?.held).toBeUndefined();
  });

  /** Two nodes, and the one that the visit is at. */
  async function atOneOfTwo() {
    const two = [new FakeNode('node-1'), new FakeNode('node-2')] as const;
    const nodes = new FakeNodes(...two);
    const one = createTestVisits({ nodes });
    const ana = await enter(one, 'ana', 'provider');
    await settled();
    one.store.goAway();
    const home = two.find((node) => node.peersOf(key).length > 0) as FakeNode;
    /** The next gateway, once Redis is back. */
    const next = () => {
      one.store.comeBack();
      return createTestVisits({ store: one.store, nodes });
    };
    return { one, ana, home, next };
  }

  test('is there though the node is gone together with its gateway', async () => {
    const { ana, home, next } = await atOneOfTwo();
    await ana.command('end', {});
    home.up = false;
    await expect(ana.connect(next().visits)).rejects.toMatchObject({ code: 'visit-ended' });
  });

  test('is there though the media went to another node meanwhile, and that one alone is left', async () => {
    const { one, ana, home, next } = await atOneOfTwo();
    home.up = false;
    one.visits.report({ type: 'lost', node: home.id });
    one.clock.advance(1_000);
    await settled();
    await ana.join();
    await ana.command('raise-hand', hand);
    const other = next();
    await follow(ana, other);
    await settled();
    expect(other.store.snapshots.get(key)?.participants[0]?.handRaisedAt).toBeDefined();
  });

  test('is not read by the node, and does not stay there once Redis has it', async () => {
    const at = createTestVisits();
    const ana = await enter(at, 'ana', 'provider');
    at.store.goAway();
    await say(ana, 'nobody else’s business');
    const held = Buffer.from(at.node.visits.get(key)?.held ?? '', 'base64');
    expect(held.length).toBeGreaterThan(100);
    expect(held.toString('latin1')).not.toContain('nobody');
    at.store.comeBack();
    await at.visits.redisReturned();
    await settled();
    at.clock.advance(60_000);
    await settled();
    expect(at.node.visits.get(key)?.held).toBeUndefined();
  });
});

describe('once the next gateway has the visit', () => {
  test('one that stood still, or is cut off from Redis, acknowledges nothing more and sends its pages there', async () => {
    const store = new FakeStore();
    const way = new FakeStore();
    way.acquire = (...asked) => store.acquire(...asked);
    way.commit = (...commit) => store.commit(...commit);
    const one = createTestVisits({ store: way });
    const [ana, ben] = [await enter(one, 'ana', 'provider'), await enter(one, 'ben')];
    way.available = false;
    way.commit = () => Promise.reject(new BedsideError('state-unavailable'));
    await ana.command('raise-hand', hand);
    const next = createTestVisits({ store, node: one.node });
    await follow(ana, next);
    await expect(ben.command('raise-hand', hand)).rejects.toMatchObject({ code: 'moved' });
    await settled();
    expect(ben.closed).toBe('moved');
    const [first, second] = store.snapshots.get(key)?.participants ?? [];
    expect(first?.handRaisedAt).toBeDefined();
    expect(second?.handRaisedAt).toBeUndefined();
  });
});

test('one keeper that knows of another gateway is enough, though others do not answer', async () => {
  const two = [new FakeNode('node-1'), new FakeNode('node-2')] as const;
  const at = createTestVisits({ nodes: new FakeNodes(...two) });
  const ana = await enter(at, 'ana', 'provider');
  await settled();
  at.store.goAway();
  const [home, other] = two.toSorted(
    (one, next) => next.peersOf(key).length - one.peersOf(key).length,
  ) as [FakeNode, FakeNode];
  home.fate = (name) => (name === 'keep-changes' ? 'answer-lost' : 'done');
  await other.call(other.id, 'kept-changes', { visit: key, epoch: 1_000 });
  await expect(ana.command('raise-hand', hand)).rejects.toMatchObject({ code: 'moved' });
});

describe('a visit that another gateway had', () => {
  async function abandoned() {
    const one = createTestVisits();
    const ana = await enter(one, 'ana', 'provider');
    one.store.goAway();
    await ana.command('raise-hand', hand);
    one.store.comeBack();
    ana.drop();
    return { one, ana, next: createTestVisits({ store: one.store, node: one.node }) };
  }

  test.each<[string, (node: FakeNode) => void, (node: FakeNode) => void]>([
    [
      'is linked',
      (node) => {
        node.up = false;
      },
      (node) => {
        node.up = true;
      },
    ],
    [
      'has answered',
      (node) => {
        node.fate = () => 'answer-lost';
      },
      (node) => {
        node.fate = () => 'done';
      },
    ],
  ])('is not opened before its node %s, which is asked again', async (_, fail, mend) => {
    const { one, ana, next } = await abandoned();
    fail(one.node);
    let connected = false;
    const connecting = ana.connect(next.visits).then(() => {
      connected = true;
    });
    await settled();
    next.clock.advance(400);
    await settled();
    expect(connected).toBe(false);
    mend(one.node);
    next.clock.advance(400);
    await connecting;
    await settled();
    expect(one.store.snapshots.get(key)?.participants[0]?.handRaisedAt).toBeDefined();
  });

  test('is opened without, where its node is lost', async () => {
    const { one, ana, next } = await abandoned();
    one.node.up = false;
    one.node.isLost = () => true;
    await ana.connect(next.visits);
  });

  test('waits no longer than for a while: the page is told to try again', async () => {
    const { one, ana, next } = await abandoned();
    one.node.up = false;
    const connecting = ana.connect(next.visits);
    const refused = expect(connecting).rejects.toMatchObject({ code: 'media-unavailable' });
    for (let waited = 0; waited < 60; waited++) {
      await settled();
      next.clock.advance(200);
    }
    await refused;
  });
});

test('home and two more nodes hold it, as long as there are as many; another one in place of one that is gone', async () => {
  const all = [1, 2, 3, 4].map((number) => new FakeNode(`node-${number}`));
  const at = createTestVisits({ nodes: new FakeNodes(...all) });
  const ana = await enter(at, 'ana', 'provider');
  const holders = async () => {
    await ana.command('raise-hand', hand);
    await settled();
    at.store.goAway();
    await ana.command('raise-hand', { raised: false });
    at.store.comeBack();
    return all.filter((node) => node.visits.get(key)?.held !== undefined);
  };
  const first = await holders();
  const home = all.find((node) => node.peersOf(key).length > 0);
  expect(first).toContain(home);
  expect(first).toHaveLength(3);
  const gone = first.find((node) => node !== home) as FakeNode;
  gone.up = false;
  for (const node of all) for (const visit of node.visits.values()) visit.held = undefined;
  const second = await holders();
  expect(second).toHaveLength(3);
  expect(second).not.toContain(gone);
});

test('a node that is full takes no part: visits go on, and the log says so once', async () => {
  const at = createTestVisits();
  const ana = await enter(at, 'ana', 'provider');
  await settled();
  at.store.goAway();
  at.node.before = async (name) => {
    if (name === 'keep-changes' || name === 'kept-changes') throw new BedsideError('capacity');
  };
  await ana.command('raise-hand', hand);
  await say(ana, 'something');
  expect(at.logged.filter((line) => line.includes('does not hold'))).toHaveLength(1);
  at.store.comeBack();
  const next = createTestVisits({ store: at.store, node: at.node });
  await follow(ana, next);
});

test('a visit that nobody had until now is opened without a word to any node', async () => {
  const at = createTestVisits();
  await enter(at, 'ana');
  expect(at.node.calls).not.toContain('kept-changes');
});
