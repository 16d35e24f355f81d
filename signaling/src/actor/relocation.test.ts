import {
  BedsideError,
  type ClientEventPayload,
  type ClientRequest,
  type ClientResponse,
  type ConsumerId,
  type ConsumerParameters,
  type MediaSource,
  type ParticipantId,
  type ProducerId,
  type Role,
  type TransportId,
} from '@bedside/protocol';
import { beforeEach, describe, expect, test } from 'vitest';
import { FakeNode, FakeNodes } from '../../test/fake-node.ts';
import { Page } from '../../test/page.ts';
import { createTestVisits, keyOf, settled } from '../../test/visits.ts';

const key = keyOf();

/** A page that follows its visit to another node, step by step, as a test says. */
class Follower extends Page {
  there: ClientResponse<'relocate'> | undefined;
  readonly consumersThere = new Map<ConsumerId, ConsumerParameters>();
  readonly producersThere = new Map<MediaSource, ProducerId>();

  override async sendConsumers(payload: ClientEventPayload<'consumers'>): Promise<boolean> {
    if (payload.recvTransportId === undefined) return super.sendConsumers(payload);
    expect(payload.recvTransportId).toBe(this.there?.recvTransport.transportId);
    this.events.push({ name: 'consumers', payload });
    for (const id of payload.removed) this.consumersThere.delete(id);
    for (const consumer of payload.added) this.consumersThere.set(consumer.consumerId, consumer);
    return true;
  }

  async open(): Promise<void> {
    this.there = await this.command('relocate', { rtpCapabilities: { codecs: [] } });
    for (const consumer of this.there.consumers)
      this.consumersThere.set(consumer.consumerId, consumer);
  }

  async produceThere(source: MediaSource): Promise<void> {
    const { producerId } = await this.command('produce', {
      transportId: this.there?.sendTransport.transportId as TransportId,
      source,
      rtpParameters: { codecs: [] } as unknown as ClientRequest<'produce'>['rtpParameters'],
      paused: false,
    });
    this.producersThere.set(source, producerId);
  }

  /** All of it, but for saying so. */
  async follow(): Promise<void> {
    await this.open();
    for (const source of this.producers.keys()) await this.produceThere(source);
  }

  heardThere(): ParticipantId[] {
    return [...this.consumersThere.values()].map(({ participantId }) => participantId).sort();
  }
}

let from: FakeNode;
let to: FakeNode;
let at: ReturnType<typeof createTestVisits>;
let nodes: FakeNode[];

beforeEach(() => {
  nodes = [new FakeNode('node-1'), new FakeNode('node-2')];
  at = createTestVisits({ nodes: new FakeNodes(...nodes) });
});

async function enter(participant: string, role: Role = 'provider'): Promise<Follower> {
  const page = new Follower(participant, role);
  await page.connect(at.visits);
  await page.join();
  await page.produce('microphone');
  await settled();
  [from, to] = nodes.toSorted(
    (one, other) => other.peersOf(key).length - one.peersOf(key).length,
  ) as [FakeNode, FakeNode];
  return page;
}

const relocating = async () => {
  const moved = at.visits.relocate(from.id);
  await settled();
  return { moved };
};
const pausedAt = (node: FakeNode) =>
  [...(node.visits.get(key)?.peers.values() ?? [])].flatMap(({ producers }) =>
    [...producers.values()].map(({ paused }) => paused),
  );

