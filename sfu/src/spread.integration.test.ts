import { type PeerId, PipeId, type ProducerId } from '@bedside/protocol';
import { afterEach, describe, expect, test } from 'vitest';
import type { BedsideNode } from './node.ts';
import {
  arrives,
  join,
  joinShowing,
  joinTalking,
  joinToSend,
  type Scope,
  standStill,
  startTalking,
  staysSilent,
  visitWithTalker,
} from './testing/media.ts';
import {
  closeAll,
  flow,
  metric,
  newProducer,
  newVisit,
  rtpParametersOf,
  startNode,
  TestGateway,
} from './testing.ts';

afterEach(closeAll);

/** Two workers that a visit is soon too large for one of: of a few consumers, they take a visit of two. */
const TWO_SMALL_WORKERS = { BEDSIDE_WORKERS: '2', BEDSIDE_MAX_CONSUMERS_PER_WORKER: '12' };

const GATEWAY = 'gateway';

/** A worker that stands still is not taken for hung, and soon answers too late. */
const STANDS_STILL = { BEDSIDE_WATCHDOG_HUNG_MS: '20000', BEDSIDE_MEDIA_DEADLINE_MS: '300' };

const pipes = (node: BedsideNode) => metric(node, 'bedside_node_pipes');
const piped = (node: BedsideNode) => metric(node, 'bedside_node_piped_producers');
const routers = (node: BedsideNode) => metric(node, 'bedside_node_routers');

async function consumersAt(node: BedsideNode, worker: number): Promise<number> {
  const metric = await node.metrics.registry.getSingleMetric('bedside_node_consumers')?.get();
  return metric?.values.find(({ labels }) => labels.worker === worker)?.value ?? 0;
}

const killWorker = (node: BedsideNode, worker: number) =>
  void process.kill(node.workerPids[worker] ?? -1, 'SIGKILL');

/** Listeners of this one join until the visit is at both workers; the last one is at the second. */
async function spread(node: BedsideNode, gateway: TestGateway, scope: Scope, heard: ProducerId[]) {
  const listeners = [];
  do listeners.push(await join(gateway, scope, heard));
  while ((await routers(node)) < 2);
  return { here: listeners.slice(0, -1), there: listeners.slice(-1) };
}

const first = <T>([one]: readonly T[]): T => {
  if (one === undefined) throw new Error('nobody');
  return one;
};

/** A visit over two workers: who talks, and one who listens, at the first; another who listens at the second. */
async function spreadVisit(env: Record<string, string> = {}) {
  const node = await startNode({ ...TWO_SMALL_WORKERS, ...env });
  const gateway = await TestGateway.link(node, GATEWAY);
  const visit = await visitWithTalker(gateway);
  const { here, there } = await spread(node, gateway, visit.scope, [visit.producerId]);
  return { node, gateway, ...visit, here: first(here), there: first(there) };
}

