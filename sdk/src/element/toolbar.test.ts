import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { roomFor, split } from './toolbar.ts';

const tools = fc.array(fc.record({ rank: fc.nat(9) }), { maxLength: 12 });

describe('split()', () => {
  it('loses no control, keeps the order, and leaves a place for the one that shows the others', () => {
    fc.assert(
      fc.property(tools, fc.integer({ min: 1, max: 14 }), (all, room) => {
        const [shown, more] = split(all, room);
        expect([...shown, ...more]).toHaveLength(all.length);
        for (const part of [shown, more])
          expect(all.filter((one) => part.includes(one))).toEqual(part);
        expect(shown.length + (more.length > 0 ? 1 : 0)).toBeLessThanOrEqual(room);
      }),
    );
  });

  it('hides nothing where there is room, and the last in rank first where there is not', () => {
    fc.assert(
      fc.property(tools, fc.integer({ min: 1, max: 14 }), (all, room) => {
        const [shown, more] = split(all, room);
        if (all.length <= room) expect(more).toEqual([]);
        for (const { rank } of shown)
          for (const hidden of more) expect(rank).toBeLessThanOrEqual(hidden.rank);
      }),
    );
  });
});

describe('roomFor()', () => {
  it.each([
    ['a phone', { width: 320, height: 640 }, 16, 6],
    ['a phone with text of twice the size', { width: 320, height: 640 }, 32, 6],
    ['a phone on its side', { width: 844, height: 390 }, 16, 8],
    ['a larger phone', { width: 430, height: 932 }, 16, 7],
    ['a tablet', { width: 768, height: 1024 }, 16, 11],
    ['a desktop', { width: 1440, height: 900 }, 16, 21],
  ])('%s has room for what fits', (_, size, em, room) => expect(roomFor(size, em)).toBe(room));
});
