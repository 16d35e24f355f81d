import { fill, type TextKey, type Texts } from '../texts/index.ts';
import type { VisitApi } from '../types.ts';
import type { VideoWatcher } from './video.ts';

/** What every part of the element needs to draw itself. */
export interface View {
  readonly visit: VisitApi;
  readonly texts: Texts;
  readonly watcher: VideoWatcher;
  /** A text by key, with its `{values}` filled in. */
  t(key: TextKey, values?: Readonly<Record<string, string>>): string;
}

export function makeView(visit: VisitApi, texts: Texts, watcher: VideoWatcher): View {
  return { visit, texts, watcher, t: (key, values) => fill(texts.ui[key], values ?? {}) };
}
