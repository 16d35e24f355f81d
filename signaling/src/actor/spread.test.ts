import { BedsideError, type ParticipantId, type Role } from '@bedside/protocol';
import { beforeEach, describe, expect, test } from 'vitest';
import { FakeNode, FakeNodes } from '../../test/fake-node.ts';
import { Page } from '../../test/page.ts';
import { createTestVisits, keyOf, settled } from '../../test/visits.ts';
import { REFUSED_MS, RESYNC_MIN_MS } from './media.ts';

/** A visit that has grown too large for its node. */

const key = keyOf();
type Gateway = ReturnType<typeof createTestVisits>;

let nodes: FakeNode[];
let at: Gateway;
let home: FakeNode;
let other: FakeNode;
let ana: Page;
let ben: Page;

async function enter(participant: string, role: Role = 'provider', gateway = at): Promise<Page> {
  const page = new Page(participant, role);
  await page.connect(gateway.visits);
  await page.join();
  await page.produce('microphone');
  await settled();
  return page;
}

const again = async (page: Page) => {
  await page.join();
  await page.produce('microphone');
  await settled();
};

/** Whom the page hears, as it was told. */
const heard = (page: Page): ParticipantId[] =>
  [...page.consumers.values()].map(({ participantId }) => participantId).toSorted();
const sends = (node: FakeNode) => [...(node.visits.get(key)?.sends ?? [])];
const receives = (node: FakeNode) => [...(node.visits.get(key)?.receives ?? [])];
const pipesOf = (node: FakeNode) => [...sends(node), ...receives(node)].map(([id]) => id);
const lost = (node: FakeNode) => {
  node.lose();
  at.visits.report({ type: 'visits-lost', node: node.id, visits: [key], reason: 'worker-died' });
  return settled();
};

beforeEach(async () => {
  nodes = [new FakeNode('node-1'), new FakeNode('node-2')];
  at = createTestVisits({ nodes: new FakeNodes(...nodes) });
  ana = await enter('ana');
  [home, other] = nodes.toSorted(
    (one, two) => two.peersOf(key).length - one.peersOf(key).length,
  ) as [FakeNode, FakeNode];
  home.full = true;
  ben = await enter('ben');
});

describe('who comes to a full node', () => {
  test('is at another one, and sees and hears all as if they were not', () => {
    expect([home, other].map((node) => node.peersOf(key).length)).toEqual([1, 1]);
    expect([heard(ana), heard(ben)]).toEqual([['ben'], ['ana']]);
    for (const node of [home, other]) {
      expect(sends(node)).toHaveLength(1);
      for (const [id, { end, receiver }] of sends(node)) {
        const [far] = receives(node === home ? other : home).filter(([pipe]) => pipe === id);
        expect(far?.[1]).toMatchObject({ end: receiver, sender: end });
      }
    }
  });

  test('does not have a full node asked for each of those that come after', async () => {
    const asked = home.calls.filter((name) => name === 'open-peer').length;
    const cleo = await enter('cleo');
    expect(home.calls.filter((name) => name === 'open-peer')).toHaveLength(asked);
    expect(heard(cleo)).toEqual(['ana', 'ben']);
  });

  test('is at home all the same where there is no other, as long as there is any room', async () => {
    other.full = true;
    home.full = 'share';
    expect(heard(await enter('cleo'))).toEqual(['ana', 'ben']);
    expect([home, other].map((node) => node.peersOf(key).length)).toEqual([2, 1]);
  });

  test('goes to no node that the others do not reach, or that may not talk to them', async () => {
    await ben.command('leave', {});
    ben.drop();
    await settled();
    const third = new FakeNode('node-3');
    nodes.push(third);
    at = createTestVisits({ store: at.store, nodes: new FakeNodes(...nodes) });
    at.store.takeOver(key);
    ana.drop();
    await ana.connect(at.visits);
    await ana.resume();
    other.pipes = false;
    third.isClosed = true;
    home.full = 'share';
    const cleo = await enter('cleo');
    expect([home, other, third].map((node) => node.peersOf(key).length)).toEqual([2, 0, 0]);
    expect(third.visits.get(key)?.receives.size).toBe(0);
    expect(heard(cleo)).toEqual(['ana']);
    other.pipes = true;
    at.clock.advance(60_000);
    expect(heard(await enter('dan'))).toEqual(['ana', 'cleo']);
    expect([home, other, third].map((node) => node.peersOf(key).length)).toEqual([2, 1, 0]);
  });

  test('is refused where there is no other', async () => {
    other.full = true;
    const page = new Page('cleo', 'provider');
    await page.connect(at.visits);
    await expect(page.join()).rejects.toMatchObject({ code: 'capacity' });
    expect([home, other].map((node) => node.peersOf(key).length)).toEqual([1, 1]);
  });

  test('joins also while no pipe can be laid, and hears the others once one is', async () => {
    other.fate = (name) => (name === 'receive-pipe' ? 'request-lost' : 'done');
    const cleo = await enter('cleo');
    expect(heard(cleo)).toEqual(['ana', 'ben']);
    // What is in the pipe goes on; what is new is not there yet.
    await ana.produce('camera');
    await settled();
    expect(heard(cleo)).toEqual(['ana', 'ben']);
    other.fate = () => 'done';
    at.clock.advance(RESYNC_MIN_MS * 16);
    await settled();
    expect(heard(cleo)).toEqual(['ana', 'ana', 'ben']);
  });
});

