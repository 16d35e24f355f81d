import type { types } from 'mediasoup';
import { call } from './media/call.ts';
import type { Direction, Metrics } from './metrics.ts';
import type { MediaWorker } from './workers/media-worker.ts';

/** Transports asked in one round. Each costs this process about 0.1 ms; asking all would not scale. */
const TRANSPORTS_ASKED = 16;
/** Producers and consumers whose scores are looked at in one round; mediasoup has told them already. */
const SCORES_READ = 32;

/** `count` different items at random, in no order; all where there are fewer. */
export function sample<T>(items: readonly T[], count: number, random: () => number): T[] {
  const pool = [...items];
  const wanted = Math.min(count, pool.length);
  for (let index = 0; index < wanted; index += 1) {
    const other = index + Math.floor(random() * (pool.length - index));
    [pool[index], pool[other]] = [pool[other] as T, pool[index] as T];
  }
  return pool.slice(0, wanted);
}

/**
 * One round of statistics from a few transports, producers and consumers, into the metrics.
 * @param periodMs Time since the last round, for which the sampled bitrates are taken to hold.
 */
export async function sampleMedia(
  workers: readonly Pick<MediaWorker, 'transports' | 'producers' | 'consumers'>[],
  metrics: Pick<Metrics, 'packetLoss' | 'score' | 'bytes'>,
  periodMs: number,
  deadlineMs: number,
): Promise<void> {
  const all = workers.flatMap((worker) => [...worker.transports]);
  const outcomes = await Promise.allSettled(
    sample(all, TRANSPORTS_ASKED, Math.random).map((transport) =>
      // Pipes tell as much of what is read here as WebRtcTransports do.
      call(transport.getStats() as Promise<types.WebRtcTransportStat[]>, deadlineMs),
    ),
  );
  const stats = outcomes.flatMap((outcome) =>
    outcome.status === 'fulfilled' ? outcome.value : [],
  );
  for (const stat of stats) {
    if (stat.rtpPacketLossReceived !== undefined) {
      metrics.packetLoss('received', stat.rtpPacketLossReceived);
    }
    if (stat.rtpPacketLossSent !== undefined) metrics.packetLoss('sent', stat.rtpPacketLossSent);
  }
  const producers = workers.flatMap((worker) => [...worker.producers]);
  for (const { score } of sample(producers, SCORES_READ, Math.random)) {
    if (score.length > 0) metrics.score('producer', Math.max(...score.map((one) => one.score)));
  }
  const consumers = workers.flatMap((worker) => [...worker.consumers]);
  for (const { score } of sample(consumers, SCORES_READ, Math.random)) {
    metrics.score('consumer', score.score);
  }
  const estimate = (direction: Direction, read: (stat: types.WebRtcTransportStat) => number) => {
    const sum = stats.reduce((total, stat) => total + read(stat), 0);
    const bitsPerSecond = stats.length === 0 ? 0 : (sum / stats.length) * all.length;
    metrics.bytes(direction, (bitsPerSecond / 8) * (periodMs / 1_000));
  };
  estimate('received', ({ recvBitrate }) => recvBitrate);
  estimate('sent', ({ sendBitrate }) => sendBitrate);
}
