import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import process from 'node:process';
import { CONTROL_AUDIENCE, type ControlCommandName, LIMITS } from '@bedside/protocol';
import { afterEach, describe, expect, test } from 'vitest';
import {
  closeAll,
  connect,
  dtlsParameters,
  flow,
  handshake,
  metric,
  newPeer,
  newProducer,
  newVisit,
  open,
  rtpCapabilities,
  rtpParametersOf,
  startNode,
  TestGateway,
} from './testing.ts';

afterEach(closeAll);

/** A visit with one peer that sends a camera and a microphone. */
async function visitWithSender(gateway: TestGateway, epoch = 1) {
  const scope = { visit: newVisit(), epoch };
  const sender = newPeer();
  await gateway.call('open-peer', { ...scope, peer: sender, rtpCapabilities, flows: [] });
  const camera = newProducer();
  const microphone = newProducer();
  const common = { ...scope, peer: sender, paused: false };
  await gateway.call('produce', {
    ...common,
    producerId: camera,
    kind: 'video',
    rtpParameters: rtpParametersOf('video/VP8'),
    observed: false,
  });
  await gateway.call('produce', {
    ...common,
    producerId: microphone,
    kind: 'audio',
    rtpParameters: rtpParametersOf('audio/opus'),
    observed: true,
  });
  return { scope, sender, camera, microphone };
}

describe('control link', () => {
  test('begins with a welcome that names the node, its capabilities and load', async () => {
    const node = await startNode({ BEDSIDE_NODE_ID: 'node-a', BEDSIDE_REGION: 'here' });
    const gateway = new TestGateway(connect(node, await handshake('g')));
    const welcome = await gateway.hear('welcome');
    expect(welcome).toMatchObject({ nodeId: 'node-a', region: 'here', state: 'ready', version: 1 });
    expect(welcome.rtpCapabilities.codecs.length).toBeGreaterThan(0);
    expect(welcome.load.workers).toHaveLength(1);
  });

  test('reports its load regularly', async () => {
    const node = await startNode({ BEDSIDE_LOAD_INTERVAL_MS: '50' });
    const gateway = await TestGateway.link(node);
    const { state, load } = await gateway.hear('load');
    expect(state).toBe('ready');
    expect(load.workers[0]?.memoryBytes).toBeGreaterThan(0);
  });

  const hexSecret = '0'.repeat(40);
  test.each<[string, () => object | Promise<object>, string]>([
    ['a token of another secret', () => handshake('g', { secret: hexSecret }), 'unauthorized'],
    ['a token for another audience', () => handshake('g', { audience: 'bedside' }), 'unauthorized'],
    ['a token of another gateway', () => handshake('g', { issuer: 'h' }), 'unauthorized'],
    ['a token of another algorithm', () => handshake('g', { algorithm: 'HS512' }), 'unauthorized'],
    ['a token that expired', () => handshake('g', { lifetime: '-5m' }), 'unauthorized'],
    ['a token that lives too long', () => handshake('g', { lifetime: '1h' }), 'unauthorized'],
    ['a token without signature', () => ({ token: unsignedToken('g') }), 'unauthorized'],
    ['no token', () => ({ token: undefined }), 'invalid-request'],
    [
      'a protocol of the future',
      () => ({ versions: { min: 900, max: 901 } }),
      'unsupported-version',
    ],
  ])('refuses %s, and goes on', async (_, change, code) => {
    const node = await startNode();
    const socket = connect(node, { ...(await handshake('g')), ...(await change()) });
    const [error] = (await once(socket as unknown as NodeJS.EventEmitter, 'connect_error')) as [
      Error & { data?: unknown },
    ];
    expect(error.data).toMatchObject({ code });
    await TestGateway.link(node);
  });

  test('a message that is too large ends its link, and no other', async () => {
    const node = await startNode();
    const other = await TestGateway.link(node);
    const { scope, sender } = await visitWithSender(other);
    const gateway = await TestGateway.link(node);
    const closed = once(gateway.socket as unknown as NodeJS.EventEmitter, 'disconnect');
    const visit = 'v'.repeat(LIMITS.controlMessageBytes);
    gateway.socket.emit('close-visit', { visit, epoch: 1 });
    await closed;
    const { peers } = await other.call('describe-visit', scope);
    expect(peers.map(({ peer }) => peer)).toEqual([sender]);
  });

  test('is a WebSocket, never polled', async () => {
    const node = await startNode();
    const url = node.address.control.replace('ws:', 'http:');
    const polled = await fetch(`${url}/socket.io/?EIO=4&transport=polling`);
    expect(polled.status).toBe(400);
  });

  test('answers an unknown command', async () => {
    const gateway = await TestGateway.link(await startNode());
    const answer: unknown = await gateway.socket.timeout(5_000).emitWithAck('constructor', {});
    expect(answer).toMatchObject({ ok: false, error: { code: 'unknown-command' } });
  });

  test.each<[string, ControlCommandName, unknown, string]>([
    ['no payload', 'close-visit', undefined, '(root)'],
    ['a missing epoch', 'close-visit', { visit: 'v' }, 'epoch'],
    ['an epoch below zero', 'close-visit', { visit: 'v', epoch: -1 }, 'epoch'],
    ['a visit with a space', 'close-visit', { visit: 'a b', epoch: 1 }, 'visit'],
    [
      'a codec without a clock',
      'open-peer',
      {
        visit: 'v',
        epoch: 1,
        peer: 'p',
        flows: [],
        rtpCapabilities: { codecs: [{ kind: 'audio', mimeType: 'audio/opus' }] },
      },
      'rtpCapabilities.codecs.0.clockRate',
    ],
    [
      'a priority of 0',
      'apply-plan',
      {
        visit: 'v',
        epoch: 1,
        listeners: [{ peer: 'p', flows: [{ producerId: 'x', paused: false, priority: 0 }] }],
      },
      'listeners.0.flows.0.priority',
    ],
  ])('names the wrong field: %s', async (_, name, payload, field) => {
    const gateway = await TestGateway.link(await startNode());
    const answer: unknown = await gateway.socket.timeout(5_000).emitWithAck(name, payload);
    expect(answer).toMatchObject({ ok: false, error: { code: 'invalid-request', field } });
    await gateway.call('close-visit', { visit: newVisit(), epoch: 1 });
  });
});