describe('a visit over two workers', () => {
  test('what is said at one is heard at the other, through one pipe', async () => {
    const { node, here, there } = await spreadVisit();
    await Promise.all([here.connected(), there.connected()]);
    await Promise.all([arrives(here.packets), arrives(there.packets)]);
    expect([await pipes(node), await piped(node)]).toEqual([1, 1]);
  });

  test('nothing crosses any more that nobody there receives, and who leaves last takes the branch along', async () => {
    const { node, gateway, scope, producerId, there } = await spreadVisit();
    const { peer } = there;
    await gateway.call('apply-plan', { ...scope, listeners: [{ peer, flows: [] }] });
    expect([await pipes(node), await piped(node)]).toEqual([1, 0]);
    const { listeners } = await gateway.call('apply-plan', {
      ...scope,
      listeners: [{ peer, flows: [flow(producerId)] }],
    });
    expect(listeners[0]?.added).toHaveLength(1);
    expect([await pipes(node), await piped(node)]).toEqual([1, 1]);
    await gateway.call('close-peer', { ...scope, peer });
    expect([await routers(node), await pipes(node), await piped(node)]).toEqual([1, 0, 0]);
    const { peers } = await gateway.call('describe-visit', scope);
    expect(await metric(node, 'bedside_node_transports')).toBe(peers.length * 2);
  });

  test('a worker that is over full still sends to another node what it did, and less, but no more', async () => {
    const { node, gateway, scope, talker, producerId, here, there } = await spreadVisit();
    const pipe = PipeId.parse('pipe');
    const send = (producers: ProducerId[]) =>
      gateway.call('send-pipe', { ...scope, pipe, producers });
    const { end } = await send([producerId]);
    const more = [];
    while (more.length < 12) {
      const id = newProducer();
      const rtpParameters = rtpParametersOf('audio/opus');
      const microphone = { kind: 'audio', rtpParameters, paused: false, observed: false } as const;
      await gateway.call('produce', { ...scope, peer: talker, producerId: id, ...microphone });
      more.push(id);
    }
    const hear = (peer: PeerId, producers: ProducerId[]) => {
      const flows = [producerId, ...producers].map((id) => flow(id));
      return gateway.call('apply-plan', { ...scope, listeners: [{ peer, flows }] });
    };
    await hear(here.peer, more);
    expect(await consumersAt(node, 0)).toBe(12);
    await hear(there.peer, more.slice(0, 1));
    expect(await consumersAt(node, 0)).toBe(13);
    expect(await send([producerId])).toMatchObject({ end, producers: [{ producerId }] });
    await expect(send([producerId, ...more])).rejects.toMatchObject({ code: 'capacity' });
    expect(await send([])).toEqual({ end, producers: [] });
  });

  test('a pause is one at both workers; who joins in it is told', async () => {
    const { gateway, scope, producerId, there } = await spreadVisit();
    await there.connected();
    await arrives(there.packets);
    await gateway.call('pause-producer', { ...scope, producerId, paused: true });
    await staysSilent(there.packets);
    const { peers } = await gateway.call('describe-visit', scope);
    const all = peers.flatMap(({ consumers }) => consumers);
    expect(all.map(({ producerPaused }) => producerPaused)).toEqual(all.map(() => true));
    await gateway.call('pause-producer', { ...scope, producerId, paused: false });
    await arrives(there.packets);
  });

  test('a producer that is paused when it is first brought there is paused there', async () => {
    const { gateway, scope, there } = await spreadVisit();
    const { talker, producerId } = await joinTalking(gateway, scope);
    await gateway.call('pause-producer', { ...scope, producerId, paused: true });
    const { listeners } = await gateway.call('apply-plan', {
      ...scope,
      listeners: [{ peer: there.peer, flows: [flow(producerId)] }],
    });
    expect(listeners[0]?.added[0]?.producerPaused).toBe(true);
    await gateway.call('close-peer', { ...scope, peer: talker });
    const after = await gateway.call('apply-plan', {
      ...scope,
      listeners: [{ peer: there.peer, flows: [] }],
    });
    expect(after.listeners[0]?.removed).toEqual([listeners[0]?.added[0]?.consumerId]);
  });

  test('all layers of a picture cross, and requests for key frames', async () => {
    const node = await startNode({ ...TWO_SMALL_WORKERS, BEDSIDE_MAX_CONSUMERS_PER_WORKER: '40' });
    const gateway = await TestGateway.link(node);
    const scope = { visit: newVisit(), epoch: 1 };
    const { producerId, keyFramesAskedFor } = await joinShowing(gateway, scope);
    const there = [];
    while (there.length < 3) {
      const before = await consumersAt(node, 1);
      const layer = { maxSpatialLayer: there.length };
      const listener = await join(gateway, scope, [producerId], layer);
      if ((await consumersAt(node, 1)) > before) there.push(listener);
    }
    expect(await piped(node)).toBe(1);
    for (const [layer, listener] of there.entries()) {
      await listener.connected();
      await arrives(() => listener.ofLayer(layer));
      const asked = keyFramesAskedFor();
      await expect
        .poll(() => {
          listener.askForKeyFrame();
          return keyFramesAskedFor();
        })
        .toBeGreaterThan(asked);
    }
  });

  test('who is heard at any worker is reported as the speaker, and silence', async () => {
    let level = 20;
    const node = await startNode(TWO_SMALL_WORKERS);
    const gateway = await TestGateway.link(node);
    const scope = { visit: newVisit(), epoch: 1 };
    const { producerId } = await joinShowing(gateway, scope);
    await spread(node, gateway, scope, [producerId]);
    const talk = () => level;
    const { producerId: other } = await joinTalking(gateway, scope, talk, [producerId]);
    await gateway.hear('speaker', (heard) => heard.producerId === other);
    expect(await piped(node)).toBe(2);
    level = 127;
    await gateway.hear('speaker', (heard) => heard.producerId === null);
  });
});