test('who could not be sent all, for want of room, is sent it once there is room', async () => {
  for (const node of nodes) node.room = 1;
  const cleo = await enter('cleo');
  await settled();
  expect([heard(ana), heard(ben), heard(cleo)]).toEqual([['ben'], ['ana'], ['ana']]);
  for (const node of nodes) node.room = 2;
  at.clock.advance(REFUSED_MS);
  await settled();
  expect([heard(ana), heard(ben), heard(cleo)]).toEqual([
    ['ben', 'cleo'],
    ['ana', 'cleo'],
    ['ana', 'ben'],
  ]);
});

describe('a pipe', () => {
  test('has what is sent from then on, and not what is not sent any more', async () => {
    const camera = await ana.produce('camera');
    await settled();
    expect(heard(ben)).toEqual(['ana', 'ana']);
    expect([...(receives(other)[0]?.[1].producers.keys() ?? [])]).toContain(camera);
    await ana.command('close-producer', { producerId: camera });
    await settled();
    expect(heard(ben)).toEqual(['ana']);
    expect([...(receives(other)[0]?.[1].producers.keys() ?? [])]).not.toContain(camera);
    await ana.command('close-producer', { producerId: ana.producers.get('microphone') as never });
    await settled();
    expect([sends(home), receives(other)]).toEqual([[], []]);
    expect(sends(other)).toHaveLength(1);
  });

  test('ends with the last one at its other end, and another one serves who comes there later', async () => {
    await ben.command('leave', {});
    ben.drop();
    await settled();
    expect([pipesOf(home), pipesOf(other), other.peersOf(key)]).toEqual([[], [], []]);
    const back = await enter('ben');
    expect(other.peersOf(key)).toHaveLength(1);
    expect([heard(ana), heard(back)]).toEqual([['ben'], ['ana']]);
  });

  test('is a new one for who comes in the moment in which the last one leaves', async () => {
    const cleo = new Page('cleo', 'provider');
    await cleo.connect(at.visits);
    await Promise.all([ben.command('leave', {}), cleo.join()]);
    await settled();
    expect(other.peersOf(key)).toHaveLength(1);
    expect(heard(cleo)).toEqual(['ana']);
  });

  test('that has no room keeps nothing else from being done, and nobody busy', async () => {
    home.before = async (name) => {
      if (name === 'send-pipe') throw new BedsideError('capacity');
    };
    await ana.produce('camera');
    await settled();
    await ana.command('move', { participantIds: [ben.id], to: { type: 'hold', audio: 'none' } });
    home.calls.length = 0;
    at.clock.advance(60_000);
    await settled();
    expect(home.calls).not.toContain('describe-visit');
  });

  test('that one end has lost is replaced', async () => {
    const before = new Set(pipesOf(home));
    const pipes = pipesOf(other);
    const epoch = other.visits.get(key)?.epoch ?? 0;
    for (const pipe of pipes) await other.call(other.id, 'close-pipe', { visit: key, epoch, pipe });
    at.visits.report({ type: 'peers-lost', node: other.id, visit: key, peers: [], pipes });
    await settled();
    expect(pipesOf(home).filter((id) => before.has(id))).toEqual([]);
    expect(pipesOf(home).toSorted()).toEqual(pipesOf(other).toSorted());
    expect([heard(ana), heard(ben)]).toEqual([['ben'], ['ana']]);
  });

  test('that is silent is replaced; where that is silent, too, those at its one end go to its other', async () => {
    const silence = () => {
      const pipes = sends(home).map(([id]) => id);
      at.visits.report({ type: 'pipes-silent', node: home.id, visit: key, pipes });
      return settled();
    };
    const before = pipesOf(home);
    await silence();
    expect(pipesOf(home)).toHaveLength(2);
    expect(pipesOf(home)).not.toEqual(before);
    expect([heard(ana), heard(ben)]).toEqual([['ben'], ['ana']]);
    at.clock.advance(12_000);
    await silence();
    const lost = [ana, ben].filter((page) => page.payloads('media-lost').length > 0);
    expect(lost).toHaveLength(1);
    for (const node of nodes) node.full = 'share';
    for (const page of lost) await again(page);
    expect(nodes.map((node) => node.peersOf(key).length).toSorted()).toEqual([0, 2]);
    expect([heard(ana), heard(ben)]).toEqual([['ben'], ['ana']]);
    expect([pipesOf(home), pipesOf(other)]).toEqual([[], []]);
  });

  test('that is silent is only replaced where the last time is long ago', async () => {
    for (let time = 0; time < 3; time++) {
      at.visits.report({
        type: 'pipes-silent',
        node: home.id,
        visit: key,
        pipes: sends(home).map(([id]) => id),
      });
      await settled();
      at.clock.advance(120_000);
    }
    for (const page of [ana, ben]) expect(page.payloads('media-lost')).toEqual([]);
  });

  test('that is refused is replaced', async () => {
    const [before] = sends(home);
    home.visits.get(key)?.sends.clear();
    await ana.produce('camera');
    await settled();
    at.clock.advance(RESYNC_MIN_MS * 2);
    await settled();
    const [now] = sends(home);
    expect(now?.[0]).not.toBe(before?.[0]);
    expect(receives(other).map(([id]) => id)).toEqual([now?.[0]]);
    expect(heard(ben)).toEqual(['ana', 'ana']);
  });

  test('goes on when another gateway takes the visit over, with several at its end', async () => {
    const cleo = await enter('cleo');
    const before = pipesOf(home).toSorted();
    const next = createTestVisits({ store: at.store, nodes: new FakeNodes(...nodes) });
    at.store.takeOver(key);
    for (const page of [ana, ben, cleo]) {
      page.drop();
      await page.connect(next.visits);
      await page.resume();
    }
    await settled();
    expect(pipesOf(home).toSorted()).toEqual(before);
    expect([ana, ben, cleo].map(heard)).toEqual([
      ['ben', 'cleo'],
      ['ana', 'cleo'],
      ['ana', 'ben'],
    ]);
    for (const page of [ana, ben, cleo]) expect(page.payloads('media-lost')).toEqual([]);
  });

  test('goes on when another gateway takes the visit over', async () => {
    const before = pipesOf(home).toSorted();
    const next = createTestVisits({ store: at.store, nodes: new FakeNodes(...nodes) });
    at.store.takeOver(key);
    for (const page of [ana, ben]) {
      page.drop();
      await page.connect(next.visits);
      await page.resume();
    }
    await settled();
    expect(pipesOf(home).toSorted()).toEqual(before);
    expect(pipesOf(other).toSorted()).toEqual(before);
    for (const page of [ana, ben]) expect(page.payloads('media-lost')).toEqual([]);
    expect([heard(ana), heard(ben)]).toEqual([['ben'], ['ana']]);
  });
});

