import { noChange } from 'lit';
import { Directive, directive, type ElementPart, type PartInfo, PartType } from 'lit/directive.js';
import type { Rect } from './layout.ts';

/** Puts an element at a rectangle. Through CSSOM: a style attribute would break a strict Content-Security-Policy. */
class PlaceDirective extends Directive {
  constructor(part: PartInfo) {
    super(part);
    if (part.type !== PartType.ELEMENT) throw new Error('place() belongs on an element');
  }

  render(_rect: Rect | undefined): unknown {
    return noChange;
  }

  override update(part: ElementPart, [rect]: [Rect | undefined]): unknown {
    const { style } = part.element as HTMLElement;
    if (!rect) return noChange;
    style.setProperty('inset-inline-start', `${rect.x}px`);
    style.setProperty('inset-block-start', `${rect.y}px`);
    style.setProperty('inline-size', `${rect.width}px`);
    style.setProperty('block-size', `${rect.height}px`);
    return noChange;
  }
}

export const place = directive(PlaceDirective);
