import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Arrangement,
  arrange,
  type Fit,
  fitOf,
  overlap,
  type Rect,
  type Stage,
  shownSize,
} from './layout.ts';

const fit = fc.constantFrom<Fit>('fill', 'whole');
const stage: fc.Arbitrary<Stage> = fc.record({
  width: fc.integer({ min: 320, max: 3840 }),
  height: fc.integer({ min: 480, max: 2160 }),
  screens: fc.integer({ min: 0, max: 3 }),
  people: fc.array(fit, { maxLength: 12 }),
  hasSelf: fc.boolean(),
});
const holds = (check: (stage: Stage, arrangement: Arrangement) => void): void =>
  fc.assert(
    fc.property(stage, (given) => check(given, arrange(given))),
    { numRuns: 2_000 },
  );
const all = ({ screens, people, self }: Arrangement): Rect[] => [
  ...screens,
  ...people,
  ...(self ? [self] : []),
];
const aspect = ({ width, height }: Rect): number => width / height;

describe('arrange()', () => {
  it('places every screen, every person and oneself', () => {
    holds((given, { screens, people, self }) => {
      expect(self !== undefined).toBe(given.hasSelf);
      expect(screens).toHaveLength(given.screens);
      expect(people).toHaveLength(given.people.length);
    });
  });

  it('keeps everything inside the stage', () => {
    holds(({ width, height }, arrangement) => {
      for (const { x, y, ...size } of all(arrangement)) {
        expect(x).toBeGreaterThanOrEqual(0);
        expect(y).toBeGreaterThanOrEqual(0);
        expect(x + size.width).toBeLessThanOrEqual(width);
        expect(y + size.height).toBeLessThanOrEqual(height);
      }
    });
  });

  it('lets nothing overlap, but oneself where it says so', () => {
    holds((_, arrangement) => {
      const rects = arrangement.selfFloats
        ? [...arrangement.screens, ...arrangement.people]
        : all(arrangement);
      for (const [index, a] of rects.entries())
        for (const b of rects.slice(index + 1)) expect(overlap(a, b)).toBe(false);
    });
  });

  it('never puts oneself over somebody whose hands speak', () => {
    holds((given, { people, self }) => {
      for (const [index, tile] of people.entries())
        if (self && given.people[index] === 'whole') expect(overlap(tile, self)).toBe(false);
    });
  });

  it('floats over no more than a corner of a face', () => {
    holds((_, { people, self, selfFloats }) => {
      if (!selfFloats || !self) return;
      for (const tile of people) {
        const middle = { x: tile.x + tile.width / 2, y: tile.y + tile.height / 2 };
        expect(overlap({ ...middle, width: 1, height: 1 }, self)).toBe(false);
      }
    });
  });

  it('gives people tiles from 4:5 to 16:9, and from 4:3 where hands speak', () => {
    holds((given, { people }) => {
      const least = given.people.includes('whole') ? 4 / 3 : 4 / 5;
      for (const tile of people) {
        // Whole pixels bend the shape of a small tile.
        expect(aspect(tile)).toBeGreaterThan(least * (1 - 2 / tile.height));
        expect(aspect(tile)).toBeLessThan((16 / 9) * (1 + 2 / tile.height));
      }
    });
  });

  it('gives everybody the same size', () => {
    holds((_, { people }) => {
      expect(new Set(people.map(({ width, height }) => `${width}x${height}`)).size).toBeLessThan(2);
    });
  });

  it('makes no tile so small that nobody could be seen', () => {
    holds((_, arrangement) => {
      for (const { width, height } of all(arrangement)) {
        expect(width).toBeGreaterThanOrEqual(40);
        expect(height).toBeGreaterThanOrEqual(22);
      }
    });
  });

  it('leaves a screen most of a wide stage and a tall one what it can fill', () => {
    const wide = arrange({ width: 1280, height: 700, screens: 1, people: ['fill', 'fill'] });
    expect(wide.screens[0]?.width).toBeGreaterThan(1280 * 0.75);
    const tall = arrange({ width: 390, height: 750, screens: 1, people: ['fill', 'fill'] });
    expect(tall.screens[0]).toMatchObject({ width: 390 });
    expect(tall.people.every(({ y }) => y > (tall.screens[0]?.height ?? 0))).toBe(true);
  });

  it('keeps the name of the other free of oneself on a narrow stage', () => {
    const { people, self, selfFloats } = arrange({
      width: 308,
      height: 430,
      screens: 0,
      people: ['fill'],
    });
    const [tile] = people as [Rect];
    expect(selfFloats).toBe(true);
    expect(self && self.y + self.height).toBeLessThanOrEqual(tile.y + tile.height - 36);
  });
});

const size = fc.record({
  width: fc.integer({ min: 1, max: 4000 }),
  height: fc.integer({ min: 1, max: 4000 }),
});

describe('fitOf()', () => {
  it('never cuts a picture whose hands speak', () => {
    fc.assert(
      fc.property(size, size, (picture, tile) => fitOf(picture, tile, 'whole') === 'whole'),
    );
  });

  it('fills a tile only where two fifths of the picture stay to be seen', () => {
    fc.assert(
      fc.property(size, size, (picture, tile) => {
        const shown = shownSize(picture, tile, fitOf(picture, tile, 'fill'));
        const seen =
          (Math.min(shown.width, tile.width) * Math.min(shown.height, tile.height)) /
          (shown.width * shown.height);
        expect(seen).toBeGreaterThan(0.4);
      }),
    );
  });

  it('fills what a camera and its tile have nearly in common', () => {
    expect(fitOf({ width: 1280, height: 720 }, { width: 400, height: 400 }, 'fill')).toBe('fill');
    expect(fitOf({ width: 640, height: 480 }, { width: 320, height: 180 }, 'fill')).toBe('fill');
  });

  it('shows an upright phone whole in a wide tile', () => {
    expect(fitOf({ width: 720, height: 1280 }, { width: 640, height: 360 }, 'fill')).toBe('whole');
  });
});

describe('shownSize()', () => {
  it('keeps the shape of the picture', () => {
    fc.assert(
      fc.property(size, size, fit, (picture, tile, how) => {
        const shown = shownSize(picture, tile, how);
        expect(shown.width / shown.height).toBeCloseTo(picture.width / picture.height, 6);
      }),
    );
  });

  it('is within the tile where whole, over it where filling', () => {
    expect(shownSize({ width: 1280, height: 720 }, { width: 300, height: 300 }, 'whole')).toEqual({
      width: 300,
      height: 168.75,
    });
    expect(
      shownSize({ width: 1280, height: 720 }, { width: 360, height: 360 }, 'fill').width,
    ).toBeCloseTo(640);
  });
});
