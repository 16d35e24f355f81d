import { describe, expect, it } from 'vitest';
import { signingEncodings } from './signing.ts';

const LAYERS = signingEncodings(720);

describe('the layers of a camera that is signed to', () => {
  it('keep the floor of resolution in the smallest one, whatever the camera has', () => {
    for (const side of [240, 360, 480, 720, 1080]) {
      const sides = signingEncodings(side).map(
        ({ scaleResolutionDownBy = 1 }) => side / scaleResolutionDownBy,
      );
      expect(Math.min(...sides)).toBeCloseTo(240);
      expect(Math.max(...sides)).toBe(side);
      expect(sides).toEqual(sides.toSorted((one, other) => one - other));
    }
  });

  it('enlarge nothing', () => {
    expect(signingEncodings(120).map((layer) => layer.scaleResolutionDownBy)).toEqual([1, 1, 1]);
  });

  it('have no fewer frames to give in place of a smaller picture', () => {
    expect(LAYERS.slice(1).map((layer) => layer.scalabilityMode)).toEqual(['L1T1', 'L1T1']);
  });
});
