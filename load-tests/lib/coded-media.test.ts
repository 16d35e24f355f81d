import { describe, expect, it } from 'vitest';
import { soundDelays, upperLimit } from './coded-media.ts';

describe('soundDelays()', () => {
  it('takes each mark that was heard for the last one sent before', () => {
    expect(soundDelays([0, 2_000, 4_000], [80, 2_120, 5_090])).toEqual([80, 120, 1_090]);
  });

  it('leaves out what was heard of no mark', () => {
    expect(soundDelays([1_000], [500, 3_500])).toEqual([]);
    expect(soundDelays([], [500])).toEqual([]);
  });
});

describe('upperLimit()', () => {
  /** 24 kHz in bands of 10 Hz, as loud as this. */
  const levels = (of: (hz: number) => number) =>
    Array.from({ length: 2_400 }, (_, at) => of(10 * at));
  const sent = levels((hz) => (hz < 20_000 ? -20 - hz / 1_000 : -120));

  it('is where the path gets lower than around 1 kHz, whatever its gain', () => {
    const gain = (hz: number) => (hz < 8_000 ? -15 : hz < 12_000 ? -20 : -60);
    const received = levels((hz) => (hz < 20_000 ? -20 - hz / 1_000 + gain(hz) : -90));
    expect(upperLimit(sent, received, 48_000, 3) / 1_000).toBeCloseTo(8, 0);
    expect(upperLimit(sent, received, 48_000, 10) / 1_000).toBeCloseTo(12, 0);
  });

  it('is no higher than what was sent', () => {
    expect(
      upperLimit(
        sent,
        levels(() => -20),
        48_000,
        3,
      ),
    ).toBeLessThan(20_000);
  });
});