describe('a worker that dies under a visit', () => {
  test('takes only its own peers: they are named, join again, and are heard', async () => {
    const { node, gateway, scope, producerId, here, there } = await spreadVisit();
    await here.connected();
    killWorker(node, 1);
    expect(await gateway.hear('peers-lost')).toEqual({
      visit: scope.visit,
      peers: [there.peer],
      pipes: [],
    });
    await arrives(here.packets);
    expect([await pipes(node), await piped(node)]).toEqual([0, 0]);
    expect(gateway.heard('visits-lost')).toBe(0);
    const again = await join(gateway, scope, [producerId]);
    await again.connected();
    await arrives(again.packets);
    expect(await metric(node, 'bedside_node_peers_lost_total')).toBe(1);
  });

  test('the home too: another one hears who speaks, and pipes to other nodes are named', async () => {
    const node = await startNode(TWO_SMALL_WORKERS);
    const gateway = await TestGateway.link(node);
    const { scope, producerId, talker } = await visitWithTalker(gateway, () => 127);
    const { here, there } = await spread(node, gateway, scope, [producerId]);
    let level = 127;
    const talk = () => level;
    const { producerId: other } = await joinTalking(gateway, scope, talk, [producerId]);
    await expect.poll(() => piped(node)).toBe(2);
    const pipe = PipeId.parse('pipe');
    await gateway.call('send-pipe', { ...scope, pipe, producers: [producerId, other] });
    killWorker(node, 0);
    const lost = await gateway.hear('peers-lost');
    expect(lost).toEqual({
      visit: scope.visit,
      peers: [talker, ...here.map(({ peer }) => peer)],
      pipes: [pipe],
    });
    level = 20;
    await gateway.hear('speaker', (heard) => heard.producerId === other);
    const left = await gateway.call('describe-visit', scope);
    expect(left.peers.map(({ peer }) => peer)).toEqual(
      expect.arrayContaining(there.map(({ peer }) => peer)),
    );
    expect(left.sends).toEqual([]);
  });

  test('its gateway that is away meanwhile finds the others when it asks, as it does when it is back', async () => {
    const { node, gateway, scope, talker, here, there } = await spreadVisit();
    gateway.socket.disconnect();
    await expect.poll(() => metric(node, 'bedside_node_gateways')).toBe(0);
    killWorker(node, 1);
    await expect.poll(() => metric(node, 'bedside_node_peers_lost_total')).toBe(1);
    const back = await TestGateway.link(node, GATEWAY);
    const { peers } = await back.call('describe-visit', scope);
    const left = peers.map(({ peer }) => peer);
    expect(left).toEqual(expect.arrayContaining([talker, here.peer]));
    expect(left).not.toContain(there.peer);
    expect(back.heard('peers-lost')).toBe(0);
  });

  test('the last one takes the visit', async () => {
    const { node, gateway, scope } = await spreadVisit();
    killWorker(node, 1);
    await gateway.hear('peers-lost');
    killWorker(node, 0);
    expect(await gateway.hear('visits-lost')).toMatchObject({ visits: [scope.visit] });
  });
});

describe('a gateway that knows no visits over several workers', () => {
  const OLD = { spreads: undefined };

  test('has each visit at one worker, and nobody more in it than that one takes', async () => {
    const node = await startNode(TWO_SMALL_WORKERS);
    const gateway = await TestGateway.link(node, GATEWAY, OLD);
    const { scope, producerId } = await visitWithTalker(gateway);
    for (let count = 0; count < 12; count += 1) await join(gateway, scope, [producerId]);
    await expect(join(gateway, scope, [producerId])).rejects.toMatchObject({ code: 'capacity' });
    expect(await routers(node)).toBe(1);
    await visitWithTalker(gateway);
    expect(await routers(node)).toBe(2);
  });

  test('is told that a visit is lost which it took over when it was at several, and one of them dies', async () => {
    const { node, scope } = await spreadVisit();
    const gateway = await TestGateway.link(node, 'old', OLD);
    await gateway.call('describe-visit', { ...scope, epoch: 2 });
    killWorker(node, 1);
    expect(await gateway.hear('visits-lost')).toEqual({
      visits: [scope.visit],
      reason: 'worker-died',
    });
    expect(await metric(node, 'bedside_node_visits')).toBe(0);
    expect(gateway.heard('peers-lost')).toBe(0);
  });
});

