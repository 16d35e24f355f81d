import {
  type ConsumerId,
  type ConsumerPreference,
  LIMITS,
  type MediaSource,
  type ParticipantId,
} from '@bedside/protocol';
import { FULL_LAYER, layerForSize } from './media/encodings.ts';

/** Sizes settle for this long before the gateway hears of them: a layout moves many tiles at once. */
const SETTLE_MS = 100;
/** In one message: a full group has more while it relocates. */
const MOST = LIMITS.participantsPerVisit * 2;
type Wish = Omit<ConsumerPreference, 'consumerId'>;
/** Of a signed conversation: whole, however small or hidden its tile is at the moment. */
const PROTECTED: Wish = { paused: false, spatialLayer: FULL_LAYER };

interface Track {
  /** During a relocation it is received twice. */
  readonly consumerIds: readonly ConsumerId[];
  readonly isProtected: boolean;
}
type TrackOf = (participantId: ParticipantId, source: MediaSource) => Track | undefined;

/** What the tiles need, batched: one `prefer-consumers` for all that changed. */
export class Preferences {
  readonly #wishes = new Map<string, Wish>();
  /** What the gateway was told, by consumer. */
  readonly #told = new Map<ConsumerId, string>();
  readonly #trackOf: TrackOf;
  readonly #send: (preferences: ConsumerPreference[]) => Promise<unknown>;
  readonly #dirty = new Set<string>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(trackOf: TrackOf, send: (preferences: ConsumerPreference[]) => Promise<unknown>) {
    this.#trackOf = trackOf;
    this.#send = send;
  }

  setSize(
    participantId: ParticipantId,
    source: MediaSource,
    width: number,
    height: number,
    pixelRatio: number,
  ): void {
    const paused = width <= 0 || height <= 0;
    const wish: Wish =
      paused || (source !== 'camera' && source !== 'exam')
        ? { paused }
        : { paused, spatialLayer: layerForSize(width, height, pixelRatio, source) };
    this.#wishes.set(keyOf(participantId, source), wish);
    this.touch(participantId, source);
  }

  /** A consumer came for a tile that may have said its size before, or is protected now, or no more. */
  touch(participantId: ParticipantId, source: MediaSource): void {
    const key = keyOf(participantId, source);
    if (!this.#wishes.has(key)) return;
    this.#dirty.add(key);
    this.#timer ??= setTimeout(() => this.#flush(), SETTLE_MS);
  }

  /** After a resume: what was lost with the old socket is said again. */
  repeat(): void {
    this.#told.clear();
    for (const key of this.#wishes.keys()) this.#dirty.add(key);
    if (this.#dirty.size > 0) this.#timer ??= setTimeout(() => this.#flush(), SETTLE_MS);
  }

  /** The consumers are gone with their transports; sizes are remembered. */
  forgetTold(): void {
    this.#told.clear();
  }

  clear(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#dirty.clear();
    this.#wishes.clear();
    this.#told.clear();
  }

  #flush(): void {
    this.#timer = undefined;
    const preferences: ConsumerPreference[] = [];
    for (const key of this.#dirty) {
      const [participantId, source] = key.split(' ') as [ParticipantId, MediaSource];
      const { consumerIds = [], isProtected } = this.#trackOf(participantId, source) ?? {};
      const wish = isProtected ? PROTECTED : this.#wishes.get(key);
      if (!wish) continue;
      const told = JSON.stringify(wish);
      for (const consumerId of consumerIds) {
        if (this.#told.get(consumerId) === told) continue;
        this.#told.set(consumerId, told);
        preferences.push({ consumerId, ...wish });
      }
    }
    this.#dirty.clear();
    for (let start = 0; start < preferences.length; start += MOST) {
      const some = preferences.slice(start, start + MOST);
      this.#send(some).catch(() => {
        // Not heard: the next change of size, consumer or resume says it again.
        for (const { consumerId } of some) this.#told.delete(consumerId);
      });
    }
  }
}

const keyOf = (participantId: ParticipantId, source: MediaSource): string =>
  `${participantId} ${source}`;
