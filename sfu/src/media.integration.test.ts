import { setTimeout as sleep } from 'node:timers/promises';
import type {
  ConsumerId,
  PeerId,
  ProducerId,
  TransportParameters,
  VisitKey,
} from '@bedside/protocol';
import { afterEach, describe, expect, test } from 'vitest';
import { MediaTransport } from '../../load-tests/native/media-transport.ts';
import { readRtp, writeRtp } from '../../load-tests/native/rtp.ts';
import {
  closeAll,
  flow,
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

type Scope = { visit: VisitKey; epoch: number };

/** Connects the other end of a transport: ICE and DTLS as a browser does. */
async function connectTransport(
  gateway: TestGateway,
  scope: Scope,
  peer: PeerId,
  parameters: TransportParameters,
): Promise<MediaTransport> {
  const transport = new MediaTransport(parameters);
  open.push(() => transport.close());
  const { id: transportId, dtlsParameters } = transport;
  await Promise.all([
    transport.connect(),
    gateway.call('connect-transport', { ...scope, peer, transportId, dtlsParameters }),
  ]);
  return transport;
}

/** Sends a packet of sound every 20 ms; `level` is its loudness, 0 loudest to 127 silent. */
function talk(transport: MediaTransport, ssrc: number, payloadType: number, level: () => number) {
  let sequenceNumber = 1;
  const timer = setInterval(() => {
    const plain = writeRtp({
      payloadType,
      sequenceNumber,
      timestamp: sequenceNumber * 960,
      ssrc,
      payload: Buffer.alloc(40, 7),
    });
    transport.send(withAudioLevel(plain, level()));
    sequenceNumber += 1;
  }, 20);
  open.push(() => clearInterval(timer));
}

const LEVEL_URI = 'urn:ietf:params:rtp-hdrext:ssrc-audio-level';
const levelId =
  rtpCapabilities.headerExtensions?.find(({ uri }) => uri === LEVEL_URI)?.preferredId ?? 10;

/** RFC 8285 one-byte extension with RFC 6464's audio level. */
function withAudioLevel(packet: Buffer, level: number): Buffer {
  const extension = Buffer.from([0xbe, 0xde, 0, 1, levelId << 4, 0x80 | level, 0, 0]);
  const header = Buffer.from(packet.subarray(0, 12));
  header[0] = (header[0] ?? 0) | 0x10;
  return Buffer.concat([header, extension, packet.subarray(12)]);
}

/** A visit with somebody who talks. */
async function visitWithTalker(gateway: TestGateway, level: () => number = () => 20) {
  const scope = { visit: newVisit(), epoch: 1 };
  const talker = newPeer();
  const opened = await gateway.call('open-peer', {
    ...scope,
    peer: talker,
    rtpCapabilities,
    flows: [],
  });
  const transport = await connectTransport(gateway, scope, talker, opened.sendTransport);
  const producerId = newProducer();
  const parameters = rtpParametersOf('audio/opus');
  const rtpParameters = { ...parameters, headerExtensions: [{ uri: LEVEL_URI, id: levelId }] };
  await gateway.call('produce', {
    ...scope,
    peer: talker,
    producerId,
    kind: 'audio',
    rtpParameters,
    paused: false,
    observed: true,
  });
  const ssrc = rtpParameters.encodings?.[0]?.ssrc ?? 0;
  talk(transport, ssrc, rtpParameters.codecs[0]?.payloadType ?? 0, level);
  return { scope, talker, producerId };
}

/** A listener who counts the packets that arrive. */
async function join(gateway: TestGateway, scope: Scope, heard: ProducerId[]) {
  const peer = newPeer();
  const flows = heard.map((producerId) => flow(producerId));
  const opened = await gateway.call('open-peer', { ...scope, peer, rtpCapabilities, flows });
  let packets = 0;
  const connected = async () => {
    const transport = await connectTransport(gateway, scope, peer, opened.recvTransport);
    transport.onPacket((packet) => {
      if (readRtp(packet)) packets += 1;
    });
  };
  return { peer, opened, connected, packets: () => packets };
}

const arrives = (packets: () => number) => {
  const before = packets();
  return expect.poll(packets, { timeout: 10_000 }).toBeGreaterThan(before + 5);
};

/** Long enough for a dozen packets; what was under way before has arrived by its start. */
const staysSilent = async (packets: () => number) => {
  await sleep(100);
  const before = packets();
  await sleep(300);
  expect(packets()).toBe(before);
};

describe('media', () => {
  test('flows of the join are live as soon as the transport connects', async () => {
    const gateway = await TestGateway.link(await startNode());
    const { scope, producerId } = await visitWithTalker(gateway);
    const listener = await join(gateway, scope, [producerId]);
    await listener.connected();
    await arrives(listener.packets);
  });

  test('flows added later are silent until the listener is ready', async () => {
    const gateway = await TestGateway.link(await startNode());
    const { scope, producerId } = await visitWithTalker(gateway);
    const listener = await join(gateway, scope, []);
    await listener.connected();
    await gateway.hear(
      'transport-state',
      ({ transportId, dtls }) =>
        transportId === listener.opened.recvTransport.transportId && dtls === 'connected',
    );
    const { peer } = listener;
    const { listeners } = await gateway.call('apply-plan', {
      ...scope,
      listeners: [{ peer, flows: [flow(producerId)] }],
    });
    await staysSilent(listener.packets);
    const consumerIds = listeners[0]?.added.map(({ consumerId }) => consumerId) ?? [];
    await gateway.call('start-consumers', { ...scope, peer, consumerIds });
    await arrives(listener.packets);
  });

  test('what the plan pauses stays silent, whatever listener and tile ask for', async () => {
    const gateway = await TestGateway.link(await startNode());
    const { scope, producerId } = await visitWithTalker(gateway);
    const listener = await join(gateway, scope, [producerId]);
    await listener.connected();
    await arrives(listener.packets);
    const { peer, opened } = listener;
    const plan = (paused: boolean) =>
      gateway.call('apply-plan', {
        ...scope,
        listeners: [{ peer, flows: [flow(producerId, { paused })] }],
      });
    await plan(true);
    const consumerIds: ConsumerId[] = opened.consumers.map(({ consumerId }) => consumerId);
    await gateway.call('start-consumers', { ...scope, peer, consumerIds });
    await gateway.call('prefer-consumers', {
      ...scope,
      peer,
      preferences: consumerIds.map((consumerId) => ({ consumerId, paused: false })),
    });
    await staysSilent(listener.packets);
    await plan(false);
    await arrives(listener.packets);
  });

  test('a tile that is not seen gets nothing, until it is seen', async () => {
    const gateway = await TestGateway.link(await startNode());
    const { scope, producerId } = await visitWithTalker(gateway);
    const listener = await join(gateway, scope, [producerId]);
    await listener.connected();
    await arrives(listener.packets);
    const consumerId = listener.opened.consumers[0]?.consumerId;
    if (!consumerId) throw new Error('no consumer');
    const prefer = (paused: boolean) =>
      gateway.call('prefer-consumers', {
        ...scope,
        peer: listener.peer,
        preferences: [{ consumerId, paused }],
      });
    await prefer(true);
    await staysSilent(listener.packets);
    await prefer(false);
    await arrives(listener.packets);
  });

  test('a muted producer is silent; closing a peer ends what it sends', async () => {
    const gateway = await TestGateway.link(await startNode());
    const { scope, talker, producerId } = await visitWithTalker(gateway);
    const listener = await join(gateway, scope, [producerId]);
    await listener.connected();
    await arrives(listener.packets);
    await gateway.call('pause-producer', { ...scope, producerId, paused: true });
    await staysSilent(listener.packets);
    await gateway.call('pause-producer', { ...scope, producerId, paused: false });
    await arrives(listener.packets);
    await gateway.call('close-peer', { ...scope, peer: talker });
    await staysSilent(listener.packets);
  });
});

describe('reports', () => {
  test('who speaks is reported, and silence', async () => {
    const gateway = await TestGateway.link(await startNode());
    let level = 20;
    const { scope, producerId } = await visitWithTalker(gateway, () => level);
    expect(await gateway.hear('speaker')).toEqual({ visit: scope.visit, producerId });
    level = 127;
    expect(await gateway.hear('speaker')).toEqual({ visit: scope.visit, producerId: null });
    level = 20;
    expect(await gateway.hear('speaker')).toEqual({ visit: scope.visit, producerId });
  });

  test('scores and states are reported to the gateway that acted last, under its epoch', async () => {
    const node = await startNode();
    const first = await TestGateway.link(node);
    const { scope, producerId } = await visitWithTalker(first);
    const owner = await TestGateway.link(node);
    const taken = { ...scope, epoch: 2 };
    await owner.call('describe-visit', taken);
    const listener = await join(owner, taken, [producerId]);
    await listener.connected();
    const { consumers } = await owner.hear('scores', (scores) => scores.consumers.length > 0);
    expect(consumers[0]).toMatchObject({
      peer: listener.peer,
      consumerId: listener.opened.consumers[0]?.consumerId,
    });
    await owner.hear(
      'transport-state',
      ({ peer, dtls }) => peer === listener.peer && dtls === 'connected',
    );
    expect(first.heard('scores', ({ consumers: theirs }) => theirs.length > 0)).toBe(0);
  });

  test('a sample of transports shows in the metrics', async () => {
    const node = await startNode({ BEDSIDE_SAMPLE_INTERVAL_MS: '50' });
    const gateway = await TestGateway.link(node);
    const { scope, producerId } = await visitWithTalker(gateway);
    const listener = await join(gateway, scope, [producerId]);
    await listener.connected();
    const sent = async () => {
      const metric = node.metrics.registry.getSingleMetric('bedside_node_media_bytes_total');
      return (await metric?.get())?.values.find(({ labels }) => labels.direction === 'sent')?.value;
    };
    await expect.poll(sent, { timeout: 10_000 }).toBeGreaterThan(0);
  });
});
