import type { MediaPath } from './media/path.ts';
import type { VisitStats } from './types.ts';

/** The fields of RTCStats that are read here; browsers leave out what they do not have. */
interface Report {
  type: string;
  bytesSent?: number;
  bytesReceived?: number;
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
}

type Inbound = VisitStats['inbound'][number];

export async function collectStats(path: MediaPath | undefined): Promise<VisitStats> {
  const inbound: Inbound[] = [];
  let roundTripMs: number | undefined;
  let sentBytes = 0;
  let receivedBytes = 0;
  const byTrack = path?.parametersByTrack();
  const reports = await Promise.allSettled(
    (path?.transports ?? []).map((transport) => transport.getStats()),
  );
  for (const report of reports) {
    if (report.status === 'rejected') continue;
    for (const entry of report.value.values() as Iterable<Report>) {
      if (entry.type === 'candidate-pair' && entry.nominated && entry.state === 'succeeded') {
        sentBytes += entry.bytesSent ?? 0;
        receivedBytes += entry.bytesReceived ?? 0;
        if (entry.currentRoundTripTime !== undefined)
          roundTripMs = entry.currentRoundTripTime * 1000;
      } else if (entry.type === 'inbound-rtp') {
        const parameters = byTrack?.get(entry.trackIdentifier ?? '');
        if (!parameters) continue;
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
      }
    }
  }
  return { roundTripMs, sentBytes, receivedBytes, inbound };
}