describe('visit', () => {
  test('open-peer gives both transports and all planned consumers', async () => {
    const gateway = await TestGateway.link(await startNode());
    const { scope, camera, microphone } = await visitWithSender(gateway);
    const answer = await gateway.call('open-peer', {
      ...scope,
      peer: newPeer(),
      rtpCapabilities,
      flows: [flow(microphone), flow(camera)],
    });
    expect(answer.consumers.map(({ producerId, kind }) => ({ producerId, kind }))).toEqual([
      { producerId: microphone, kind: 'audio' },
      { producerId: camera, kind: 'video' },
    ]);
    expect(answer.refused).toEqual([]);
    expect(answer.sendTransport.transportId).not.toBe(answer.recvTransport.transportId);
    const protocols = answer.recvTransport.iceCandidates.map(({ protocol }) => protocol);
    expect(new Set(protocols)).toEqual(new Set(['udp', 'tcp']));
  });

  test('media is offered by UDP and TCP on every address, as browsers reach it', async () => {
    const node = await startNode({
      BEDSIDE_MEDIA_LISTEN_IP: '127.0.0.1,127.0.0.2',
      BEDSIDE_MEDIA_ANNOUNCED_ADDRESS: '192.0.2.10,media.clinic.example',
    });
    const gateway = await TestGateway.link(node);
    const { sendTransport } = await gateway.call('open-peer', {
      visit: newVisit(),
      epoch: 1,
      peer: newPeer(),
      rtpCapabilities,
      flows: [],
    });
    const offered = sendTransport.iceCandidates.map(({ address, protocol }) => [address, protocol]);
    expect(offered).toEqual([
      ['192.0.2.10', 'udp'],
      ['192.0.2.10', 'tcp'],
      ['media.clinic.example', 'udp'],
      ['media.clinic.example', 'tcp'],
    ]);
    const priorities = sendTransport.iceCandidates.map(({ priority }) => priority);
    expect(priorities.toSorted((a, b) => b - a)[0]).toBe(priorities[0]);
  });

  const hasIPv6 = Object.values(networkInterfaces()).some((addresses) =>
    addresses?.some(({ address }) => address === '::1'),
  );
  test.skipIf(!hasIPv6)('IPv4 and IPv6 share a port, on every interface, too', async () => {
    const free = createServer().listen(0, '127.0.0.1');
    await once(free, 'listening');
    const { port } = free.address() as AddressInfo;
    free.close();
    await once(free, 'close');
    const node = await startNode({
      BEDSIDE_MEDIA_PORT: String(port),
      BEDSIDE_MEDIA_LISTEN_IP: '0.0.0.0,::',
      BEDSIDE_MEDIA_ANNOUNCED_ADDRESS: '127.0.0.1,::1',
    });
    const gateway = await TestGateway.link(node);
    const { recvTransport } = await gateway.call('open-peer', {
      visit: newVisit(),
      epoch: 1,
      peer: newPeer(),
      rtpCapabilities,
      flows: [],
    });
    const offered = recvTransport.iceCandidates.map((one) => `${one.address} ${one.port}`);
    expect(new Set(offered)).toEqual(new Set([`127.0.0.1 ${port}`, `::1 ${port}`]));
  });

  test('the same command twice changes nothing', async () => {
    const node = await startNode();
    const gateway = await TestGateway.link(node);
    const { scope, sender, camera } = await visitWithSender(gateway);
    const listener = newPeer();
    const join = { ...scope, peer: listener, rtpCapabilities, flows: [flow(camera)] };
    const first = await gateway.call('open-peer', join);
    const described = await gateway.call('describe-visit', scope);

    expect(await gateway.call('open-peer', join)).toEqual(first);
    const plan = { ...scope, listeners: [{ peer: listener, flows: [flow(camera)] }] };
    expect(await gateway.call('apply-plan', plan)).toEqual({
      listeners: [{ peer: listener, added: [], removed: [], refused: [] }],
    });
    const produce = {
      ...scope,
      peer: sender,
      producerId: camera,
      kind: 'video',
      rtpParameters: rtpParametersOf('video/VP8'),
      paused: false,
      observed: false,
    } as const;
    await gateway.call('produce', produce);
    const connecting = {
      ...scope,
      peer: listener,
      transportId: first.recvTransport.transportId,
      dtlsParameters: dtlsParameters(),
    };
    await gateway.call('connect-transport', connecting);
    await gateway.call('connect-transport', connecting);
    expect(await gateway.call('describe-visit', scope)).toEqual(described);
    expect(await metric(node, 'bedside_node_transports')).toBe(4);
    expect(await metric(node, 'bedside_node_consumers')).toBe(1);

    const pause = { ...scope, producerId: camera, paused: true };
    await gateway.call('pause-producer', pause);
    await gateway.call('pause-producer', pause);
    for (const _ of [1, 2]) await gateway.call('close-producer', { ...scope, producerId: camera });
    for (const _ of [1, 2]) await gateway.call('close-peer', { ...scope, peer: sender });
    for (const _ of [1, 2]) await gateway.call('close-visit', scope);
    expect(await metric(node, 'bedside_node_routers')).toBe(0);
  });

  test('other DTLS parameters for a transport that has its own are refused', async () => {
    const gateway = await TestGateway.link(await startNode());
    const { scope, sender } = await visitWithSender(gateway);
    const { peers } = await gateway.call('describe-visit', scope);
    const transportId = peers[0]?.sendTransportId;
    if (!transportId) throw new Error('no transport');
    const target = { ...scope, peer: sender, transportId };
    await gateway.call('connect-transport', { ...target, dtlsParameters: dtlsParameters('AA') });
    await expect(
      gateway.call('connect-transport', { ...target, dtlsParameters: dtlsParameters('BB') }),
    ).rejects.toMatchObject({ code: 'invalid-request', field: 'dtlsParameters' });
  });

  test('restart-ice gives new credentials', async () => {
    const gateway = await TestGateway.link(await startNode());
    const scope = { visit: newVisit(), epoch: 1 };
    const peer = newPeer();
    const opened = await gateway.call('open-peer', { ...scope, peer, rtpCapabilities, flows: [] });
    const { transportId, iceParameters } = opened.sendTransport;
    const restarted = await gateway.call('restart-ice', { ...scope, peer, transportId });
    expect(restarted.iceParameters.usernameFragment).not.toBe(iceParameters.usernameFragment);
  });

  test('a plan adds, keeps and closes consumers until they are those of the plan', async () => {
    const gateway = await TestGateway.link(await startNode());
    const { scope, camera, microphone } = await visitWithSender(gateway);
    const listener = newPeer();
    const { consumers } = await gateway.call('open-peer', {
      ...scope,
      peer: listener,
      rtpCapabilities,
      flows: [flow(camera)],
    });
    const {
      listeners: [result],
    } = await gateway.call('apply-plan', {
      ...scope,
      listeners: [{ peer: listener, flows: [flow(microphone, { priority: 200, paused: true })] }],
    });
    expect(result?.added.map(({ producerId }) => producerId)).toEqual([microphone]);
    expect(result?.removed).toEqual(consumers.map(({ consumerId }) => consumerId));
  });

  test('the consumers of a producer that was closed are named as removed by the next plan, once', async () => {
    const gateway = await TestGateway.link(await startNode());
    const { scope, camera } = await visitWithSender(gateway);
    const listener = newPeer();
    const { consumers } = await gateway.call('open-peer', {
      ...scope,
      peer: listener,
      rtpCapabilities,
      flows: [flow(camera)],
    });
    await gateway.call('close-producer', { ...scope, producerId: camera });
    const plan = { ...scope, listeners: [{ peer: listener, flows: [] }] };
    const first = await gateway.call('apply-plan', plan);
    expect(first.listeners[0]?.removed).toEqual(consumers.map(({ consumerId }) => consumerId));
    const second = await gateway.call('apply-plan', plan);
    expect(second.listeners[0]?.removed).toEqual([]);
  });

  test('a producer that is not there is refused alone', async () => {
    const gateway = await TestGateway.link(await startNode());
    const { scope, camera } = await visitWithSender(gateway);
    const missing = newProducer();
    const answer = await gateway.call('open-peer', {
      ...scope,
      peer: newPeer(),
      rtpCapabilities,
      flows: [flow(missing), flow(camera)],
    });
    expect(answer.refused).toEqual([{ producerId: missing, code: 'not-found' }]);
    expect(answer.consumers).toHaveLength(1);
  });

  test('a listener without the codec is refused that flow alone', async () => {
    const gateway = await TestGateway.link(await startNode());
    const { scope, camera, microphone } = await visitWithSender(gateway);
    const answer = await gateway.call('open-peer', {
      ...scope,
      peer: newPeer(),
      rtpCapabilities: {
        ...rtpCapabilities,
        codecs: rtpCapabilities.codecs.filter(({ kind }) => kind === 'audio'),
      },
      flows: [flow(camera), flow(microphone)],
    });
    expect(answer.refused).toEqual([{ producerId: camera, code: 'media-unsupported' }]);
    expect(answer.consumers.map(({ producerId }) => producerId)).toEqual([microphone]);
  });

  test('no codec in common: media-unsupported, and no transport is left open', async () => {
    const node = await startNode();
    const gateway = await TestGateway.link(node);
    await expect(
      gateway.call('open-peer', {
        visit: newVisit(),
        epoch: 1,
        peer: newPeer(),
        rtpCapabilities: { codecs: [] },
        flows: [],
      }),
    ).rejects.toMatchObject({ code: 'media-unsupported' });
    expect(await metric(node, 'bedside_node_transports')).toBe(0);
  });

  test('a codec that routers do not know: media-unsupported', async () => {
    const gateway = await TestGateway.link(await startNode());
    const { scope, sender } = await visitWithSender(gateway);
    await expect(
      gateway.call('produce', {
        ...scope,
        peer: sender,
        producerId: newProducer(),
        kind: 'video',
        rtpParameters: {
          mid: 'x',
          codecs: [{ mimeType: 'video/theora', payloadType: 120, clockRate: 90_000 }],
          encodings: [{ ssrc: 5 }],
        },
        paused: false,
        observed: false,
      }),
    ).rejects.toMatchObject({ code: 'media-unsupported' });
  });

  test('RTP parameters that contradict what is there already are the sender\u2019s fault', async () => {
    const gateway = await TestGateway.link(await startNode());
    const { scope, sender } = await visitWithSender(gateway);
    const rtpParameters = rtpParametersOf('video/VP8');
    const produce = {
      ...scope,
      peer: sender,
      kind: 'video',
      rtpParameters,
      paused: false,
      observed: false,
    } as const;
    await gateway.call('produce', { ...produce, producerId: newProducer() });
    await expect(
      gateway.call('produce', { ...produce, producerId: newProducer() }),
    ).rejects.toMatchObject({ code: 'invalid-request', field: 'rtpParameters' });
  });

  test('unknown visits, peers and producers are not found', async () => {
    const gateway = await TestGateway.link(await startNode());
    const { scope } = await visitWithSender(gateway);
    const nowhere = { visit: newVisit(), epoch: 1 };
    const producerId = newProducer();
    const peer = newPeer();
    const notFound = { code: 'not-found' };
    await expect(
      gateway.call('pause-producer', { ...nowhere, producerId, paused: true }),
    ).rejects.toMatchObject(notFound);
    await expect(
      gateway.call('pause-producer', { ...scope, producerId, paused: true }),
    ).rejects.toMatchObject(notFound);
    await expect(
      gateway.call('start-consumers', { ...scope, peer, consumerIds: [] }),
    ).rejects.toMatchObject(notFound);
    await expect(
      gateway.call('apply-plan', { ...scope, listeners: [{ peer, flows: [] }] }),
    ).rejects.toMatchObject(notFound);
  });

  test('commands of one visit sent at once are carried out in their order', async () => {
    const gateway = await TestGateway.link(await startNode());
    const scope = { visit: newVisit(), epoch: 1 };
    const sender = newPeer();
    const listener = newPeer();
    const producerId = newProducer();
    const answers = await Promise.all([
      gateway.call('open-peer', { ...scope, peer: sender, rtpCapabilities, flows: [] }),
      gateway.call('open-peer', { ...scope, peer: listener, rtpCapabilities, flows: [] }),
      gateway.call('produce', {
        ...scope,
        peer: sender,
        producerId,
        kind: 'audio',
        rtpParameters: rtpParametersOf('audio/opus'),
        paused: false,
        observed: true,
      }),
      gateway.call('apply-plan', {
        ...scope,
        listeners: [{ peer: listener, flows: [flow(producerId)] }],
      }),
    ]);
    expect(answers[3].listeners[0]?.added).toHaveLength(1);
  });

  test('what a page asks of consumers whose producer has just closed is passed over', async () => {
    const gateway = await TestGateway.link(await startNode());
    const { scope, camera } = await visitWithSender(gateway);
    const listener = { ...scope, peer: newPeer() };
    const { consumers } = await gateway.call('open-peer', {
      ...listener,
      rtpCapabilities,
      flows: [flow(camera)],
    });
    const consumerIds = consumers.map(({ consumerId }) => consumerId);
    const preferences = consumerIds.map((consumerId) => ({ consumerId, paused: true }));
    // Sent at once: the worker closes the consumer before it hears of its settings.
    const [, , plan] = await Promise.all([
      gateway.call('close-producer', { ...scope, producerId: camera }),
      gateway.call('prefer-consumers', { ...listener, preferences }),
      gateway.call('apply-plan', { ...scope, listeners: [{ peer: listener.peer, flows: [] }] }),
      gateway.call('start-consumers', { ...listener, consumerIds }),
    ]);
    expect(plan.listeners[0]?.removed).toEqual(consumerIds);
  });

  test('200 joins and leaves leave nothing open', async () => {
    const node = await startNode();
    const gateway = await TestGateway.link(node);
    const { scope, camera, microphone } = await visitWithSender(gateway);
    for (let round = 0; round < 20; round += 1) {
      const peers = Array.from({ length: 10 }, newPeer);
      await Promise.all(
        peers.map((peer) =>
          gateway.call('open-peer', {
            ...scope,
            peer,
            rtpCapabilities,
            flows: [flow(camera), flow(microphone)],
          }),
        ),
      );
      await Promise.all(peers.map((peer) => gateway.call('close-peer', { ...scope, peer })));
    }
    expect(await metric(node, 'bedside_node_transports')).toBe(2);
    expect(await metric(node, 'bedside_node_consumers')).toBe(0);
    await gateway.call('close-visit', scope);
    expect(await metric(node, 'bedside_node_transports')).toBe(0);
    expect(await metric(node, 'bedside_node_producers')).toBe(0);
  });
});

