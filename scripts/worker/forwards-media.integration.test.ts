/**
 * The worker that the set-up chose (MEDIASOUP_WORKER_BIN) forwards media: in the clear, and through
 * ICE, DTLS and SRTP with another implementation of all three (libdatachannel, libjuice).
 */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { createWorker } from 'mediasoup';
import type { Consumer, Router, RtpParameters, WebRtcTransport, Worker } from 'mediasoup/types';
import nodeDataChannel, { type PeerConnection, type Track } from 'node-datachannel';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const host = '127.0.0.1';
const payloadType = 111;
const ssrc = 0x0bed51de;
const packets = 50;

let worker: Worker;
let router: Router;
let died: Error | undefined;

beforeAll(async () => {
  const workerBin = process.env.MEDIASOUP_WORKER_BIN;
  worker = await createWorker({ ...(workerBin ? { workerBin } : {}), logLevel: 'warn' });
  worker.on('died', (error) => {
    died = error;
  });
  router = await worker.createRouter({
    mediaCodecs: [
      {
        kind: 'audio',
        mimeType: 'audio/opus',
        clockRate: 48_000,
        channels: 2,
        preferredPayloadType: payloadType,
      },
    ],
  });
});

afterAll(() => {
  worker?.close();
  nodeDataChannel.cleanup();
});

const rtpParameters: RtpParameters = {
  codecs: [{ mimeType: 'audio/opus', payloadType, clockRate: 48_000, channels: 2 }],
  encodings: [{ ssrc }],
  rtcp: { cname: 'test' },
};

describe('the chosen worker', () => {
  it('forwards RTP from one plain transport to another', async () => {
    const inward = await router.createPlainTransport({ listenInfo: udp(), comedia: true });
    const outward = await router.createPlainTransport({ listenInfo: udp() });
    const receiver = await bind();
    await outward.connect({ ip: host, port: receiver.address().port });
    const producer = await inward.produce({ kind: 'audio', rtpParameters });
    await outward.consume({
      producerId: producer.id,
      rtpCapabilities: router.rtpCapabilities,
    });

    const payloads = new Set<string>();
    receiver.on('message', (packet) => note(payloads, packet));
    const sender = await bind();
    await pace((n) => sender.send(rtp(n), inward.tuple.localPort, host));

    await expect.poll(() => payloads.size, { timeout: 5_000 }).toBeGreaterThan(packets * 0.9);
    expect(died).toBeUndefined();
    sender.close();
    receiver.close();
    inward.close();
    outward.close();
  });

  it('forwards RTP between two DTLS-SRTP peers', async () => {
    const from = await router.createWebRtcTransport({ listenInfos: [udp()] });
    const to = await router.createWebRtcTransport({ listenInfos: [udp()] });
    const sender = new nodeDataChannel.PeerConnection('sender', { iceServers: [] });
    const receiver = new nodeDataChannel.PeerConnection('receiver', { iceServers: [] });

    const track = await connectSender(sender, from);
    const producer = await from.produce({ kind: 'audio', rtpParameters });
    const consumer = await to.consume({
      producerId: producer.id,
      rtpCapabilities: router.rtpCapabilities,
    });
    const payloads = new Set<string>();
    await connectReceiver(receiver, to, consumer, (packet) => note(payloads, packet));

    await expect
      .poll(() => [from.dtlsState, to.dtlsState], { timeout: 10_000 })
      .toEqual(['connected', 'connected']);
    await expect.poll(() => track.isOpen(), { timeout: 5_000 }).toBe(true);
    await pace((n) => track.sendMessageBinary(rtp(n)));

    await expect.poll(() => payloads.size, { timeout: 5_000 }).toBeGreaterThan(packets * 0.9);
    expect(died).toBeUndefined();
    sender.close();
    receiver.close();
    from.close();
    to.close();
  });
});

function udp() {
  return { protocol: 'udp', ip: host } as const;
}

async function bind(): Promise<Socket> {
  const socket = createSocket('udp4');
  socket.bind(0, host);
  await once(socket, 'listening');
  return socket;
}

