import type { ParticipantId } from '@bedside/protocol';
import { fill, type TextKey, type Texts } from '../texts/index.ts';
import type { Participant, VisitApi } from '../types.ts';
import { nameOf } from './people.ts';
import type { VideoWatcher } from './video.ts';

/** What the parts of the element ask of it. */
export interface Host {
  readonly watcher: VideoWatcher;
  update(): void;
  /** What fails is shown to the person. */
  run(action: Promise<unknown>): void;
  /** Shows the dialog of that class. */
  open(dialog: string): void;
  /** Adds a line to the live region. */
  say(line: string): void;
  /** Who was in the visit, even if they have left. */
  known(id: ParticipantId): Participant | undefined;
  /** What somebody has just reacted with. */
  reactionOf(id: ParticipantId): string | undefined;
}

/** What every part of the element needs to draw itself. */
export interface View {
  readonly visit: VisitApi;
  readonly texts: Texts;
  readonly host: Host;
  /** A text by key, with its `{values}` filled in. */
  t(key: TextKey, values?: Readonly<Record<string, string>>): string;
  /** What a participant is called, oneself included; undefined for who writes from outside the visit. */
  name(id: ParticipantId | undefined): string;
}

export function makeView(visit: VisitApi, texts: Texts, host: Host): View {
  const t: View['t'] = (key, values) => fill(texts.ui[key], values ?? {});
  return {
    visit,
    texts,
    host,
    t,
    name: (id) => {
      if (id === undefined) return t('clinic');
      if (id === visit.localParticipant.id) return t('you');
      const participant = visit.participants.get(id) ?? host.known(id);
      if (participant) return nameOf(participant, texts);
      // Nobody else can write to who waits.
      return t(visit.localParticipant.state === 'waiting' ? 'clinic' : 'somebody');
    },
  };
}
