import type { AudioGraph } from './audio-graph.ts';
import { render, SAMPLE_RATE, type Score } from './scores.ts';

/** A cue that could not be played by then is not news any more. */
const STALE_MS = 1_000;

/** A sound of the page's own, made of notes: hold music, or a cue. */
export class Sound {
  readonly #graph: AudioGraph;
  readonly #score: Score;
  #buffer: AudioBuffer | undefined;
  #playing: { source: AudioBufferSourceNode; gain: GainNode } | undefined;
  #muted = false;

  constructor(graph: AudioGraph, score: Score) {
    this.#graph = graph;
    this.#score = score;
  }

  /** Being played, or waiting until the browser lets the page play. */
  get on(): boolean {
    return this.#playing !== undefined;
  }

  /** The person's own mute; holds for later starts, too. */
  get muted(): boolean {
    return this.#muted;
  }

  set muted(muted: boolean) {
    this.#muted = muted;
    this.#fade(muted ? 0 : 1);
    this.#graph.sounding(this, this.on && this.#score.loops && !muted);
  }

  /** Begins; one that goes on until stopped is not begun twice. Silent where there is no Web Audio. */
  start(): void {
    const { loops } = this.#score;
    if (this.on && loops) return;
    this.stop();
    const output = this.#graph.open();
    if (!output) return;
    const { context } = output;
    const source = new AudioBufferSourceNode(context, { buffer: this.#samples(), loop: loops });
    const gain = new GainNode(context, { gain: 0 });
    source.connect(gain).connect(output);
    source.onended = () => {
      gain.disconnect();
      if (this.#playing?.source === source) this.#playing = undefined;
    };
    source.start();
    this.#playing = { source, gain };
    this.muted = this.#muted;
    if (!loops && !this.#graph.running) setTimeout(() => this.#drop(source), STALE_MS);
  }

  stop(): void {
    this.#fade(0);
    const { source } = this.#playing ?? {};
    source?.stop(source.context.currentTime + 5 * this.#score.fade);
    this.#playing = undefined;
    this.#graph.sounding(this, false);
  }

  #drop(source: AudioBufferSourceNode): void {
    if (this.#playing?.source === source && !this.#graph.running) this.stop();
  }

  #fade(target: number): void {
    const { gain } = this.#playing ?? {};
    gain?.gain.setTargetAtTime(target, gain.context.currentTime, this.#score.fade);
  }

  #samples(): AudioBuffer {
    if (!this.#buffer) {
      const samples = render(this.#score);
      this.#buffer = new AudioBuffer({ length: samples.length, sampleRate: SAMPLE_RATE });
      this.#buffer.copyToChannel(samples, 0);
    }
    return this.#buffer;
  }
}
