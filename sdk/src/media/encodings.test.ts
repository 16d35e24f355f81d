import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { layerForSize, sendOptions } from './encodings.ts';

const length = fc.integer({ min: 1, max: 4000 });
const ratio = fc.constantFrom(1, 1.5, 2, 3);

describe('layerForSize()', () => {
  it.each([
    ['a thumbnail', 160, 90, 1, 0],
    ['a thumbnail on a sharp screen', 160, 90, 2, 0],
    ['a tile on a sharp screen', 320, 180, 2, 1],
    ['a tile of four', 620, 349, 1, 1],
    ['a stage', 1280, 720, 1, 2],
    ['a wall', 3840, 2160, 1, 2],
    ['an upright tile, which the picture fills', 300, 600, 1, 2],
  ])('%s', (_, width, height, pixelRatio, layer) =>
    expect(layerForSize(width, height, pixelRatio)).toBe(layer),
  );

  it('never asks for less when the picture gets larger or sharper', () => {
    fc.assert(
      fc.property(length, length, ratio, fc.nat(500), (width, height, pixelRatio, more) => {
        const layer = layerForSize(width, height, pixelRatio);
        expect(layerForSize(width + more, height, pixelRatio)).toBeGreaterThanOrEqual(layer);
        expect(layerForSize(width, height + more, pixelRatio)).toBeGreaterThanOrEqual(layer);
        expect(layerForSize(width, height, pixelRatio + 1)).toBeGreaterThanOrEqual(layer);
      }),
    );
  });

  it('names a layer that a camera sends', () => {
    const { encodings } = sendOptions('camera', []);
    fc.assert(
      fc.property(length, length, ratio, (width, height, pixelRatio) => {
        expect(encodings?.[layerForSize(width, height, pixelRatio)]).toBeDefined();
      }),
    );
  });

  it('asks for no picture less than four fifths as wide as it is shown, but for the largest', () => {
    fc.assert(
      fc.property(length, length, ratio, (width, height, pixelRatio) => {
        const layer = layerForSize(width, height, pixelRatio);
        const sent =
          1280 / (sendOptions('camera', []).encodings?.[layer]?.scaleResolutionDownBy ?? 1);
        if (layer < 2) expect(sent).toBeGreaterThanOrEqual(width * pixelRatio * 0.8);
      }),
    );
  });
});

describe('an exam camera', () => {
  const layers = (width: number, height: number) =>
    (sendOptions('exam', [], { width, height }).encodings ?? []).map(
      ({ scaleResolutionDownBy = 1 }) => Math.min(width, height) / scaleResolutionDownBy,
    );

  it('sends the picture whole, and one of 480 lines where that is less', () => {
    expect(layers(1280, 720)).toEqual([480, 720]);
    expect(layers(720, 1280)).toEqual([480, 720]);
    expect(layers(1920, 1080)).toEqual([480, 1080]);
    expect(layers(640, 480)).toEqual([480]);
    expect(layers(320, 240)).toEqual([240]);
  });

  it('never sends fewer frames in place of a smaller picture', () => {
    const { encodings = [] } = sendOptions('exam', []);
    expect(encodings.map(({ scalabilityMode }) => scalabilityMode)).toEqual(['L1T1', 'L1T1']);
  });

  it.each([
    ['a thumbnail', 160, 90, 1, 0],
    ['a tile', 620, 349, 1, 0],
    ['a tile on a sharp screen', 620, 349, 2, 2],
    ['a stage', 1000, 700, 1, 2],
  ])('in %s is as large as that needs', (_, width, height, pixelRatio, layer) =>
    expect(layerForSize(width, height, pixelRatio, 'exam')).toBe(layer),
  );
});
