import { type ElementPart, type PartInfo, PartType } from 'lit/directive.js';
import { getDirectiveClass } from 'lit/directive-helpers.js';
import { describe, expect, it } from 'vitest';
import { place } from './place.ts';

function placed(rect: Parameters<typeof place>[0]): Record<string, string> {
  const style: Record<string, string> = {};
  const setProperty = (name: string, value: string): void => {
    style[name] = value;
  };
  const part = { type: PartType.ELEMENT, element: { style: { setProperty } } };
  const Place = getDirectiveClass(place(rect)) as new (
    part: PartInfo,
  ) => { update(part: ElementPart, values: [typeof rect]): unknown };
  new Place(part as never).update(part as never, [rect]);
  return style;
}

describe('place()', () => {
  it('counts from the inline start, so that it serves both directions', () => {
    expect(placed({ x: 10, y: 20, width: 300, height: 200 })).toEqual({
      'inset-inline-start': '10px',
      'inset-block-start': '20px',
      'inline-size': '300px',
      'block-size': '200px',
    });
  });

  it('leaves an element where it is until there is a place', () => {
    expect(placed(undefined)).toEqual({});
  });
});