describe('fencing', () => {
  test('a lower epoch is refused, also after the visit was closed', async () => {
    const node = await startNode();
    const old = await TestGateway.link(node);
    const owner = await TestGateway.link(node);
    const { scope, sender } = await visitWithSender(old, 5);
    const stale = { code: 'stale-epoch' };
    const { peers } = await owner.call('describe-visit', { ...scope, epoch: 6 });
    expect(peers.map(({ peer }) => peer)).toEqual([sender]);
    await expect(old.call('close-visit', scope)).rejects.toMatchObject(stale);
    await owner.call('close-visit', { ...scope, epoch: 6 });
    await expect(
      old.call('open-peer', { ...scope, peer: newPeer(), rtpCapabilities, flows: [] }),
    ).rejects.toMatchObject(stale);
    expect(await metric(node, 'bedside_node_epoch_refusals_total')).toBe(2);
  });
});

describe('ownership', () => {
  test('of two gateways with the same epoch, the first has the visit', async () => {
    const node = await startNode();
    const first = await TestGateway.link(node);
    const second = await TestGateway.link(node);
    const { scope, sender } = await visitWithSender(first);
    await expect(second.call('close-peer', { ...scope, peer: sender })).rejects.toMatchObject({
      code: 'stale-epoch',
    });
    const { peers } = await first.call('describe-visit', scope);
    expect(peers.map(({ peer }) => peer)).toEqual([sender]);
  });

  test('events go over the link that a gateway has now, before it says anything there', async () => {
    const node = await startNode();
    const cut = await TestGateway.link(node, 'gateway-cut');
    const { scope } = await visitWithSender(cut);
    // Back before the node has noticed that the old link is dead.
    const back = await TestGateway.link(node, 'gateway-cut');
    cut.socket.disconnect();
    await expect.poll(() => metric(node, 'bedside_node_gateways')).toBe(1);
    process.kill(node.workerPids[0] ?? -1, 'SIGKILL');
    expect((await back.hear('visits-lost')).visits).toEqual([scope.visit]);
  });

  test('events go over the link that a gateway still has, when its latest one ends', async () => {
    const node = await startNode();
    const lasting = await TestGateway.link(node, 'gateway-twice');
    const { scope } = await visitWithSender(lasting);
    const short = await TestGateway.link(node, 'gateway-twice');
    short.socket.disconnect();
    await expect.poll(() => metric(node, 'bedside_node_gateways')).toBe(1);
    process.kill(node.workerPids[0] ?? -1, 'SIGKILL');
    expect((await lasting.hear('visits-lost')).visits).toEqual([scope.visit]);
  });

  test('what was lost without its owner is no news for the next one', async () => {
    const node = await startNode();
    const away = await TestGateway.link(node, 'gateway-away');
    const { scope } = await visitWithSender(away);
    away.socket.disconnect();
    await expect.poll(() => metric(node, 'bedside_node_gateways')).toBe(0);
    process.kill(node.workerPids[0] ?? -1, 'SIGKILL');
    await expect.poll(() => metric(node, 'bedside_node_visits_lost_total')).toBe(1);
    const owner = await TestGateway.link(node, 'gateway-owner');
    const taken = { ...scope, epoch: 2 };
    expect(await owner.call('describe-visit', taken)).toEqual({ peers: [] });
    for (const gatewayId of ['gateway-away', 'gateway-owner']) {
      const back = await TestGateway.link(node, gatewayId);
      await back.call('describe-visit', { visit: newVisit(), epoch: 1 });
      expect(back.heard('visits-lost')).toBe(0);
    }
  });
});

