import type { ConsumerParameters } from '@bedside/protocol';
import type { types } from 'mediasoup-client';
import type { Arrived } from './media/flow-watch.ts';
import type { MediaPath } from './media/path.ts';
import { keyOf } from './media/relocation.ts';
import type { Received, Snapshot } from './media/steadiness.ts';
import type { VisitStats } from './types.ts';

/** The fields of RTCStats that are read here; browsers leave out what they do not have. */
interface Report {
  type: string;
  bytesSent?: number;
  bytesReceived?: number;
  responsesReceived?: number;
  nominated?: boolean;
  state?: string;
  currentRoundTripTime?: number;
  trackIdentifier?: string;
  packetsReceived?: number;
  packetsLost?: number;
  jitter?: number;
  framesDecoded?: number;
  frameWidth?: number;
  frameHeight?: number;
  framesPerSecond?: number;
  freezeCount?: number;
  totalFreezesDuration?: number;
  estimatedPlayoutTimestamp?: number;
  totalAudioEnergy?: number;
  jitterBufferEmittedCount?: number;
}

type Read = (entry: Report) => void;

async function read(transport: types.Transport, each: Read): Promise<void> {
  const report = await transport.getStats();
  for (const entry of report.values() as Iterable<Report>) each(entry);
}

export async function arrivedOver(transport: types.Transport): Promise<Arrived> {
  const arrived = { media: 0, answers: 0 };
  await read(transport, ({ type, bytesReceived = 0, responsesReceived = 0 }) => {
    if (type !== 'candidate-pair') return;
    arrived.media += bytesReceived;
    arrived.answers += responsesReceived;
  });
  return arrived;
}

export async function snapshotOf(path: MediaPath): Promise<Snapshot> {
  const snapshot = new Map<string, Received>();
  const byTrack = path.parametersByTrack();
  const [, receiving] = path.transports;
  await read(receiving, (entry) => {
    const parameters = received(entry, byTrack);
    if (!parameters) return;
    snapshot.set(keyOf(parameters), {
      packets: entry.packetsReceived ?? 0,
      frames: entry.framesDecoded,
      height: entry.frameHeight,
      samples: entry.jitterBufferEmittedCount,
    });
  });
  return snapshot;
}

const received = (
  { type, trackIdentifier = '' }: Report,
  byTrack: ReadonlyMap<string, ConsumerParameters> | undefined,
): ConsumerParameters | undefined =>
  type === 'inbound-rtp' ? byTrack?.get(trackIdentifier) : undefined;

type Inbound = VisitStats['inbound'][number];

export async function collectStats(path: MediaPath | undefined): Promise<VisitStats> {
  const inbound: Inbound[] = [];
  let roundTripMs: number | undefined;
  let sentBytes = 0;
  let receivedBytes = 0;
  const byTrack = path?.parametersByTrack();
  const note: Read = (entry) => {
    if (entry.type === 'candidate-pair' && entry.nominated && entry.state === 'succeeded') {
      sentBytes += entry.bytesSent ?? 0;
      receivedBytes += entry.bytesReceived ?? 0;
      if (entry.currentRoundTripTime !== undefined) roundTripMs = entry.currentRoundTripTime * 1000;
      return;
    }
    const parameters = received(entry, byTrack);
    if (!parameters) return;
    inbound.push({
      participantId: parameters.participantId,
      source: parameters.source,
      packetsReceived: entry.packetsReceived ?? 0,
      packetsLost: entry.packetsLost ?? 0,
      jitterSeconds: entry.jitter ?? 0,
      framesDecoded: entry.framesDecoded,
      frameWidth: entry.frameWidth,
      frameHeight: entry.frameHeight,
      framesPerSecond: entry.framesPerSecond,
      freezeCount: entry.freezeCount,
      frozenSeconds: entry.totalFreezesDuration,
      playoutAt: entry.estimatedPlayoutTimestamp,
      totalAudioEnergy: entry.totalAudioEnergy,
    });
  };
  await Promise.allSettled((path?.transports ?? []).map((transport) => read(transport, note)));
  return { roundTripMs, sentBytes, receivedBytes, inbound };
}
