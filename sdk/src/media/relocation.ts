import type { ConsumerParameters, MediaSource, ParticipantId } from '@bedside/protocol';
import { type Snapshot, Steadiness } from './steadiness.ts';

const LOOK_MS = 250;
/** What does not flow by then is left to the gateway: this page stays with the old path. */
const GIVE_UP_MS = 12_000;

/** Of a path, what is looked at here. */
export interface WatchedPath<Track = MediaStreamTrack> {
  /** Whether what it has to connect is connected. */
  readonly isConnected: boolean;
  /** What it receives, with its tracks. */
  readonly received: readonly (readonly [ConsumerParameters, Track])[];
  snapshot(): Promise<Snapshot>;
}

export interface RelocationHandlers<Track = MediaStreamTrack> {
  /** The new path's is the one to play, from now on. */
  take(parameters: ConsumerParameters, track: Track): void;
  /** All that flows is taken. */
  switched(): void;
}

export const keyOf = ({
  participantId,
  source,
}: {
  participantId: ParticipantId;
  source: MediaSource;
}): string => `${participantId} ${source}`;

/**
 * Two paths that bring the same, until one of them is closed: plays the old one until the new one brings
 * all that flows steadily, then that; what comes later goes over one by one. Owns neither.
 */
export class Relocation<Path extends WatchedPath<Track>, Track = MediaStreamTrack> {
  readonly old: Path;
  readonly next: Path;
  readonly #handlers: RelocationHandlers<Track>;
  readonly #steadiness = new Steadiness();
  readonly #taken = new Set<string>();
  readonly #startedAt = performance.now();
  #isSent = false;
  #isSwitched = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** `sent`: resolves once what this page sends has reached the new path. */
  constructor(old: Path, next: Path, sent: Promise<unknown>, handlers: RelocationHandlers<Track>) {
    this.old = old;
    this.next = next;
    this.#handlers = handlers;
    sent.then(
      () => {
        this.#isSent = true;
      },
      () => {},
    );
    this.#lookAgain();
  }

  /** The path whose state is that of the visit's media. */
  get playing(): Path {
    return this.#isSwitched ? this.next : this.old;
  }

  /** Whether this path's is the one to play, of the two. */
  plays(path: Path, parameters: ConsumerParameters): boolean {
    return this.#taken.has(keyOf(parameters)) === (path === this.next);
  }

  /** Nothing is switched any more. */
  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #lookAgain(): void {
    const timer = setTimeout(async () => {
      await this.#look().catch(() => {});
      if (this.#timer === timer) this.#lookAgain();
    }, LOOK_MS);
    this.#timer = timer;
  }

  async #look(): Promise<void> {
    const [old, next] = await Promise.all([this.old.snapshot(), this.next.snapshot()]);
    const at = performance.now();
    if (!this.#timer) return;
    this.#steadiness.add(at, old, next);
    if (this.#isSwitched) return this.#take();
    if (this.#isSent && this.next.isConnected && this.#steadiness.isReached) {
      this.#isSwitched = true;
      this.#take();
      this.#handlers.switched();
    } else if (at - this.#startedAt > GIVE_UP_MS) this.close();
  }

  #take(): void {
    for (const [parameters, track] of this.next.received) {
      const key = keyOf(parameters);
      if (this.#taken.has(key) || !this.#steadiness.isReachedBy(key)) continue;
      this.#taken.add(key);
      this.#handlers.take(parameters, track);
    }
  }
}
