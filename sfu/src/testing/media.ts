import { setTimeout as sleep } from 'node:timers/promises';
import type { PeerId, ProducerId, TransportParameters, VisitKey } from '@bedside/protocol';
import { expect } from 'vitest';
import { MediaTransport } from '../../../load-tests/native/media-transport.ts';
import { readRtp, writeRtp } from '../../../load-tests/native/rtp.ts';
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

/** A visit with somebody who talks. */
export async function visitWithTalker(gateway: TestGateway, level: () => number = () => 20) {
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
export async function join(gateway: TestGateway, scope: Scope, heard: ProducerId[]) {
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