describe('a relocation', () => {
  test('takes everybody along: nothing ends before all play what comes from there', async () => {
    const [ana, ben] = [await enter('ana'), await enter('ben')];
    const { moved } = await relocating();
    for (const page of [ana, ben]) {
      expect(page.payloads('relocating')).toHaveLength(1);
      await page.follow();
    }
    await settled();
    expect([ana.heardThere(), ben.heardThere()]).toEqual([['ben'], ['ana']]);
    await ana.command('relocated', {});
    await settled();
    expect(from.peersOf(key)).toHaveLength(2);
    expect(ana.payloads('relocation-ended')).toEqual([]);
    await ben.command('relocated', {});
    expect(await moved).toBe(1);
    await settled();
    for (const page of [ana, ben])
      expect(page.payloads('relocation-ended')).toEqual([{ moved: true }]);
    expect(from.peersOf(key)).toEqual([]);
    expect(to.peersOf(key)).toHaveLength(2);
    // It goes on there as it did here.
    await ben.command('pause-producer', {
      producerId: ben.producersThere.get('microphone') as ProducerId,
      paused: true,
    });
    expect(pausedAt(to).toSorted()).toEqual([false, true]);
    expect(ana.payloads('media-lost')).toEqual([]);
  });

  test('takes along who is muted, muted; and who is muted meanwhile, by either of their ids', async () => {
    const [ana, ben] = [await enter('ana'), await enter('ben')];
    await ana.command('pause-producer', {
      producerId: ana.producers.get('microphone') as ProducerId,
      paused: true,
    });
    await relocating();
    await ana.follow();
    await ben.follow();
    expect(pausedAt(to).toSorted()).toEqual([false, true]);
    await ana.command('mute', { participantId: ben.id });
    expect(pausedAt(to)).toEqual([true, true]);
    await ben.command('pause-producer', {
      producerId: ben.producersThere.get('microphone') as ProducerId,
      paused: false,
    });
    await settled();
    expect(pausedAt(from).toSorted()).toEqual([false, true]);
    expect(pausedAt(to).toSorted()).toEqual([false, true]);
  });

  test('keeps walls up on both sides: a move is acknowledged once neither node sends through', async () => {
    const [ana, ben, eve] = [await enter('ana'), await enter('ben'), await enter('eve')];
    await relocating();
    for (const page of [ana, ben, eve]) await page.follow();
    await settled();
    await ana.command('move', { participantIds: [ana.id, ben.id], to: { type: 'room' } });
    const flowsOf = (node: FakeNode) =>
      node
        .peersOf(key)
        .map((peer) => node.peer(key, peer)?.consumers.size)
        .toSorted();
    expect(flowsOf(from)).toEqual(flowsOf(to));
  });

  test('leaves behind who left, and waits for nobody who is gone', async () => {
    const [ana, ben] = [await enter('ana'), await enter('ben')];
    const { moved } = await relocating();
    await ana.follow();
    await ben.follow();
    await ana.command('relocated', {});
    await ben.command('leave', {});
    expect(await moved).toBe(1);
    await settled();
    expect(to.peersOf(key)).toHaveLength(1);
  });

  test('asks a page anew that came back or in meanwhile', async () => {
    const ana = await enter('ana');
    await enter('ben');
    await relocating();
    await ana.follow();
    ana.drop();
    await settled();
    expect(to.peersOf(key)).toEqual([]);
    ana.events.length = 0;
    await ana.connect(at.visits);
    await ana.resume();
    await settled();
    expect(ana.payloads('relocating')).toHaveLength(1);
    const eve = await enter('eve');
    expect(eve.payloads('relocating')).toHaveLength(1);
  });

  test('waits for who may come back: their media goes on', async () => {
    const ana = await enter('ana');
    ana.drop();
    await settled();
    const { moved } = await relocating();
    expect(from.peersOf(key)).toHaveLength(1);
    await ana.connect(at.visits);
    expect(ana.connection?.welcome.resumed).toBe(true);
    await ana.resume();
    await ana.follow();
    await ana.command('relocated', {});
    expect(await moved).toBe(1);
    expect(ana.payloads('media-lost')).toEqual([]);
  });

  test('is over with a visit that empties meanwhile, and nothing of it is left there', async () => {
    const ana = await enter('ana');
    const { moved } = await relocating();
    await ana.follow();
    await ana.command('leave', {});
    expect(await moved).toBe(0);
    await settled();
    expect([...from.peersOf(key), ...to.peersOf(key)]).toEqual([]);
  });

  test('says of which path it speaks also once it has ended, while the pages do not know yet', async () => {
    const [ana, ben] = [await enter('ana'), await enter('ben')];
    await relocating();
    await ana.follow();
    await ben.follow();
    const recorded = Promise.withResolvers<void>();
    at.store.before = () => recorded.promise;
    await ana.command('relocated', {});
    await ben.command('relocated', {});
    const left = ben.command('leave', {});
    await settled();
    expect(ana.payloads('relocation-ended')).toEqual([]);
    expect(ana.heardThere()).toEqual([]);
    recorded.resolve();
    await left;
    expect(ana.payloads('relocation-ended')).toEqual([{ moved: true }]);
  });

  test('takes a source along that was begun again meanwhile', async () => {
    const [ana, ben] = [await enter('ana'), await enter('ben')];
    await ana.produce('screen');
    await relocating();
    await ana.follow();
    await ben.follow();
    await ana.command('close-producer', {
      producerId: ana.producersThere.get('screen') as ProducerId,
    });
    await settled();
    await ana.produce('screen');
    await ana.produceThere('screen');
    await settled();
    expect([...ben.consumersThere.values()].map(({ source }) => source).toSorted()).toEqual([
      'microphone',
      'screen',
    ]);
  });

  test('has who was muted before they are sent from here, too, muted there', async () => {
    const ana = await enter('ana');
    await relocating();
    await ana.follow();
    await ana.produceThere('camera');
    await ana.command('produce', {
      transportId: ana.joined?.sendTransport.transportId as TransportId,
      source: 'camera',
      rtpParameters: { codecs: [] } as unknown as ClientRequest<'produce'>['rtpParameters'],
      paused: true,
    });
    await settled();
    expect(pausedAt(to).toSorted()).toEqual([false, true]);
  });

  test('is known by its ids of before to a page that does not know the new ones yet', async () => {
    const ana = await enter('ana');
    const { moved } = await relocating();
    await ana.follow();
    await ana.command('relocated', {});
    await moved;
    const producerId = ana.producers.get('microphone') as ProducerId;
    await ana.command('pause-producer', { producerId, paused: true });
    expect(pausedAt(to)).toEqual([true]);
  });
});

