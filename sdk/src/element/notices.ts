import type { Cue, ParticipantId } from '@bedside/protocol';
import type { QualityChange } from '../types.ts';

/** Milliseconds for which an interpreter's cue is shown: the speaker looks up, and goes on. */
const CUE_MS = 8_000;

/** What others asked of oneself, and what was reported, until it is settled or dismissed. */
export class Notices {
  readonly #changed: () => void;
  /** Who asks oneself to unmute. */
  unmuteBy: { id: ParticipantId | undefined } | undefined;
  /** One's microphone was muted: by somebody, or because a whisper ended. */
  muted: false | 'others' | 'whisper' = false;
  cue: { cue: Cue; by: ParticipantId | undefined } | undefined;
  /** Whose signed picture is below what a signed conversation needs, and in what. */
  readonly #breaches = new Map<string, ParticipantId>();
  #cueTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(changed: () => void) {
    this.#changed = changed;
  }

  get breached(): ReadonlySet<ParticipantId> {
    return new Set(this.#breaches.values());
  }

  set(change: Partial<Pick<Notices, 'unmuteBy' | 'muted' | 'cue'>>): void {
    Object.assign(this, change);
    clearTimeout(this.#cueTimer);
    if (this.cue) this.#cueTimer = setTimeout(() => this.set({ cue: undefined }), CUE_MS);
    this.#changed();
  }

  quality({ participantId, what }: QualityChange, breached: boolean): void {
    const key = `${participantId} ${what}`;
    if (breached) this.#breaches.set(key, participantId);
    else this.#breaches.delete(key);
    this.#changed();
  }

  clear(): void {
    this.#breaches.clear();
    this.set({ unmuteBy: undefined, muted: false, cue: undefined });
  }
}
