import { randomUUID } from 'node:crypto';
import {
  type ControlResponse,
  LIMITS,
  type PeerId,
  PipeId,
  type ProducerId,
  type VisitKey,
} from '@bedside/protocol';
import { afterEach, describe, expect, test } from 'vitest';
import type { BedsideNode } from './node.ts';
import {
  arrives,
  join,
  joinShowing,
  standStill,
  staysSilent,
  visitWithTalker,
} from './testing/media.ts';
import {
  closeAll,
  flow,
  metric,
  newPeer,
  newProducer,
  newVisit,
  rtpCapabilities,
  rtpParametersOf,
  startNode,
  TestGateway,
} from './testing.ts';

afterEach(closeAll);

type Scope = { visit: VisitKey; epoch: number };

const newPipe = () => PipeId.parse(randomUUID());

/** The three calls of a gateway that carry these producers from one node to another. */
async function pipe(
  from: TestGateway,
  to: TestGateway,
  scope: Scope,
  producers: ProducerId[],
  id = newPipe(),
) {
  const sent = await from.call('send-pipe', { ...scope, pipe: id, producers });
  const received = await to.call('receive-pipe', { ...scope, pipe: id, ...sent });
  await from.call('connect-pipe', { ...scope, pipe: id, end: received.end });
  return { id, sent, received };
}

async function twoNodes(env: Record<string, string> = {}) {
  const nodes = await Promise.all([startNode(env), startNode(env)]);
  const [origin, other] = await Promise.all(nodes.map((node) => TestGateway.link(node)));
  if (!origin || !other) throw new Error('no gateway');
  return { nodes, origin, other };
}

/** A visit in which somebody talks at one node and somebody listens at another. */
async function visitOnTwoNodes() {
  const { nodes, origin, other } = await twoNodes();
  const visit = await visitWithTalker(origin);
  const piped = await pipe(origin, other, visit.scope, [visit.producerId]);
  const listener = await join(other, visit.scope, [visit.producerId]);
  await listener.connected();
  await arrives(listener.packets);
  return { nodes, origin, other, ...visit, ...piped, listener };
}

const metrics = (node: BedsideNode | undefined) => {
  if (!node) throw new Error('no node');
  return Promise.all([
    metric(node, 'bedside_node_pipes'),
    metric(node, 'bedside_node_piped_producers'),
  ]);
};

