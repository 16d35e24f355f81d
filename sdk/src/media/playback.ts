import { BedsideError } from '@bedside/protocol';

/**
 * Plays every remote sound through an audio element of its own, out of sight. Whoever shows the
 * videos keeps them muted.
 */
export class AudioRenderer {
  readonly #elements = new Map<string, HTMLAudioElement>();
  readonly #allowedChanged: (allowed: boolean) => void;
  /** Elements that the browser did not let play. */
  readonly #blocked = new Set<HTMLAudioElement>();
  #sinkId: string | undefined;

  constructor(allowedChanged: (allowed: boolean) => void) {
    this.#allowedChanged = allowedChanged;
  }

  get allowed(): boolean {
    return this.#blocked.size === 0;
  }

  get sinkId(): string | undefined {
    return this.#sinkId;
  }

  add(key: string, track: MediaStreamTrack, gain: number): void {
    this.remove(key);
    const element = new Audio();
    element.srcObject = new MediaStream([track]);
    element.volume = gain;
    this.#elements.set(key, element);
    if (this.#sinkId !== undefined) void element.setSinkId?.(this.#sinkId).catch(() => {});
    this.#play(key, element).then(
      // The page may play by now, so those that were refused before may too.
      () => {
        if (!this.allowed) this.start().catch(() => {});
      },
      () => {},
    );
  }

  setGain(key: string, gain: number): void {
    const element = this.#elements.get(key);
    if (element) element.volume = gain;
  }

  remove(key: string): void {
    const element = this.#elements.get(key);
    this.#elements.delete(key);
    if (!element) return;
    element.pause();
    element.srcObject = null;
    this.#setBlocked(element, false);
  }

  clear(): void {
    for (const key of [...this.#elements.keys()]) this.remove(key);
  }

  /** To be called in a click handler. @throws BedsideError autoplay-blocked */
  async start(): Promise<void> {
    const results = await Promise.allSettled(
      [...this.#elements].map(([key, element]) => this.#play(key, element)),
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
      await Promise.all([...this.#elements.values()].map((element) => element.setSinkId(deviceId)));
      this.#sinkId = deviceId;
    } catch (cause) {
      throw new BedsideError('device-not-found', { cause });
    }
  }

  async #play(key: string, element: HTMLAudioElement): Promise<void> {
    try {
      await element.play();
      this.#setBlocked(element, false);
    } catch (error) {
      if (isBlocked(error) && this.#elements.get(key) === element) this.#setBlocked(element, true);
      throw error;
    }
  }

  #setBlocked(element: HTMLAudioElement, blocked: boolean): void {
    const before = this.allowed;
    if (blocked) this.#blocked.add(element);
    else this.#blocked.delete(element);
    if (this.allowed !== before) this.#allowedChanged(this.allowed);
  }
}

/** Other rejections of play() mean that the element was removed meanwhile. */
const isBlocked = (error: unknown): boolean =>
  error instanceof DOMException && error.name === 'NotAllowedError';