describe('when its time is up', () => {
  test('a node that takes nobody is no place to go to: the visit stays, at once', async () => {
    const [ana, ben] = [await enter('ana'), await enter('ben')];
    const { moved } = await relocating();
    to.before = async (name) => {
      if (name === 'open-peer') throw new BedsideError('capacity');
    };
    await expect(ana.open()).rejects.toMatchObject({ code: 'capacity' });
    expect(await moved).toBe(0);
    await expect(ben.open()).rejects.toMatchObject({ code: 'not-found' });
    expect([ana, ben].flatMap((page) => page.payloads('media-lost'))).toEqual([]);
  });

  test('who did not follow joins again, where somebody got through', async () => {
    const [ana, ben] = [await enter('ana'), await enter('ben')];
    const { moved } = await relocating();
    await ana.follow();
    await ana.command('relocated', {});
    at.clock.advance(30_000);
    expect(await moved).toBe(1);
    await settled();
    expect(ana.payloads('media-lost')).toEqual([]);
    expect(ben.payloads('media-lost')).toHaveLength(1);
    await ben.join();
    expect([...ben.consumers.values()].map(({ participantId }) => participantId)).toEqual(['ana']);
  });

  test('the visit stays, where nobody got through', async () => {
    const [ana, ben] = [await enter('ana'), await enter('ben')];
    const { moved } = await relocating();
    await ana.follow();
    at.clock.advance(30_000);
    expect(await moved).toBe(0);
    await settled();
    expect(ana.payloads('relocation-ended')).toEqual([{ moved: false }]);
    expect([ana, ben].flatMap((page) => page.payloads('media-lost'))).toEqual([]);
    expect([from.peersOf(key).length, to.peersOf(key).length]).toEqual([2, 0]);
  });

  test('pages that know nothing of relocations join again', async () => {
    const ana = await enter('ana');
    const { moved } = await relocating();
    at.clock.advance(30_000);
    expect(await moved).toBe(0);
    await settled();
    expect(ana.payloads('media-lost')).toHaveLength(1);
    expect(from.peersOf(key)).toEqual([]);
    await ana.join();
  });
});