describe('while one of its nodes is out of the gateway\u2019s reach', () => {
  let dan: Page;

  beforeEach(async () => {
    home.full = false;
    at.clock.advance(5_001);
    dan = await enter('dan');
  });

  const unlink = (node: FakeNode) => {
    const linked = node.linked.bind(node);
    node.linked = () => [];
    return () => {
      node.linked = linked;
      at.visits.report({ type: 'linked', node: node.linked()[0] as never });
      return settled();
    };
  };

  test('what is decided is done at the others', async () => {
    const relink = unlink(other);
    const calls = home.calls.length;
    const moved = ana
      .command('move', { participantIds: [dan.id], to: { type: 'hold', audio: 'none' } })
      .catch(() => {});
    await settled();
    expect(home.calls.slice(calls)).toContain('apply-plan');
    await relink();
    await moved;
  });

  test('pipes go on, also where the other end is asked anew', async () => {
    const before = [pipesOf(home), pipesOf(other)];
    const relink = unlink(other);
    at.visits.report({ type: 'peers-lost', node: home.id, visit: key, peers: [], pipes: [] });
    await settled();
    expect([pipesOf(home), pipesOf(other)]).toEqual(before);
    await relink();
    expect([pipesOf(home), pipesOf(other)]).toEqual(before);
  });

  test('and is lost, the rest of the visit does as it is told, whether or not other nodes have room', async () => {
    const linked = home.linked.bind(home);
    home.linked = () => linked().map((node) => ({ ...node, state: 'draining' }));
    other.up = false;
    at.visits.report({ type: 'lost', node: other.id });
    at.clock.advance(1);
    await settled();
    expect(ben.payloads('media-lost')).toHaveLength(1);
    const calls = home.calls.length;
    await ana.command('move', {
      participantIds: [dan.id],
      to: { type: 'hold', audio: 'none' },
    });
    expect(home.calls.slice(calls)).toContain('apply-plan');
  });
});