describe('a visit on two nodes', () => {
  test('what is said at one is heard at the other', async () => {
    const { nodes, origin, other, scope, producerId, id } = await visitOnTwoNodes();
    expect(await metrics(nodes[0])).toEqual([1, 0]);
    expect(await metrics(nodes[1])).toEqual([1, 1]);
    const [sender, receiver] = await Promise.all(
      [origin, other].map((gateway) => gateway.call('describe-visit', scope)),
    );
    const listed = [{ pipe: id, producers: [producerId] }];
    expect(sender).toMatchObject({ sends: listed, receives: [] });
    expect(receiver).toMatchObject({ sends: [], receives: listed });
  });

  test('all layers of a picture cross, and requests for key frames', async () => {
    const { origin, other } = await twoNodes();
    const scope = { visit: newVisit(), epoch: 1 };
    const { producerId, keyFramesAskedFor } = await joinShowing(origin, scope);
    await pipe(origin, other, scope, [producerId]);
    for (const layer of [0, 1, 2]) {
      const listener = await join(other, scope, [producerId], { maxSpatialLayer: layer });
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

  test('a pause is one at both nodes', async () => {
    const { origin, other, scope, producerId, id, sent, listener } = await visitOnTwoNodes();
    await origin.call('pause-producer', { ...scope, producerId, paused: true });
    await staysSilent(listener.packets);
    const again = await origin.call('send-pipe', { ...scope, pipe: id, producers: [producerId] });
    expect(again).toEqual({ ...sent, producers: [{ ...sent.producers[0], paused: true }] });
    await other.call('receive-pipe', { ...scope, pipe: id, ...again });
    await origin.call('pause-producer', { ...scope, producerId, paused: false });
    await staysSilent(listener.packets);
    await other.call('pause-producer', { ...scope, producerId, paused: false });
    await arrives(listener.packets);
  });

  test('a pause that got no answer in time is not taken for known: it may still come', async () => {
    const { nodes, origin, other } = await twoNodes({
      BEDSIDE_WATCHDOG_HUNG_MS: '20000',
      BEDSIDE_MEDIA_DEADLINE_MS: '100',
    });
    const { scope, producerId } = await visitWithTalker(origin);
    const { id, sent } = await pipe(origin, other, scope, [producerId]);
    const listener = await join(other, scope, [producerId]);
    await listener.connected();
    const again = () => other.call('receive-pipe', { ...scope, pipe: id, ...sent });
    const goOn = standStill(nodes[1], 0);
    const unavailable = { code: 'media-unavailable' };
    const pausing = other.call('pause-producer', { ...scope, producerId, paused: true });
    await expect(pausing).rejects.toMatchObject(unavailable);
    await expect(again()).rejects.toMatchObject(unavailable);
    goOn();
    await again();
    await arrives(listener.packets);
  });

  test('a repeat changes nothing', async () => {
    const { nodes, origin, other, scope, producerId, id, sent, received, listener } =
      await visitOnTwoNodes();
    expect(await pipe(origin, other, scope, [producerId], id)).toEqual({ id, sent, received });
    expect(await metrics(nodes[1])).toEqual([1, 1]);
    await arrives(listener.packets);
  });

  test('what is not asked for any more does not cross; asked for again, it is a new one', async () => {
    const { origin, other, scope, producerId, id, sent, listener } = await visitOnTwoNodes();
    const none = await origin.call('send-pipe', { ...scope, pipe: id, producers: [] });
    expect(none).toEqual({ end: sent.end, producers: [] });
    await staysSilent(listener.packets);
    await pipe(origin, other, scope, [producerId], id);
    const plan = { ...scope, listeners: [{ peer: listener.peer, flows: [flow(producerId)] }] };
    const { listeners } = await other.call('apply-plan', plan);
    expect(listeners[0]?.added).toHaveLength(1);
    expect(listeners[0]?.removed).toHaveLength(1);
  });

  test('who leaves is not sent any more, and is closed where it was received', async () => {
    const { nodes, origin, other, scope, talker, producerId, id } = await visitOnTwoNodes();
    await origin.call('close-peer', { ...scope, peer: talker });
    const left = await origin.call('send-pipe', { ...scope, pipe: id, producers: [producerId] });
    expect(left.producers).toEqual([]);
    await other.call('close-producer', { ...scope, producerId });
    expect(await metrics(nodes[1])).toEqual([1, 0]);
  });

  test('a pipe that closes takes what came by it; another one brings it again', async () => {
    const { nodes, origin, other, scope, producerId, id, listener } = await visitOnTwoNodes();
    await other.call('close-pipe', { ...scope, pipe: id });
    await staysSilent(listener.packets);
    expect(await metrics(nodes[1])).toEqual([0, 0]);
    await pipe(origin, other, scope, [producerId]);
    await origin.call('close-pipe', { ...scope, pipe: id });
    expect(await metrics(nodes[0])).toEqual([1, 0]);
    const again = await join(other, scope, [producerId]);
    await again.connected();
    await arrives(again.packets);
  });

  test('a node whose worker dies has it all again by a new pipe', async () => {
    const { nodes, origin, other, scope, producerId, id } = await visitOnTwoNodes();
    process.kill(nodes[1]?.workerPids[0] ?? -1, 'SIGKILL');
    expect(await other.hear('visits-lost')).toMatchObject({ visits: [scope.visit] });
    await expect.poll(() => nodes[1]?.workerPids.length).toBe(1);
    await expect(pipe(origin, other, scope, [producerId], id)).rejects.toMatchObject({
      code: 'conflict',
    });
    await other.call('close-pipe', { ...scope, pipe: id });
    await pipe(origin, other, scope, [producerId]);
    const again = await join(other, scope, [producerId]);
    await again.connected();
    await arrives(again.packets);
  });

  test('what goes through a pipe to where nobody is any more is noticed, again and again', async () => {
    const { origin, other } = await twoNodes({ BEDSIDE_PIPE_SILENCE_MS: '400' });
    const { scope, producerId } = await visitWithTalker(origin);
    const { id } = await pipe(origin, other, scope, [producerId]);
    // Its worker says nothing back.
    await other.call('close-pipe', { ...scope, pipe: id });
    expect(await origin.hear('pipes-silent')).toEqual({ visit: scope.visit, pipes: [id] });
    // Who should have heard of it may have been away, or is new.
    await origin.call('describe-visit', { ...scope, epoch: 2 });
    expect(await origin.hear('pipes-silent')).toEqual({ visit: scope.visit, pipes: [id] });
    await origin.call('close-pipe', { ...scope, epoch: 2, pipe: id });
  });

  test('it is closed at a node where only pipes are left of it', async () => {
    const { nodes, origin, other } = await twoNodes({ BEDSIDE_EMPTY_VISIT_MS: '200' });
    const { scope, producerId } = await visitWithTalker(origin);
    await pipe(origin, other, scope, [producerId]);
    await expect.poll(() => metrics(nodes[1])).toEqual([0, 0]);
    expect(await metrics(nodes[0])).toEqual([1, 0]);
  });
});

describe('a pipe', () => {
  test('is not opened to an address that is not listed, whatever it is', async () => {
    const { nodes, origin, other } = await twoNodes({
      BEDSIDE_PIPE_PEERS: '127.0.0.0/8,10.1.0.0/16',
    });
    const { scope, producerId } = await visitWithTalker(origin);
    const id = newPipe();
    const sent = await origin.call('send-pipe', { ...scope, pipe: id, producers: [producerId] });
    const addresses = [
      '10.2.0.1',
      '0.0.0.0',
      '::1',
      '::',
      '192.0.2.1',
      'localhost',
      '255.255.255.255',
    ];
    for (const ip of addresses) {
      const end = { ...sent.end, ip };
      const forbidden = { code: 'forbidden', field: 'end' };
      const connecting = origin.call('connect-pipe', { ...scope, pipe: id, end });
      await expect(connecting).rejects.toMatchObject(forbidden);
      const receiving = other.call('receive-pipe', { ...scope, pipe: newPipe(), ...sent, end });
      await expect(receiving).rejects.toMatchObject(forbidden);
    }
    expect(await metrics(nodes[1])).toEqual([0, 0]);
  });

  test('carries nothing to who has another key', async () => {
    const { origin, other } = await twoNodes();
    const { scope, producerId } = await visitWithTalker(origin);
    const id = newPipe();
    const sent = await origin.call('send-pipe', { ...scope, pipe: id, producers: [producerId] });
    const keyBase64 = Buffer.alloc(44, 1).toString('base64');
    const end = { ...sent.end, srtp: { ...sent.end.srtp, keyBase64 } };
    const received = await other.call('receive-pipe', { ...scope, pipe: id, ...sent, end });
    await origin.call('connect-pipe', { ...scope, pipe: id, end: received.end });
    const listener = await join(other, scope, [producerId]);
    await listener.connected();
    await staysSilent(listener.packets);
    await staysSilent(listener.packets);
    expect(listener.packets()).toBe(0);
    // The right key would have been: nothing but the key was wrong.
    await other.call('close-pipe', { ...scope, pipe: id });
    await pipe(origin, other, scope, [producerId]);
    const again = await join(other, scope, [producerId]);
    await again.connected();
    await arrives(again.packets);
  });

  test('takes no key that is none', async () => {
    const { origin } = await twoNodes();
    const { scope } = await visitWithTalker(origin);
    const id = newPipe();
    const { end } = await origin.call('send-pipe', { ...scope, pipe: id, producers: [] });
    for (const srtp of [
      { ...end.srtp, keyBase64: 'short' },
      { ...end.srtp, cryptoSuite: 'NULL_CIPHER' },
      { ...end.srtp, cryptoSuite: 'AES_CM_128_HMAC_SHA1_80' },
    ]) {
      const connecting = origin.call('connect-pipe', { ...scope, pipe: id, end: { ...end, srtp } });
      await expect(connecting).rejects.toMatchObject({ code: 'invalid-request', field: 'end' });
    }
  });

  test('keeps its other end; one that moved is another pipe', async () => {
    const { origin, other, scope, id, sent, received } = await visitOnTwoNodes();
    const moved = (end: typeof sent.end) => ({
      ...end,
      port: end.port === 65_535 ? 1 : end.port + 1,
    });
    const conflict = { code: 'conflict', field: 'end' };
    const connecting = origin.call('connect-pipe', {
      ...scope,
      pipe: id,
      end: moved(received.end),
    });
    await expect(connecting).rejects.toMatchObject(conflict);
    const again = { ...scope, pipe: id, ...sent, end: moved(sent.end) };
    await expect(other.call('receive-pipe', again)).rejects.toMatchObject(conflict);
  });

  test('brings nothing that the visit has from elsewhere: from a peer, or by another pipe', async () => {
    const { origin, other, scope, producerId, sent, listener } = await visitOnTwoNodes();
    const refused = { code: 'invalid-request', field: 'producers' };
    const twice = other.call('receive-pipe', { ...scope, pipe: newPipe(), ...sent });
    await expect(twice).rejects.toMatchObject(refused);
    const back = origin.call('receive-pipe', { ...scope, pipe: newPipe(), ...sent });
    await expect(back).rejects.toMatchObject(refused);
    await arrives(listener.packets);
    expect(producerId).toBe(sent.producers[0]?.producerId);
  });

  test('has one direction at a node', async () => {
    const { origin, other, scope, id, sent } = await visitOnTwoNodes();
    const wrong = { code: 'invalid-request', field: 'pipe' };
    const sending = other.call('send-pipe', { ...scope, pipe: id, producers: [] });
    await expect(sending).rejects.toMatchObject(wrong);
    const receiving = origin.call('receive-pipe', { ...scope, pipe: id, ...sent, producers: [] });
    await expect(receiving).rejects.toMatchObject(wrong);
  });

  test('is refused to a gateway whose lease has passed', async () => {
    const { nodes, origin, other, scope, producerId, id, sent, received } = await visitOnTwoNodes();
    for (const gateway of [origin, other]) {
      await gateway.call('describe-visit', { ...scope, epoch: 2 });
    }
    const stale = { code: 'stale-epoch' };
    const { end } = received;
    for (const call of [
      origin.call('send-pipe', { ...scope, pipe: id, producers: [producerId] }),
      origin.call('connect-pipe', { ...scope, pipe: id, end }),
      origin.call('close-pipe', { ...scope, pipe: id }),
      other.call('receive-pipe', { ...scope, pipe: id, ...sent }),
    ]) {
      await expect(call).rejects.toMatchObject(stale);
    }
    expect(await metrics(nodes[0])).toEqual([1, 0]);
  });

  test('needs the visit where it begins, and opens it where it ends: not at a node that is drained', async () => {
    const { nodes, origin, other } = await twoNodes();
    const { scope, producerId } = await visitWithTalker(origin);
    const elsewhere = { visit: newVisit(), epoch: 1, pipe: newPipe(), producers: [] };
    await expect(origin.call('send-pipe', elsewhere)).rejects.toMatchObject({
      code: 'not-found',
      field: 'visit',
    });
    await other.socket.timeout(5_000).emitWithAck('drain', { draining: true });
    await expect(pipe(origin, other, scope, [producerId])).rejects.toMatchObject({
      code: 'capacity',
    });
    expect(await metrics(nodes[1])).toEqual([0, 0]);
  });

  test('takes a port of the range that pipes have; none is free: capacity', async () => {
    const node = await startNode({ BEDSIDE_PIPE_PORTS: '47310-47311' });
    const gateway = await TestGateway.link(node);
    const { scope } = await visitWithTalker(gateway);
    const send = () => gateway.call('send-pipe', { ...scope, pipe: newPipe(), producers: [] });
    const ends = [await send(), await send()].map(({ end }) => end.port);
    expect(ends.sort()).toEqual([47_310, 47_311]);
    await expect(send()).rejects.toMatchObject({ code: 'capacity' });
  });

  test('is one of so many of a visit', async () => {
    const gateway = await TestGateway.link(await startNode());
    const { scope } = await visitWithTalker(gateway);
    const send = () => gateway.call('send-pipe', { ...scope, pipe: newPipe(), producers: [] });
    for (let count = 0; count < LIMITS.nodesPerVisit * 2; count += 1) await send();
    await expect(send()).rejects.toMatchObject({ code: 'capacity' });
  });
});

describe('a visit with many consumers', () => {
  /** Twenty who speak and sixty who hear them all, in the order in which they came. */
  async function largeVisit() {
    const gateway = await TestGateway.link(await startNode());
    const scope = { visit: newVisit(), epoch: 1 };
    const talkers: PeerId[] = [];
    const producers: ProducerId[] = [];
    for (let count = 0; count < 20; count += 1) {
      const [peer, producerId] = [newPeer(), newProducer()];
      await gateway.call('open-peer', { ...scope, peer, rtpCapabilities, flows: [] });
      const rtpParameters = rtpParametersOf('audio/opus');
      const microphone = { kind: 'audio', rtpParameters, paused: false, observed: false } as const;
      await gateway.call('produce', { ...scope, peer, producerId, ...microphone });
      talkers.push(peer);
      producers.push(producerId);
    }
    const flows = producers.map((producerId) => flow(producerId));
    const listeners = Array.from({ length: 60 }, () => newPeer());
    for (const peer of listeners)
      await gateway.call('open-peer', { ...scope, peer, rtpCapabilities, flows, lastResort: true });
    return { gateway, scope, talkers, all: [...talkers, ...listeners] };
  }

  type Page = ControlResponse<'describe-visit'>;

  async function* pages(gateway: TestGateway, scope: Scope): AsyncGenerator<Page> {
    for (let from: number | undefined = 0; from !== undefined; ) {
      const page: Page = await gateway.call('describe-visit', { ...scope, from });
      yield page;
      from = page.next;
    }
  }

  const idsOf = ({ peers }: Page) => peers.map(({ peer }) => peer);

  test('is described in pages, whole peers each, every one once', async () => {
    const { gateway, scope, all } = await largeVisit();
    const seen: PeerId[] = [];
    for await (const page of pages(gateway, scope)) {
      const consumers = page.peers.flatMap((peer) => peer.consumers);
      expect(consumers.length).toBeLessThanOrEqual(LIMITS.consumersPerPage);
      expect(page.peers.length).toBeGreaterThan(0);
      expect(page.sends).toEqual(seen.length === 0 ? [] : undefined);
      seen.push(...idsOf(page));
    }
    expect(seen).toEqual(all);
  });

  test('is described in full, also when somebody goes between two pages', async () => {
    const { gateway, scope, talkers, all } = await largeVisit();
    const seen: PeerId[] = [];
    for await (const page of pages(gateway, scope)) {
      const peer = talkers.shift();
      if (peer) await gateway.call('close-peer', { ...scope, peer });
      seen.push(...idsOf(page));
    }
    expect(seen).toEqual(all);
  });

  test('is described in one piece to a gateway that knows no pages', async () => {
    const { gateway, scope, all } = await largeVisit();
    const described = await gateway.call('describe-visit', scope);
    expect(idsOf(described)).toEqual(all);
    expect(described).toMatchObject({ sends: [], receives: [] });
    expect(described.next).toBeUndefined();
  });
});
