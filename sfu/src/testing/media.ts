import { setTimeout as sleep } from 'node:timers/promises';
import type { PeerId, ProducerId, TransportParameters, VisitKey } from '@bedside/protocol';
import { expect } from 'vitest';
import { MediaTransport } from '../../../load-tests/native/media-transport.ts';
import { asksForKeyFrame, isRtcp, readRtp, writeRtp } from '../../../load-tests/native/rtp.ts';
import type { BedsideNode } from '../node.ts';
import {
  flow,
  newPeer,
  newProducer,
  newVisit,
  open,
  rtpCapabilities,
  rtpParametersOf,
  type TestGateway,
} from '../testing.ts';

export type Scope = { visit: VisitKey; epoch: number };

/** Connects the other end of a transport: ICE and DTLS as a browser does. */
export async function connectTransport(
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

/** Opens a peer and connects what it sends by. */
export async function joinToSend(gateway: TestGateway, scope: Scope, heard: ProducerId[] = []) {
  const peer = newPeer();
  const flows = heard.map((producerId) => flow(producerId));
  const opened = await gateway.call('open-peer', {
    ...scope,
    peer,
    rtpCapabilities,
    flows,
    lastResort: true,
  });
  const transport = await connectTransport(gateway, scope, peer, opened.sendTransport);
  return { peer, transport };
}

/** Somebody who talks joins. */
export async function joinTalking(
  gateway: TestGateway,
  scope: Scope,
  level: () => number = () => 20,
  heard: ProducerId[] = [],
) {
  const sender = await joinToSend(gateway, scope, heard);
  const producerId = await startTalking(gateway, scope, sender, level);
  return { talker: sender.peer, producerId };
}

/** Who has joined opens a microphone and talks. */
export async function startTalking(
  gateway: TestGateway,
  scope: Scope,
  { peer, transport }: Awaited<ReturnType<typeof joinToSend>>,
  level: () => number = () => 20,
) {
  const producerId = newProducer();
  const parameters = rtpParametersOf('audio/opus');
  const rtpParameters = { ...parameters, headerExtensions: [{ uri: LEVEL_URI, id: levelId }] };
  await gateway.call('produce', {
    ...scope,
    peer,
    producerId,
    kind: 'audio',
    rtpParameters,
    paused: false,
    observed: true,
  });
  const ssrc = rtpParameters.encodings?.[0]?.ssrc ?? 0;
  talk(transport, ssrc, rtpParameters.codecs[0]?.payloadType ?? 0, level);
  return producerId;
}

/** A visit with somebody who talks. */
export async function visitWithTalker(gateway: TestGateway, level?: () => number) {
  const scope = { visit: newVisit(), epoch: 1 };
  return { scope, ...(await joinTalking(gateway, scope, level)) };
}

/** Stops a worker, until what it returns is called, or the test is over. */
export function standStill(node: BedsideNode | undefined, worker: number): () => void {
  const pid = node?.workerPids[worker];
  if (pid === undefined) throw new Error('no such worker');
  const goOn = () => void process.kill(pid, 'SIGCONT');
  open.push(goOn);
  process.kill(pid, 'SIGSTOP');
  return goOn;
}

const LAYERS = [0, 1, 2];
/** Where a packet of a picture says of which layer it is. */
const LAYER_AT = 8;

/**
 * Somebody who sends a picture in three layers joins. A key frame comes only where one is asked for, which
 * `keyFramesAskedFor` counts.
 */
export async function joinShowing(gateway: TestGateway, scope: Scope, heard: ProducerId[] = []) {
  const { peer, transport } = await joinToSend(gateway, scope, heard);
  const producerId = newProducer();
  const parameters = rtpParametersOf('video/VP8');
  const base = parameters.encodings?.[0]?.ssrc ?? 0;
  const encodings = LAYERS.map((layer) => ({ ssrc: base * 10 + layer }));
  await gateway.call('produce', {
    ...scope,
    peer,
    producerId,
    kind: 'video',
    rtpParameters: { ...parameters, encodings },
    paused: false,
    observed: false,
  });
  let asked = 0;
  const due = new Set<number>();
  transport.onPacket((packet) => {
    if (!isRtcp(packet) || !asksForKeyFrame(packet)) return;
    asked += 1;
    for (const layer of LAYERS) due.add(layer);
  });
  let sequenceNumber = 1;
  const timer = setInterval(() => {
    for (const { ssrc } of encodings) {
      const layer = ssrc - base * 10;
      // VP8: the descriptor of a first partition, then a frame whose lowest bit is 0 where it is a key frame.
      const payload = Buffer.alloc(60, 7);
      payload[0] = 0x10;
      payload[1] = due.delete(layer) ? 0 : 1;
      payload[LAYER_AT] = layer;
      const payloadType = parameters.codecs[0]?.payloadType ?? 0;
      const timestamp = sequenceNumber * 1_800;
      transport.send(writeRtp({ payloadType, sequenceNumber, timestamp, ssrc, payload }));
    }
    sequenceNumber += 1;
  }, 20);
  open.push(() => clearInterval(timer));
  return { peer, producerId, keyFramesAskedFor: () => asked };
}

/** A listener who counts the packets that arrive, and by layer those of pictures. */
export async function join(
  gateway: TestGateway,
  scope: Scope,
  heard: ProducerId[],
  change: object = {},
) {
  const peer = newPeer();
  const flows = heard.map((producerId) => flow(producerId, change));
  const opened = await gateway.call('open-peer', {
    ...scope,
    peer,
    rtpCapabilities,
    flows,
    lastResort: true,
  });
  let packets = 0;
  const layers = new Map<number, number>();
  let transport: MediaTransport | undefined;
  const connected = async () => {
    transport = await connectTransport(gateway, scope, peer, opened.recvTransport);
    transport.onPacket((packet) => {
      const payload = readRtp(packet)?.payload;
      if (!payload) return;
      packets += 1;
      const layer = payload[LAYER_AT] ?? -1;
      layers.set(layer, (layers.get(layer) ?? 0) + 1);
    });
  };
  const askForKeyFrame = () => {
    const ssrc = opened.consumers[0]?.rtpParameters.encodings?.[0]?.ssrc ?? 0;
    const pli = Buffer.from([0x81, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0]);
    pli.writeUInt32BE(ssrc, 8);
    transport?.send(pli);
  };
  return {
    peer,
    opened,
    connected,
    askForKeyFrame,
    packets: () => packets,
    ofLayer: (layer: number) => layers.get(layer) ?? 0,
  };
}

export const arrives = (packets: () => number) => {
  const before = packets();
  return expect.poll(packets, { timeout: 10_000 }).toBeGreaterThan(before + 5);
};

/** Long enough for a dozen packets; what was under way before has arrived by its start. */
export const staysSilent = async (packets: () => number) => {
  await sleep(100);
  const before = packets();
  await sleep(300);
  expect(packets()).toBe(before);
};
