import { describe, expect, it } from 'vitest';
import { estimated, type Line, SIGNED_BITRATE, UNKNOWN_LINE } from './bandwidth.ts';

/** The line after these estimates, one a second. */
const after = (estimates: readonly number[], signed = 1): Line =>
  estimates.reduce(
    (line, available, at) => estimated(line, available, signed, 1_000 * at),
    UNKNOWN_LINE,
  );
const SCARCE = SIGNED_BITRATE - 1;
const AMPLE = 2 * SIGNED_BITRATE;

describe('a line that carries protected pictures', () => {
  it('is tight as soon as it carries less than they need', () => {
    expect(after([SIGNED_BITRATE]).tight).toBe(false);
    expect(after([AMPLE, SCARCE]).tight).toBe(true);
  });

  it('needs to carry more the more of them there are', () => {
    expect(after([SIGNED_BITRATE], 2).tight).toBe(true);
    expect(after([2 * SIGNED_BITRATE], 2).tight).toBe(false);
  });

  it('is never tight without any', () => {
    expect(after([1], 0).tight).toBe(false);
  });

  it('is tight no more once there has been ample room for five seconds', () => {
    const seconds = (count: number) => Array<number>(count).fill(AMPLE);
    expect(after([SCARCE, ...seconds(5)]).tight).toBe(true);
    expect(after([SCARCE, ...seconds(6)]).tight).toBe(false);
    // Enough is not ample, and an overshoot does not last.
    expect(after([SCARCE, ...seconds(4), SIGNED_BITRATE, ...seconds(5)]).tight).toBe(true);
  });

  it('is cut where it carries less than half of what it carried, and than they need', () => {
    expect(after([AMPLE, 0.6 * AMPLE]).cutAt).toBeUndefined();
    expect(after([AMPLE, 0.4 * AMPLE]).cutAt).toBe(1_000);
    expect(after([10 * AMPLE, AMPLE]).cutAt).toBeUndefined();
  });

  it('is cut also where it falls little by little', () => {
    expect(after([AMPLE, 0.7 * AMPLE, 0.49 * AMPLE]).cutAt).toBe(2_000);
  });

  it('is cut again only where it falls by half again, five seconds later', () => {
    const falling = [AMPLE, 0.4 * AMPLE, 0.1 * AMPLE];
    expect(after(falling).cutAt).toBe(1_000);
    expect(after([...falling, ...falling.slice(2), 1, 1, 1]).cutAt).toBe(6_000);
    expect(after([AMPLE, ...Array<number>(8).fill(0.4 * AMPLE)]).cutAt).toBe(1_000);
  });

  it('wants care for ten seconds after a cut', () => {
    const since = (seconds: number) =>
      after([AMPLE, 0.4 * AMPLE, ...Array<number>(seconds).fill(AMPLE)]).careful;
    expect(after([AMPLE]).careful).toBe(false);
    expect([since(0), since(9), since(10)]).toEqual([true, true, false]);
  });
});
