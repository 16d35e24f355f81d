/** What a path has received of one source so far. */
export interface Received {
  packets: number;
  /** Of a picture: frames decoded, and the height of the last one in pixels. */
  frames?: number | undefined;
  height?: number | undefined;
  /** Of a sound: samples handed on to be played. */
  samples?: number | undefined;
}

/** By source. */
export type Snapshot = ReadonlyMap<string, Received>;

/** So long nothing may come of what flows: of silence, a packet comes every 400 ms. */
const FLOWS_MS = 1_200;
/** So many frames decoded tell a picture that runs from one that begins. */
const FRAMES = 10;
/** Of a screen on which nothing moves there are no ten frames: its first one, that long ago, is enough. */
const STILL_MS = 1_500;
/** A new path begins small; it has this long, from its first frame on, to be as large as the old one. */
const GROWTH_MS = 4_000;

interface Track {
  last: Received;
  /** When more had come than before. */
  grewAt: number | undefined;
  /** When the first frame was there. */
  firstAt: number | undefined;
}

/** Compares two paths that bring the same, by what they received: what flows on the old, steadily on the new. */
export class Steadiness {
  readonly #old = new Map<string, Track>();
  readonly #next = new Map<string, Track>();
  #since: number | undefined;
  #now = 0;

  /** `at`: milliseconds of a steady clock. */
  add(at: number, old: Snapshot, next: Snapshot): void {
    this.#since ??= at;
    this.#now = at;
    note(this.#old, old, at);
    note(this.#next, next, at);
  }

  /** Whether all that flows on the old path does so steadily on the new one. */
  get isReached(): boolean {
    const looked = this.#since !== undefined && this.#now - this.#since >= FLOWS_MS;
    return looked && [...this.#old.keys()].every((key) => this.isReachedBy(key));
  }

  /** Whether this source loses nothing where the new path's is played. */
  isReachedBy(key: string): boolean {
    const old = this.#old.get(key);
    return !this.#flows(old) || this.#isSteady(this.#next.get(key), old);
  }

  #flows(track: Track | undefined): track is Track {
    return track?.grewAt !== undefined && this.#now - track.grewAt < FLOWS_MS;
  }

  #isSteady(track: Track | undefined, old: Track): boolean {
    if (!track || !this.#flows(track)) return false;
    const { last, firstAt } = track;
    if (last.frames === undefined) return (last.samples ?? 1) > 0;
    if (firstAt === undefined) return false;
    const age = this.#now - firstAt;
    const isLarge = (last.height ?? 0) >= (old.last.height ?? 0) || age >= GROWTH_MS;
    return isLarge && (last.frames >= FRAMES || age >= STILL_MS);
  }
}

function note(tracks: Map<string, Track>, snapshot: Snapshot, at: number): void {
  for (const key of tracks.keys()) if (!snapshot.has(key)) tracks.delete(key);
  for (const [key, last] of snapshot) {
    const known = tracks.get(key);
    // Counters that fall are those of another consumer.
    const grew = known && last.packets > known.last.packets;
    const firstAt = known?.firstAt ?? (last.frames ? at : undefined);
    tracks.set(key, { last, grewAt: grew ? at : known?.grewAt, firstAt });
  }
}
