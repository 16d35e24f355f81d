/** Time constant of a change of gain, in seconds: 95 % of the way after 75 ms, and no click. */
export const FADE_SECONDS = 0.025;

/** A context that a page may start runs long before this. */
const START_MS = 1_000;

/** What only some browsers have: Chromium since 110. */
type WithSink = AudioContext & { setSinkId?(sinkId: string): Promise<void> };

/** After which a browser lets a page play that it did not let before. */
const GESTURES = ['pointerup', 'keydown'] as const;

/**
 * The Web Audio graph of one visit: opened by the first who needs it, playing on the chosen device.
 * The browser may hold it back until the person does something, or stop it for a phone call; it
 * starts again by itself as soon as it may.
 */
export class AudioGraph {
  readonly #changed: () => void;
  #context: WithSink | undefined;
  #output: GainNode | undefined;
  #sinkId: string | undefined;
  /** Plays the graph on the chosen device where a context has to use the default one. */
  #relay: HTMLAudioElement | undefined;
  /** Sounds that are on. Nothing else plays them while the graph does not run. */
  readonly #sounding = new Set<object>();
  #startTimer: ReturnType<typeof setTimeout> | undefined;
  #late = false;

  /** `changed`: it runs or does not any more, or is `blocked` or not any more. */
  constructor(changed: () => void) {
    this.#changed = changed;
  }

  get running(): boolean {
    return this.#context?.state === 'running';
  }

  /** A sound is on that nobody hears, because the browser does not let the page play. */
  get blocked(): boolean {
    return this.#late && !this.running;
  }

  /** Where to connect to; `output.context` is the context. Undefined where there is no Web Audio. */
  open(): GainNode | undefined {
    if (!this.#output && 'AudioContext' in globalThis) {
      const context = new AudioContext();
      this.#context = context;
      context.onstatechange = () => {
        this.resume();
        this.#changed();
      };
      this.#output = new GainNode(context);
      this.#output.connect(context.destination);
      if (this.#sinkId !== undefined) this.setSink(this.#sinkId).catch(() => {});
      for (const gesture of GESTURES) document.addEventListener(gesture, this.resume);
    }
    this.resume();
    return this.#output;
  }

  /** To be called in a click handler, where the browser wants one. */
  readonly resume = (): void => {
    // During a phone call iOS has it `interrupted`: to resume then can leave it dead for good.
    if (this.#context?.state === 'suspended') this.#context.resume().catch(() => {});
  };

  /** Rejects where the device can not be used; the device of before stays. */
  async setSink(sinkId: string): Promise<void> {
    if (this.#context?.setSinkId) await this.#context.setSinkId(sinkId);
    else if (this.#output) await this.#playThroughElement(this.#output, sinkId);
    this.#sinkId = sinkId;
  }

  /** While a sound is on, the page counts as blocked where the graph can not run. */
  sounding(sound: object, on: boolean): void {
    if (on) this.#sounding.add(sound);
    else this.#sounding.delete(sound);
    if (this.#sounding.size > 0) {
      this.#startTimer ??= setTimeout(() => this.#setLate(true), START_MS);
    } else {
      clearTimeout(this.#startTimer);
      this.#startTimer = undefined;
      this.#setLate(false);
    }
  }

  close(): void {
    for (const gesture of GESTURES) globalThis.document?.removeEventListener(gesture, this.resume);
    if (this.#context) this.#context.onstatechange = null;
    this.#context?.close().catch(() => {});
    this.#relay?.pause();
    this.#context = this.#output = this.#relay = undefined;
  }

  #setLate(late: boolean): void {
    const before = this.blocked;
    this.#late = late;
    if (this.blocked !== before) this.#changed();
  }

  /** A new element each time: one whose change of device fails may be silent from then on. */
  async #playThroughElement(output: GainNode, sinkId: string): Promise<void> {
    const relay = new Audio();
    const destination = new MediaStreamAudioDestinationNode(output.context as AudioContext);
    relay.srcObject = destination.stream;
    await relay.setSinkId(sinkId);
    await relay.play();
    output.disconnect();
    output.connect(destination);
    this.#relay?.pause();
    this.#relay = relay;
  }
}
