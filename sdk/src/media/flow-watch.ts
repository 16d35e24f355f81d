/** What has arrived over a transport so far. */
export interface Arrived {
  /** Of media, in bytes. */
  media: number;
  /** Answers to ICE checks. */
  answers: number;
}

export interface FlowPort {
  /** Whether somebody is to be heard at the moment. */
  isExpected(): boolean;
  arrived(): Promise<Arrived>;
  /** Restarts ICE. Resolves once that was answered: false where it could not even be asked for. */
  restart(): Promise<boolean>;
  /** The gateway is there, and nothing comes from the node: only another path helps. */
  giveUp(): void;
}

/** Sound comes every 20 ms, and of silence every 400. */
export const LOOK_MS = 750;
/** For this long a node that is asked again may be silent. */
export const ANSWER_MS = 1_200;

/** Notices, long before ICE does, that nothing arrives any more where something should. */
export class FlowWatch {
  readonly #port: FlowPort;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;
  #media: number | undefined;
  /** The silence was looked into: it is not this path's. */
  #isKnown = false;

  constructor(port: FlowPort) {
    this.#port = port;
    this.#next(LOOK_MS, () => this.#look());
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  async #look(): Promise<void> {
    if (!this.#port.isExpected()) {
      this.#media = undefined;
      return;
    }
    const { media, answers } = await this.#port.arrived();
    const isSilent = media === this.#media;
    this.#media = media;
    if (!isSilent) this.#isKnown = false;
    if (!isSilent || this.#isKnown) return;
    this.#isKnown = true;
    if (await this.#port.restart()) this.#next(ANSWER_MS, () => this.#judge(media + answers));
  }

  async #judge(before: number): Promise<void> {
    const { media, answers } = await this.#port.arrived();
    if (media + answers === before && !this.#closed) this.#port.giveUp();
  }

  /** After that, it goes on looking. */
  #next(afterMs: number, then: () => Promise<void>): void {
    clearTimeout(this.#timer);
    if (this.#closed) return;
    const timer = setTimeout(async () => {
      await then().catch(() => {});
      if (this.#timer === timer) this.#next(LOOK_MS, () => this.#look());
    }, afterMs);
    this.#timer = timer;
  }
}