describe('limits', () => {
  test('a full worker answers capacity, and what is there stays', async () => {
    const gateway = await TestGateway.link(
      await startNode({ BEDSIDE_MAX_CONSUMERS_PER_WORKER: '2' }),
    );
    const { scope, camera, microphone } = await visitWithSender(gateway);
    const flows = [flow(camera), flow(microphone)];
    const join = { ...scope, rtpCapabilities, flows, lastResort: true };
    await gateway.call('open-peer', { ...join, peer: newPeer() });
    await expect(gateway.call('open-peer', { ...join, peer: newPeer() })).rejects.toMatchObject({
      code: 'capacity',
    });
    const { peers } = await gateway.call('describe-visit', scope);
    expect(peers).toHaveLength(2);
  });

  test('a full worker stays within its limit when several listeners ask at once', async () => {
    const node = await startNode({ BEDSIDE_MAX_CONSUMERS_PER_WORKER: '2' });
    const gateway = await TestGateway.link(node);
    const { scope, camera } = await visitWithSender(gateway);
    const peers = Array.from({ length: 4 }, () => newPeer());
    for (const peer of peers)
      await gateway.call('open-peer', { ...scope, peer, rtpCapabilities, flows: [] });
    const plan = peers.map((peer) => ({ peer, flows: [flow(camera)] }));
    const { listeners } = await gateway.call('apply-plan', { ...scope, listeners: plan });
    const refused = listeners.flatMap((listener) => listener.refused);
    expect(refused).toEqual(
      Array.from({ length: 2 }, () => ({ producerId: camera, code: 'capacity' })),
    );
    expect(await metric(node, 'bedside_node_consumers')).toBe(2);
  });

  test('a visit without a peer is closed after its time', async () => {
    const node = await startNode({ BEDSIDE_EMPTY_VISIT_MS: '100' });
    const gateway = await TestGateway.link(node);
    const { scope, sender } = await visitWithSender(gateway);
    await gateway.call('close-peer', { ...scope, peer: sender });
    await expect.poll(() => metric(node, 'bedside_node_visits'), { timeout: 10_000 }).toBe(0);
    expect(await metric(node, 'bedside_node_routers')).toBe(0);
  });

  test('a visit that everybody has left for another node is closed after that time, though nobody says so', async () => {
    const node = await startNode({ BEDSIDE_EMPTY_VISIT_MS: '100' });
    const gateway = await TestGateway.link(node);
    // Its peers are there, and no page is.
    const { scope } = await visitWithSender(gateway);
    await expect.poll(() => metric(node, 'bedside_node_visits'), { timeout: 10_000 }).toBe(0);
    expect(await gateway.call('describe-visit', scope)).toEqual({ peers: [] });
  });

  test('a visit in which nothing happens lives on while its gateway is linked, or linked again', async () => {
    const node = await startNode({ BEDSIDE_ORPHAN_MS: '200' });
    const gone = await TestGateway.link(node);
    await visitWithSender(gone);
    const gateway = await TestGateway.link(node, 'gateway-back');
    const { scope, sender } = await visitWithSender(gateway);
    for (const one of [gateway, gone]) one.socket.disconnect();
    const back = await TestGateway.link(node, 'gateway-back');
    // The other visit's end shows that the time is over.
    await expect.poll(() => metric(node, 'bedside_node_visits'), { timeout: 10_000 }).toBe(1);
    const { peers } = await back.call('describe-visit', scope);
    expect(peers.map(({ peer }) => peer)).toEqual([sender]);
  });

  test('a visit whose gateway is gone is closed after its time, not before', async () => {
    const node = await startNode({ BEDSIDE_ORPHAN_MS: '300' });
    const gateway = await TestGateway.link(node);
    await visitWithSender(gateway);
    gateway.socket.disconnect();
    expect(await metric(node, 'bedside_node_visits')).toBe(1);
    await expect.poll(() => metric(node, 'bedside_node_visits'), { timeout: 10_000 }).toBe(0);
  });
});

