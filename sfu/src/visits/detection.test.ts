import { EventEmitter } from 'node:events';
import type { types } from 'mediasoup';
import { expect, test } from 'vitest';
import type { Branch } from './branch.ts';
import { SpeakerDetection } from './detection.ts';

/** As mediasoup's worker does it: who is there is not taken again. */
class Observer extends EventEmitter {
  readonly there = new Set<string>();
  isLate = false;

  async addProducer({ producerId }: { producerId: string }): Promise<void> {
    if (this.there.has(producerId)) throw new Error('Producer already in map');
    this.there.add(producerId);
    if (this.isLate) throw new Error('not answered in time');
  }

  async removeProducer({ producerId }: { producerId: string }): Promise<void> {
    this.there.delete(producerId);
  }

  close(): void {
    this.there.clear();
  }
}

test('a microphone that was not taken in time is taken the next time, until nobody listens', async () => {
  const [speakers, levels] = [new Observer(), new Observer()];
  const router = {
    createActiveSpeakerObserver: async () => speakers,
    createAudioLevelObserver: async () => levels,
  };
  const detection = new SpeakerDetection(100, () => {});
  await detection.open({ router } as unknown as Branch);
  const microphone = { id: 'microphone' } as types.Producer;

  levels.isLate = true;
  await expect(detection.add(microphone)).rejects.toThrow('not answered in time');
  expect(detection.hears(microphone)).toBe(false);
  levels.isLate = false;
  await detection.add(microphone);
  expect(detection.hears(microphone)).toBe(true);
  expect([speakers, levels].map(({ there }) => [...there])).toEqual([
    ['microphone'],
    ['microphone'],
  ]);
  detection.reset();
  expect(detection.hears(microphone)).toBe(false);
});
