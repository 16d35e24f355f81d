import fc from 'fast-check';
import type { types } from 'mediasoup';
import { expect, test } from 'vitest';
import { sample, sampleMedia } from './sampler.ts';

test('a sample has different items of the whole, and as many as were asked for where there are', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat()), fc.nat(20), (items, count) => {
      const taken = sample(items, count, Math.random);
      expect(taken).toHaveLength(Math.min(count, items.length));
      expect(new Set(taken).size).toBe(taken.length);
      expect(items).toEqual(expect.arrayContaining(taken));
    }),
  );
});

/** A worker with this many of everything, each alike; counts the calls. */
function fakeWorker(count: number, asked: { times: number }) {
  const many = <T>(item: unknown): Set<T> =>
    new Set(Array.from({ length: count }, () => ({ ...(item as object) }) as T));
  const stat = {
    recvBitrate: 8_000,
    sendBitrate: 80_000,
    rtpPacketLossReceived: 0.1,
  };
  return {
    transports: many<types.Transport>({
      getStats: async () => {
        asked.times += 1;
        return [stat];
      },
    }),
    producers: many<types.Producer>({ score: [{ score: 3 }, { score: 9 }] }),
    consumers: many<types.Consumer>({ score: { score: 7 } }),
  };
}

test('a few transports are asked, however many there are, and stand for all', async () => {
  const asked = { times: 0 };
  const heard = {
    bytes: new Map<string, number>(),
    loss: new Set<unknown>(),
    scores: [] as string[],
  };
  await sampleMedia(
    [fakeWorker(3_000, asked), fakeWorker(1_000, asked)],
    {
      bytes: (direction, count) => void heard.bytes.set(direction, count),
      packetLoss: (direction, share) => void heard.loss.add(`${direction} ${share}`),
      score: (of, score) => void heard.scores.push(`${of} ${score}`),
    },
    5_000,
    1_000,
  );
  expect(asked.times).toBeGreaterThan(0);
  expect(asked.times).toBeLessThanOrEqual(32);
  // 4,000 transports at 1,000 and 10,000 bytes a second, for five seconds.
  expect(Object.fromEntries(heard.bytes)).toEqual({ received: 20_000_000, sent: 200_000_000 });
  expect([...heard.loss]).toEqual(['received 0.1']);
  expect(new Set(heard.scores)).toEqual(new Set(['producer 9', 'consumer 7']));
  expect(heard.scores.length).toBeLessThanOrEqual(100);
});

test('a worker that does not answer costs its sample, not the round', async () => {
  const silent = { ...fakeWorker(0, { times: 0 }), transports: new Set<types.Transport>() };
  silent.transports.add({ getStats: () => new Promise(() => {}) } as unknown as types.Transport);
  const bytes: number[] = [];
  await sampleMedia(
    [silent],
    { bytes: (_, count) => void bytes.push(count), packetLoss: () => {}, score: () => {} },
    5_000,
    10,
  );
  expect(bytes).toEqual([0, 0]);
});