describe('worker', () => {
  test('killed: its visits are reported lost, and a new one serves them', async () => {
    const node = await startNode();
    const gateway = await TestGateway.link(node);
    const { scope } = await visitWithSender(gateway);
    process.kill(node.workerPids[0] ?? -1, 'SIGKILL');
    expect(await gateway.hear('visits-lost')).toEqual({
      visits: [scope.visit],
      reason: 'worker-died',
    });
    await expect.poll(() => node.workerPids.length, { timeout: 10_000 }).toBe(1);
    const again = await gateway.call('open-peer', {
      ...scope,
      peer: newPeer(),
      rtpCapabilities,
      flows: [],
    });
    expect(again.consumers).toEqual([]);
    expect(await metric(node, 'bedside_node_worker_restarts_total')).toBe(1);
  });

  test('killed: the visits of the others go on, and each loss is reported once', async () => {
    const node = await startNode({ BEDSIDE_WORKERS: '2', BEDSIDE_LOAD_INTERVAL_MS: '50' });
    const gateway = await TestGateway.link(node);
    const visits = await Promise.all(Array.from({ length: 4 }, () => visitWithSender(gateway)));
    process.kill(node.workerPids[0] ?? -1, 'SIGKILL');
    const { visits: lost } = await gateway.hear('visits-lost');
    expect(lost).toHaveLength(2);
    await expect.poll(() => node.workerPids.length, { timeout: 10_000 }).toBe(2);
    for (const { scope, sender } of visits) {
      const { peers } = await gateway.call('describe-visit', scope);
      expect(peers.map(({ peer }) => peer)).toEqual(lost.includes(scope.visit) ? [] : [sender]);
    }
    expect(gateway.heard('visits-lost')).toBe(0);
    expect(await metric(node, 'bedside_node_visits_lost_total')).toBe(2);
    expect(await metric(node, 'bedside_node_worker_deaths_total')).toBe(1);
  });

  test('killed or not: mediasoup leaves no signal handler behind', async () => {
    const count = () => process.listenerCount('SIGTERM') + process.listenerCount('SIGINT');
    const before = count();
    const node = await startNode();
    expect(count()).toBe(before);
    process.kill(node.workerPids[0] ?? -1, 'SIGKILL');
    await expect
      .poll(() => metric(node, 'bedside_node_worker_restarts_total'), { timeout: 10_000 })
      .toBe(1);
    expect(count()).toBe(before);
  });

  test('hung: it is killed, its visits are reported lost, and a new one serves them', async () => {
    const node = await startNode({ BEDSIDE_WATCHDOG_HUNG_MS: '400' });
    const gateway = await TestGateway.link(node);
    const { scope } = await visitWithSender(gateway);
    process.kill(node.workerPids[0] ?? -1, 'SIGSTOP');
    expect(await gateway.hear('visits-lost')).toEqual({
      visits: [scope.visit],
      reason: 'worker-hung',
    });
    await expect.poll(() => node.workerPids.length, { timeout: 10_000 }).toBe(1);
    await gateway.call('open-peer', { ...scope, peer: newPeer(), rtpCapabilities, flows: [] });
  });

  test('hung: a call answers media-unavailable at its deadline', async () => {
    const node = await startNode({
      BEDSIDE_WATCHDOG_HUNG_MS: '20000',
      BEDSIDE_MEDIA_DEADLINE_MS: '200',
    });
    const gateway = await TestGateway.link(node);
    const { scope } = await visitWithSender(gateway);
    const pid = node.workerPids[0] ?? -1;
    process.kill(pid, 'SIGSTOP');
    open.push(() => void process.kill(pid, 'SIGKILL'));
    await expect(
      gateway.call('open-peer', { ...scope, peer: newPeer(), rtpCapabilities, flows: [] }),
    ).rejects.toMatchObject({ code: 'media-unavailable' });
  });

  test('a gateway that was away when its visits were lost hears of it when it is back', async () => {
    const node = await startNode();
    const gatewayId = 'gateway-away';
    const gateway = await TestGateway.link(node, gatewayId);
    const { scope } = await visitWithSender(gateway);
    gateway.socket.disconnect();
    await expect.poll(() => metric(node, 'bedside_node_gateways')).toBe(0);
    process.kill(node.workerPids[0] ?? -1, 'SIGKILL');
    await expect
      .poll(() => metric(node, 'bedside_node_worker_restarts_total'), { timeout: 10_000 })
      .toBe(1);
    const back = await TestGateway.link(node, gatewayId);
    expect((await back.hear('visits-lost')).visits).toEqual([scope.visit]);
  });

  test('one that can not start makes the node fail, and leaves nothing behind', async () => {
    await expect(startNode({ MEDIASOUP_WORKER_BIN: '/nonexistent/worker' })).rejects.toThrow(
      'did not start',
    );
  });

  test('of two, each new visit gets the one with less to do', async () => {
    const node = await startNode({ BEDSIDE_WORKERS: '2', BEDSIDE_LOAD_INTERVAL_MS: '50' });
    const gateway = await TestGateway.link(node);
    await Promise.all(Array.from({ length: 6 }, () => visitWithSender(gateway)));
    const { load } = await gateway.hear('load', ({ load: { workers } }) =>
      workers.every(({ routers }) => routers > 0),
    );
    expect(load.workers.map(({ routers }) => routers)).toEqual([3, 3]);
  });
});