describe('bringing producers to another worker', () => {
  test('many who join at once share what is brought, and one pipe', async () => {
    const { node, gateway, scope, producerId } = await spreadVisit({
      BEDSIDE_MAX_CONSUMERS_PER_WORKER: '100',
      BEDSIDE_COMMAND_DEADLINE_MS: '20000',
    });
    const heard = [producerId];
    for (let talkers = 0; talkers < 2; talkers += 1) {
      heard.push((await joinTalking(gateway, scope)).producerId);
    }
    const joined = await Promise.all(Array.from({ length: 16 }, () => join(gateway, scope, heard)));
    expect(joined.map(({ opened }) => opened.consumers.length)).toEqual(joined.map(() => 3));
    expect([await routers(node), await pipes(node), await piped(node)]).toEqual([2, 1, 3]);
  });

  test.each([
    ['with a pipe that is open', 1],
    ['with none yet', 0],
  ])(
    '%s: fails while a worker stands still, is not remembered, and works after',
    async (_, open) => {
      const node = await startNode({
        ...TWO_SMALL_WORKERS,
        ...STANDS_STILL,
      });
      const gateway = await TestGateway.link(node);
      const { scope, producerId } = await visitWithTalker(gateway);
      for (let here = 0; here < 2; here += 1) await join(gateway, scope, [producerId]);
      const nobodys = newProducer();
      const { peer } = await join(gateway, scope, [open ? producerId : nobodys]);
      expect([await routers(node), await pipes(node)]).toEqual([2, open]);
      const { producerId: another } = await joinTalking(gateway, scope);

      const goOn = standStill(node, 1);
      const plan = { ...scope, listeners: [{ peer, flows: [flow(another)] }] };
      const { listeners } = await gateway.call('apply-plan', plan);
      const refused = [{ producerId: another, code: 'media-unavailable' }];
      expect(listeners).toMatchObject([{ added: [], refused }]);
      goOn();
      const added = async () => {
        const { listeners } = await gateway.call('apply-plan', plan);
        return listeners[0]?.added.map((one) => one.producerId);
      };
      await expect.poll(added).toEqual([another]);
      expect([await pipes(node), await piped(node)]).toEqual([1, 1]);
    },
  );

  test('what one worker does not give is refused alone: the rest of the plan is applied', async () => {
    const { node, gateway, scope, talker, producerId, there } = await spreadVisit(STANDS_STILL);
    await there.connected();
    const atHome = newProducer();
    const rtpParameters = rtpParametersOf('audio/opus');
    const microphone = { kind: 'audio', rtpParameters, paused: false, observed: false } as const;
    await gateway.call('produce', { ...scope, peer: talker, producerId: atHome, ...microphone });
    const another = await join(gateway, scope, [producerId]);
    const { producerId: near } = await joinTalking(gateway, scope, () => 20, [producerId]);
    const goOn = standStill(node, 0);
    const flows = [producerId, atHome, near].map((id) => flow(id));
    const plan = {
      ...scope,
      listeners: [there, another].map(({ peer }) => ({ peer, flows })),
    };
    const { listeners } = await gateway.call('apply-plan', plan);
    const refused = [{ producerId: atHome, code: 'media-unavailable' }];
    const each = { added: [{ producerId: near }], refused };
    expect(listeners).toMatchObject([each, each]);
    goOn();
    const again = await gateway.call('apply-plan', plan);
    const brought = { added: [{ producerId: atHome }], refused: [] };
    expect(again.listeners).toMatchObject([brought, brought]);
  });

  test('a microphone opens while the worker that hears who speaks stands still, and is heard there after', async () => {
    const node = await startNode({
      ...TWO_SMALL_WORKERS,
      ...STANDS_STILL,
      BEDSIDE_ORPHAN_MS: '200',
    });
    const gateway = await TestGateway.link(node);
    const scope = { visit: newVisit(), epoch: 1 };
    const { producerId } = await joinShowing(gateway, scope);
    await spread(node, gateway, scope, [producerId]);
    const sender = await joinToSend(gateway, scope, [producerId]);
    const goOn = standStill(node, 0);
    const opened = await startTalking(gateway, scope, sender);
    // By its answer the first attempt to have it heard has failed.
    const pausing = gateway.call('pause-producer', { ...scope, producerId, paused: true });
    await expect(pausing).rejects.toMatchObject({ code: 'media-unavailable' });
    goOn();
    await gateway.hear('speaker', (heard) => heard.producerId === opened);
  });

  test('what goes, goes at once: it does not wait for what is brought', async () => {
    const { node, gateway, scope, producerId, here } = await spreadVisit({
      BEDSIDE_WATCHDOG_HUNG_MS: '20000',
      BEDSIDE_MEDIA_DEADLINE_MS: '20000',
      BEDSIDE_COMMAND_DEADLINE_MS: '20000',
    });
    await here.connected();
    await arrives(here.packets);
    const { producerId: picture } = await joinShowing(gateway, scope, [producerId]);
    const goOn = standStill(node, 1);
    const listeners = [{ peer: here.peer, flows: [flow(picture)] }];
    let isAnswered = false;
    const applying = gateway.call('apply-plan', { ...scope, listeners }).finally(() => {
      isAnswered = true;
    });
    await staysSilent(here.packets);
    expect(isAnswered).toBe(false);
    goOn();
    expect((await applying).listeners).toMatchObject([{ added: [{ producerId: picture }] }]);
  });
});
