import { type AudioGraph, FADE_SECONDS } from './audio-graph.ts';

/**
 * An element's volume goes from one value to another in so many steps, one for each 10 ms of sound
 * that Chromium plays; a page that is late takes longer, rather than a larger step.
 */
const STEPS = 8;
const STEP_MS = 10;

/**
 * One remote sound. An audio element plays it, out of sight. From the first time that it is to be
 * played at less than its full level, a gain of the graph plays it, and the element is muted: it
 * keeps the track, because Chromium feeds a graph only with remote tracks that an element has too.
 * While the graph does not run, the element is heard again, at its volume. See docs/adr/0008.
 */
export class Voice {
  readonly #element = new Audio();
  readonly #stream: MediaStream;
  readonly #graph: AudioGraph;
  readonly #blockedChanged: () => void;
  #gain: number;
  /** Held here, or the browser collects what feeds the gain. */
  #source: MediaStreamAudioSourceNode | undefined;
  #node: GainNode | undefined;
  #blocked = false;
  #fade: ReturnType<typeof setInterval> | undefined;
  #closed = false;

  constructor(
    track: MediaStreamTrack,
    gain: number,
    graph: AudioGraph,
    blockedChanged: () => void,
  ) {
    this.#stream = new MediaStream([track]);
    this.#gain = gain;
    this.#graph = graph;
    this.#blockedChanged = blockedChanged;
    this.#element.srcObject = this.#stream;
    this.#element.volume = gain;
    this.#element.muted = gain === 0;
    this.setGain(gain);
  }

  /** The browser did not let it play. */
  get blocked(): boolean {
    return this.#blocked;
  }

  setGain(gain: number): void {
    this.#gain = gain;
    if (gain !== 1 && !this.#node) this.#enterGraph();
    this.route();
  }

  /** To be called when the graph has begun or ceased to run, too. */
  route(): void {
    const node = this.#graph.running ? this.#node : undefined;
    this.#node?.gain.setTargetAtTime(
      node ? this.#gain : 0,
      this.#node.context.currentTime,
      FADE_SECONDS,
    );
    this.#setVolume(node ? 0 : this.#gain);
  }

  /** Rejects as HTMLMediaElement.play() does. */
  async play(): Promise<void> {
    try {
      await this.#element.play();
      this.#setBlocked(false);
    } catch (error) {
      this.#setBlocked(isBlocked(error));
      throw error;
    }
  }

  async setSink(sinkId: string): Promise<void> {
    await this.#element.setSinkId(sinkId);
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#fade);
    this.#element.pause();
    this.#element.srcObject = null;
    this.#source?.disconnect();
    this.#node?.disconnect();
    this.#blocked = false;
  }

  #enterGraph(): void {
    const output = this.#graph.open();
    if (!output) return;
    const context = output.context as AudioContext;
    this.#source = new MediaStreamAudioSourceNode(context, { mediaStream: this.#stream });
    this.#node = new GainNode(context, { gain: 0 });
    this.#source.connect(this.#node).connect(output);
  }

  #setVolume(target: number): void {
    clearInterval(this.#fade);
    const element = this.#element;
    const from = element.muted ? 0 : element.volume;
    if (from === target) {
      element.muted = target === 0;
      return;
    }
    if (element.muted) {
      element.volume = 0;
      element.muted = false;
      // To be heard needs the browser's leave where to play muted did not.
      this.play().catch(() => {});
    }
    let step = 0;
    this.#fade = setInterval(() => {
      step += 1;
      element.volume = from + ((target - from) * step) / STEPS;
      if (step < STEPS) return;
      clearInterval(this.#fade);
      // Where volume has no effect, as on iOS, this alone silences the element.
      element.muted = target === 0;
      // Muted it may play, and the graph is heard: nothing is held back any more.
      if (element.muted && this.#blocked) this.play().catch(() => {});
    }, STEP_MS);
  }

  #setBlocked(blocked: boolean): void {
    if (this.#closed || blocked === this.#blocked) return;
    this.#blocked = blocked;
    this.#blockedChanged();
  }
}

/** Other rejections of play() mean that the sound was removed meanwhile. */
export const isBlocked = (error: unknown): boolean =>
  error instanceof DOMException && error.name === 'NotAllowedError';