describe('a fault meanwhile', () => {
  const lose = (node: FakeNode) => {
    node.lose();
    at.visits.report({
      type: 'visits-lost',
      node: node.id,
      visits: [key],
      reason: 'worker-died',
    });
  };

  test('of the new node leaves the visit where it is', async () => {
    const [ana, ben] = [await enter('ana'), await enter('ben')];
    const { moved } = await relocating();
    await ana.follow();
    lose(to);
    expect(await moved).toBe(0);
    expect(ana.payloads('relocation-ended')).toEqual([{ moved: false }]);
    expect([ana, ben].flatMap((page) => page.payloads('media-lost'))).toEqual([]);
  });

  test('of the new node’s link leaves the visit where it is', async () => {
    const ana = await enter('ana');
    await enter('ben');
    const { moved } = await relocating();
    await ana.follow();
    await ana.command('relocated', {});
    to.up = false;
    at.visits.report({ type: 'lost', node: to.id });
    at.clock.advance(1);
    expect(await moved).toBe(0);
    expect(ana.payloads('relocation-ended')).toEqual([{ moved: false }]);
  });

  test('of Redis keeps the visit from going: nobody would know where it went', async () => {
    const ana = await enter('ana');
    at.store.goAway();
    const { moved } = await relocating();
    expect(await moved).toBe(0);
    expect(ana.payloads('relocating')).toEqual([]);
  });

  test('of the old node ends the relocation with who is there', async () => {
    const [ana, ben] = [await enter('ana'), await enter('ben')];
    const { moved } = await relocating();
    await ana.follow();
    lose(from);
    expect(await moved).toBe(1);
    await settled();
    expect(ana.payloads('relocation-ended')).toEqual([{ moved: true }]);
    expect(ben.payloads('media-lost')).toHaveLength(1);
  });

  test('of the gateway leaves the visit where it was, for the next one', async () => {
    const ana = await enter('ana');
    await relocating();
    await ana.follow();
    await at.visits.stop(1_000);
    const next = createTestVisits({ store: at.store, nodes: new FakeNodes(...nodes) });
    await ana.connect(next.visits);
    expect(ana.connection?.welcome.resumed).toBe(true);
    await settled();
    expect([from.peersOf(key).length, to.peersOf(key).length]).toEqual([1, 0]);
  });

  test('of the gateway without a word: the next one closes what is there, and shuts the old one out', async () => {
    const ana = await enter('ana');
    await relocating();
    await ana.follow();
    // Killed: it does and says nothing more, and its lease is taken.
    const next = createTestVisits({ store: at.store, nodes: new FakeNodes(...nodes) });
    await ana.connect(next.visits);
    await settled();
    expect([from.peersOf(key).length, to.peersOf(key).length]).toEqual([1, 0]);
    expect(to.visits.get(key)?.epoch).toBe(at.store.leases.get(key));
    expect(at.store.snapshots.get(key)?.arriving).toBeUndefined();
  });
});

test('without another node nothing moves, and nobody is told', async () => {
  nodes.pop();
  at = createTestVisits({ nodes: new FakeNodes(...nodes) });
  const ana = await enter('ana');
  const { moved } = await relocating();
  expect(await moved).toBe(0);
  expect(ana.payloads('relocating')).toEqual([]);
});