/** One packet each 5 ms. */
async function pace(send: (n: number) => void): Promise<void> {
  for (let n = 0; n < packets; n += 1) {
    send(n);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function rtp(n: number): Buffer {
  const header = Buffer.alloc(12);
  header[0] = 0x80;
  header[1] = payloadType;
  header.writeUInt16BE(1_000 + n, 2);
  header.writeUInt32BE(n * 960, 4);
  header.writeUInt32BE(ssrc, 8);
  return Buffer.concat([header, Buffer.from(`payload ${n}`.padEnd(60, '.'))]);
}

/** Only what was sent counts: whole payloads, which is where wrong decryption would show. */
function note(payloads: Set<string>, packet: Buffer): void {
  const text = packet.subarray(12).toString('latin1');
  const found = /payload \d+\.+$/.exec(text);
  if (found) payloads.add(found[0]);
}

/** The peer offers, the worker is the DTLS server: its first ClientHello is 0001's crash. */
async function connectSender(peer: PeerConnection, transport: WebRtcTransport): Promise<Track> {
  const audio = new nodeDataChannel.Audio('0', 'SendOnly');
  audio.addOpusCodec(payloadType);
  audio.addSSRC(ssrc, 'test');
  const track = peer.addTrack(audio);
  const offer = await localDescription(peer, () => peer.setLocalDescription());
  peer.setRemoteDescription(
    description(transport, 'passive', ['a=recvonly', `a=rtpmap:${payloadType} opus/48000/2`]),
    'answer',
  );
  await transport.connect({ dtlsParameters: dtls(offer, 'client') });
  return track;
}

async function connectReceiver(
  peer: PeerConnection,
  transport: WebRtcTransport,
  consumer: Consumer,
  onPacket: (packet: Buffer) => void,
): Promise<void> {
  const outward = consumer.rtpParameters.encodings?.[0]?.ssrc;
  peer.onTrack((track) => {
    track.onMessage(onPacket);
    tracks.push(track);
  });
  const answer = await localDescription(peer, () =>
    peer.setRemoteDescription(
      description(transport, 'actpass', [
        'a=sendonly',
        `a=rtpmap:${payloadType} opus/48000/2`,
        `a=ssrc:${outward} cname:test`,
      ]),
      'offer',
    ),
  );
  await transport.connect({ dtlsParameters: dtls(answer, 'client') });
}

/** The native object is collected with its last reference, and its messages with it. */
const tracks: Track[] = [];

function localDescription(peer: PeerConnection, begin: () => void): Promise<string> {
  return new Promise((resolve) => {
    peer.onLocalDescription((sdp) => resolve(sdp));
    begin();
  });
}

function dtls(sdp: string, role: 'client' | 'server') {
  const value = /a=fingerprint:sha-256 (\S+)/i.exec(sdp)?.[1];
  if (!value) throw new Error('no fingerprint in the description');
  return { role, fingerprints: [{ algorithm: 'sha-256' as const, value }] };
}

/** The worker's side as SDP: ICE lite, one audio section. */
function description(transport: WebRtcTransport, setup: string, lines: string[]): string {
  const { iceParameters, iceCandidates, dtlsParameters } = transport;
  const fingerprint = dtlsParameters.fingerprints.find((f) => f.algorithm === 'sha-256');
  return [
    'v=0',
    `o=- 1 1 IN IP4 ${host}`,
    's=-',
    't=0 0',
    'a=ice-lite',
    'a=group:BUNDLE 0',
    `m=audio 9 UDP/TLS/RTP/SAVPF ${payloadType}`,
    `c=IN IP4 ${host}`,
    'a=mid:0',
    `a=ice-ufrag:${iceParameters.usernameFragment}`,
    `a=ice-pwd:${iceParameters.password}`,
    `a=fingerprint:sha-256 ${fingerprint?.value}`,
    `a=setup:${setup}`,
    'a=rtcp-mux',
    ...lines,
    ...iceCandidates.map(
      (c) =>
        `a=candidate:${c.foundation} 1 ${c.protocol} ${c.priority} ${c.address} ${c.port} typ host`,
    ),
    'a=end-of-candidates',
    '',
  ].join('\r\n');
}
