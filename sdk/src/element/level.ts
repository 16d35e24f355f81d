import { noChange } from 'lit';
import { AsyncDirective } from 'lit/async-directive.js';
import { directive, type ElementPart, type PartInfo, PartType } from 'lit/directive.js';

/** Milliseconds between two looks: a bar that moves, not a battery that empties. */
const LOOK_EVERY_MS = 80;
/** Root mean square of a voice at arm's length that fills the bar, and of one that counts as heard. */
const FULL = 0.12;
const HEARD = 0.015;

/**
 * Shows how loud a microphone is: `--level`, 0 to 1, on the element it stands on. `onHeard` is called
 * once for each track, at the first sound that a person may have made.
 */
class LevelDirective extends AsyncDirective {
  #element: HTMLElement | undefined;
  #track: MediaStreamTrack | undefined;
  #onHeard: (() => void) | undefined;
  #stop: (() => void) | undefined;

  constructor(part: PartInfo) {
    super(part);
    if (part.type !== PartType.ELEMENT) throw new Error('level() belongs on an element');
  }

  render(_track: MediaStreamTrack | undefined, _onHeard: () => void): unknown {
    return noChange;
  }

  override update(
    part: ElementPart,
    [track, onHeard]: [MediaStreamTrack | undefined, () => void],
  ): unknown {
    this.#element = part.element as HTMLElement;
    this.#onHeard = onHeard;
    if (track === this.#track) return noChange;
    this.#stop?.();
    this.#track = track;
    if (this.isConnected) this.#start();
    return noChange;
  }

  override disconnected(): void {
    this.#stop?.();
  }

  override reconnected(): void {
    this.#start();
  }

  #start(): void {
    const element = this.#element;
    if (!element || !this.#track || typeof AudioContext === 'undefined') return;
    const context = new AudioContext();
    const analyser = context.createAnalyser();
    context.createMediaStreamSource(new MediaStream([this.#track])).connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    let heard = false;
    const timer = setInterval(() => {
      // Until somebody has clicked on the page a browser may hold it back.
      if (context.state === 'suspended') void context.resume();
      analyser.getFloatTimeDomainData(samples);
      const loudness = Math.sqrt(samples.reduce((sum, x) => sum + x * x, 0) / samples.length);
      element.style.setProperty('--level', Math.min(1, loudness / FULL).toFixed(2));
      if (heard || loudness < HEARD) return;
      heard = true;
      this.#onHeard?.();
    }, LOOK_EVERY_MS);
    this.#stop = () => {
      this.#stop = undefined;
      clearInterval(timer);
      element.style.removeProperty('--level');
      void context.close();
    };
  }
}

export const level = directive(LevelDirective);
