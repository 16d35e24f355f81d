import { BedsideError } from '@bedside/protocol';

/**
 * Plays every remote sound through an audio element of its own, out of sight. Whoever shows the
 * videos keeps them muted.
 */
export class AudioRenderer {
  readonly #elements = new Map<string, HTMLAudioElement>();
  readonly #allowedChanged: (allowed: boolean) => void;
  #allowed = true;
  #sinkId: string | undefined;

  constructor(allowedChanged: (allowed: boolean) => void) {
    this.#allowedChanged = allowedChanged;
  }

  get allowed(): boolean {
    return this.#allowed;
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
    element.play().catch((error: unknown) => {
      if (isBlocked(error) && this.#elements.get(key) === element) this.#setAllowed(false);
    });
  }

  setGain(key: string, gain: number): void {
    const element = this.#elements.get(key);
    if (element) element.volume = gain;
  }

  remove(key: string): void {
    const element = this.#elements.get(key);
    this.#elements.delete(key);
    element?.pause();
    if (element) element.srcObject = null;
  }

  clear(): void {
    for (const key of [...this.#elements.keys()]) this.remove(key);
  }

  /** To be called in a click handler. @throws BedsideError autoplay-blocked */
  async start(): Promise<void> {
    const results = await Promise.allSettled(
      [...this.#elements.values()].map((element) => element.play()),
    );
    const blocked = results.find(
      (result) => result.status === 'rejected' && isBlocked(result.reason),
    );
    this.#setAllowed(!blocked);
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

  #setAllowed(allowed: boolean): void {
    if (allowed === this.#allowed) return;
    this.#allowed = allowed;
    this.#allowedChanged(allowed);
  }
}

/** Other rejections of play() mean that the element was removed meanwhile. */
const isBlocked = (error: unknown): boolean =>
  error instanceof DOMException && error.name === 'NotAllowedError';
