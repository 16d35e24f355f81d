import { fill, type TextKey, type Texts } from '../texts/index.ts';
import type { VisitApi } from '../types.ts';
import type { VideoSizes } from './video.ts';

/** What every part of the element needs to draw itself. */
export interface View {
  readonly visit: VisitApi;
  readonly texts: Texts;
  readonly sizes: VideoSizes;
  /** A text by key, with its `{values}` filled in. */
  t(key: TextKey, values?: Readonly<Record<string, string>>): string;
}

export function makeView(visit: VisitApi, texts: Texts, sizes: VideoSizes): View {
  return { visit, texts, sizes, t: (key, values) => fill(texts.ui[key], values ?? {}) };
}
