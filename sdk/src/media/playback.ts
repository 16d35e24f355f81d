import { BedsideError } from '@bedside/protocol';
import { AudioGraph } from './audio-graph.ts';
import { SCORES, type SoundName } from './scores.ts';
import { Sound } from './sound.ts';
import { isBlocked, Voice } from './voice.ts';

/**
 * Everything that a page in a visit plays: the others' voices, each at its own gain, and sounds of
 * its own. Whoever shows the videos keeps them muted.
 */
export class AudioRenderer {
  readonly #voices = new Map<string, Voice>();
  readonly #graph = new AudioGraph(() => this.#graphChanged());
  readonly #allowedChanged: (allowed: boolean) => void;
  /** What the page was told last. */
  #allowed = true;
  #sinkId: string | undefined;
  /** Hold music and cues; each is started and stopped by whoever knows when. */
  readonly sounds = Object.fromEntries(
    Object.entries(SCORES).map(([name, score]) => [name, new Sound(this.#graph, score)]),
  ) as Readonly<Record<SoundName, Sound>>;

  constructor(allowedChanged: (allowed: boolean) => void) {
    this.#allowedChanged = allowedChanged;
  }

  /** False while the browser holds back a voice, or hold music or ringing. */
  get allowed(): boolean {
    return !this.#graph.blocked && ![...this.#voices.values()].some(({ blocked }) => blocked);
  }

  get sinkId(): string | undefined {
    return this.#sinkId;
  }

  /** `gain`: linear, 0 to 1. */
  add(key: string, track: MediaStreamTrack, gain: number): void {
    this.remove(key);
    const voice = new Voice(track, gain, this.#graph, () => this.#report());
    this.#voices.set(key, voice);
    if (this.#sinkId !== undefined) voice.setSink(this.#sinkId).catch(() => {});
    voice.play().then(
      // The page may play by now, so those that were refused before may too.
      () => {
        if (!this.allowed) this.start().catch(() => {});
      },
      () => {},
    );
  }

  /** Goes there without a step, in less than a tenth of a second. `gain`: linear, 0 to 1. False where there is none. */
  setGain(key: string, gain: number): boolean {
    const voice = this.#voices.get(key);
    voice?.setGain(gain);
    return voice !== undefined;
  }

  remove(key: string): void {
    this.#voices.get(key)?.close();
    this.#voices.delete(key);
    this.#report();
  }

  clear(): void {
    for (const key of [...this.#voices.keys()]) this.remove(key);
    for (const sound of Object.values(this.sounds)) sound.stop();
    this.#graph.close();
  }

  /** To be called in a click handler. @throws BedsideError autoplay-blocked */
  async start(): Promise<void> {
    this.#graph.resume();
    const results = await Promise.allSettled(
      [...this.#voices.values()].map((voice) => voice.play()),
    );
    const blocked = results.find(
      (result) => result.status === 'rejected' && isBlocked(result.reason),
    );
    if (blocked)
      throw new BedsideError('autoplay-blocked', {
        cause: (blocked as PromiseRejectedResult).reason,
      });
  }

  /** @throws BedsideError browser-unsupported, device-not-found */
  async setSink(deviceId: string): Promise<void> {
    if (!('setSinkId' in HTMLMediaElement.prototype)) throw new BedsideError('browser-unsupported');
    try {
      await Promise.all(
        [this.#graph, ...this.#voices.values()].map((output) => output.setSink(deviceId)),
      );
      this.#sinkId = deviceId;
    } catch (cause) {
      throw new BedsideError('device-not-found', { cause });
    }
  }

  #graphChanged(): void {
    for (const voice of this.#voices.values()) voice.route();
    this.#report();
  }

  #report(): void {
    const { allowed } = this;
    if (allowed === this.#allowed) return;
    this.#allowed = allowed;
    this.#allowedChanged(allowed);
  }
}