describe('whose page does not reach a node', () => {
  const rejoin = async (page: Page, unreachable: boolean) => {
    page.forgetMedia();
    page.joined = await page.command('join', { rtpCapabilities: { codecs: [] }, unreachable });
    for (const consumer of page.joined.consumers) page.consumers.set(consumer.consumerId, consumer);
    await page.produce('microphone');
    await settled();
  };
  const placed = () => [home, other].map((node) => node.peersOf(key).length);

  beforeEach(() => {
    home.full = false;
    // It is asked again by now.
    at.clock.advance(5_001);
  });

  test('is at another one then, and the rest of the visit where it was', async () => {
    await rejoin(ana, true);
    expect(placed()).toEqual([0, 2]);
    await rejoin(ana, true);
    expect(placed()).toEqual([1, 1]);
    expect([heard(ana), heard(ben)]).toEqual([['ben'], ['ana']]);
    for (const page of [ana, ben]) expect(page.payloads('media-lost')).toEqual([]);
  });

  test('is where it was if there is no other', async () => {
    nodes.splice(nodes.indexOf(other), 1);
    at = createTestVisits({ nodes: new FakeNodes(...nodes) });
    ana = await enter('ana');
    await rejoin(ana, true);
    expect(home.peersOf(key)).toHaveLength(1);
  });

  test('all of them: the visit is elsewhere, and nothing of it where they were', async () => {
    await rejoin(ben, false);
    expect(placed()).toEqual([2, 0]);
    await rejoin(ana, true);
    await rejoin(ben, true);
    expect(placed()).toEqual([0, 2]);
    expect([pipesOf(home), pipesOf(other)]).toEqual([[], []]);
    expect([heard(ana), heard(ben)]).toEqual([['ben'], ['ana']]);
  });
});

describe('when the media at one node is lost', () => {
  test('those who were there join again, and the others go on', async () => {
    const mine = [...ana.consumers.keys()];
    await lost(other);
    expect(ben.payloads('media-lost')).toHaveLength(1);
    expect(ana.payloads('media-lost')).toEqual([]);
    expect(heard(ana)).toEqual([]);
    await again(ben);
    expect([heard(ana), heard(ben)]).toEqual([['ben'], ['ana']]);
    expect([...ana.consumers.keys()]).not.toEqual(mine);
  });

  test('and it was its home, the visit is at home where the rest of it is', async () => {
    await lost(home);
    expect(ana.payloads('media-lost')).toHaveLength(1);
    expect(ben.payloads('media-lost')).toEqual([]);
    expect(at.store.snapshots.get(key)?.media?.node).toBe(other.id);
    await again(ana);
    expect(other.peersOf(key)).toHaveLength(2);
    expect([pipesOf(home), pipesOf(other)]).toEqual([[], []]);
    expect([heard(ana), heard(ben)]).toEqual([['ben'], ['ana']]);
  });

  test('and the node is lost, too, those who were there go elsewhere', async () => {
    other.up = false;
    home.full = false;
    at.visits.report({ type: 'lost', node: other.id });
    at.clock.advance(1);
    await settled();
    expect(ben.payloads('media-lost')).toHaveLength(1);
    await again(ben);
    expect(home.peersOf(key)).toHaveLength(2);
    expect([heard(ana), heard(ben)]).toEqual([['ben'], ['ana']]);
  });
});

test('a spread visit goes to a node that has room for all of it, and nothing of it stays behind', async () => {
  const third = new FakeNode('node-3');
  nodes.push(third);
  const next = createTestVisits({ store: at.store, nodes: new FakeNodes(...nodes) });
  at.store.takeOver(key);
  for (const page of [ana, ben]) {
    page.drop();
    await page.connect(next.visits);
    await page.resume();
  }
  const moved = next.visits.relocate(other.id);
  await settled();
  for (const page of [ana, ben]) {
    const { sendTransport } = await page.command('relocate', { rtpCapabilities: { codecs: [] } });
    await page.command('produce', {
      transportId: sendTransport.transportId,
      source: 'microphone',
      rtpParameters: { codecs: [] },
      paused: false,
    });
    await page.command('relocated', {});
  }
  expect(await moved).toBe(1);
  await settled();
  expect(nodes.map((node) => node.peersOf(key).length)).toEqual([0, 0, 2]);
  expect(nodes.flatMap(pipesOf)).toEqual([]);
});

test('who comes while the visit is on its way to another node does not go there before it', async () => {
  const third = new FakeNode('node-3');
  await ben.command('leave', {});
  ben.drop();
  await settled();
  const next = createTestVisits({ store: at.store, nodes: new FakeNodes(home, third) });
  at.store.takeOver(key);
  ana.drop();
  await ana.connect(next.visits);
  await ana.resume();
  void next.visits.relocate(home.id);
  await settled();
  home.full = 'share';
  const cleo = new Page('cleo', 'provider');
  await cleo.connect(next.visits);
  await cleo.join();
  await settled();
  expect([home, third].map((node) => node.peersOf(key).length)).toEqual([2, 0]);
});