describe('operations', () => {
  test('livez, readyz and metrics answer; anything else is not found', async () => {
    const node = await startNode();
    const get = (path: string) => fetch(`${node.address.ops}${path}`);
    expect((await get('/livez')).status).toBe(200);
    const ready = await get('/readyz');
    expect(ready.status).toBe(200);
    expect(await ready.json()).toEqual({ ready: true, reasons: [] });
    expect((await get('/elsewhere')).status).toBe(404);
    const metrics = await (await get('/metrics')).text();
    for (const name of [
      'worker_cpu_ratio',
      'worker_memory_bytes',
      'nodejs_eventloop_lag_seconds',
      'consumers',
    ]) {
      expect(metrics).toContain(`bedside_node_${name}`);
    }
  });

  test('no metric carries a visit, peer or producer', async () => {
    const node = await startNode();
    const gateway = await TestGateway.link(node);
    const { scope, sender, camera } = await visitWithSender(gateway);
    const metrics = await node.metrics.registry.metrics();
    for (const id of [scope.visit, sender, camera]) expect(metrics).not.toContain(id);
  });

  test('stopping tells the gateways, and ends the workers', async () => {
    const node = await startNode();
    const gateway = await TestGateway.link(node);
    const { scope } = await visitWithSender(gateway);
    const [pid = -1] = node.workerPids;
    await node.stop();
    expect(await gateway.hear('visits-lost')).toEqual({
      visits: [scope.visit],
      reason: 'shutting-down',
    });
    await expect.poll(() => isAlive(pid), { timeout: 10_000 }).toBe(false);
  });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function unsignedToken(iss: string): string {
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const exp = Math.floor(Date.now() / 1_000) + 30;
  return `${encode({ alg: 'none' })}.${encode({ aud: CONTROL_AUDIENCE, iss, exp })}.`;
}
