import type { Browser, Page } from 'playwright-core';

/** Milliseconds any one thing may take before a test gives up on it; generous, as the machine is shared. */
export const PATIENCE_MS = 60_000;

/** One number a direction: what has arrived from each other participant. */
export interface Received {
  framesDecoded: number;
  audioEnergy: number;
}

/** A person at a browser: one page of the demo portal, in a context (cookies, storage) of its own. */
export class Person {
  readonly page: Page;
  readonly role: string;
  /** Console errors and uncaught exceptions of the page, in order. */
  readonly complaints: string[] = [];

  private constructor(page: Page, role: string) {
    this.page = page;
    this.role = role;
    page.setDefaultTimeout(PATIENCE_MS);
    page.on('pageerror', (error) => this.complaints.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error') this.complaints.push(message.text());
    });
  }

  /** Opens the portal at its contracted address and joins without a click. */
  static async join(
    browser: Browser,
    portal: string,
    visit: string,
    role: string,
    query = '',
  ): Promise<Person> {
    const context = await browser.newContext();
    const person = new Person(await context.newPage(), role);
    await person.page.goto(`${portal}/?visit=${visit}&role=${role}&lang=en&auto=1${query}`);
    await person.connected();
    return person;
  }

  /** A page of the same browser profile that is not in the visit yet. */
  static async of(page: Page, role: string): Promise<Person> {
    return new Person(page, role);
  }

  async connected(): Promise<void> {
    await this.state('connected');
  }

  /** Waits until the visit object of the element is in this connection state. */
  async state(state: string): Promise<void> {
    await this.page.waitForFunction(
      (wanted) => {
        const element = document.querySelector('bedside-visit') as
          | (Element & { visit?: { state: string } })
          | null;
        return element?.visit?.state === wanted;
      },
      state,
      { polling: 50 },
    );
  }

  /** Collects the connection states from now on; the answer reads them. */
  async watchStates(): Promise<() => Promise<string[]>> {
    const states = await this.page.evaluateHandle(() => {
      const seen: string[] = [];
      const element = document.querySelector('bedside-visit') as unknown as { visit: VisitInPage };
      element.visit.on('connectionStateChanged', (state) => seen.push(state));
      return seen;
    });
    return () => states.jsonValue();
  }

  async id(): Promise<string> {
    return this.eval((visit) => visit.localParticipant.id);
  }

  /** Runs a function in the page with the element's visit object. */
  eval<Result, Argument = undefined>(
    body: (visit: VisitInPage, argument: Argument) => Result | Promise<Result>,
    argument?: Argument,
  ): Promise<Result> {
    return this.page.evaluate(
      `(${body.toString()})(document.querySelector('bedside-visit').visit, ${JSON.stringify(argument ?? null)})`,
    ) as Promise<Result>;
  }

  /** Waits until the function, run in the page as in `eval`, is true, or says what it waited for. */
  async until<Argument = undefined>(
    body: (visit: VisitInPage, argument: Argument) => unknown,
    argument?: Argument,
  ): Promise<void> {
    // Not waitForFunction: it takes the promise of an async function for an answer.
    const giveUpAt = performance.now() + PATIENCE_MS;
    while (!(await this.eval(body, argument))) {
      if (performance.now() > giveUpAt) {
        throw new Error(
          `${this.role}: still not true after ${PATIENCE_MS / 1000} s: ${body.toString()} of ${JSON.stringify(argument)}`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  /** What this person has received so far, by sender. */
  async received(): Promise<Record<string, Received>> {
    return this.eval(async (visit) => {
      const sums: Record<string, { framesDecoded: number; audioEnergy: number }> = {};
      for (const stream of (await visit.getStats()).inbound) {
        sums[stream.participantId] ??= { framesDecoded: 0, audioEnergy: 0 };
        const sum = sums[stream.participantId] as { framesDecoded: number; audioEnergy: number };
        sum.framesDecoded += stream.framesDecoded ?? 0;
        sum.audioEnergy += stream.totalAudioEnergy ?? 0;
      }
      return sums;
    });
  }

  /** Proves one direction: that many more of the sender's frames are decoded, and their sound has energy. */
  async seesAndHears(
    senderId: string,
    what: { frames?: number; audio?: boolean } = { frames: 5, audio: true },
  ): Promise<void> {
    const { framesDecoded = 0, audioEnergy = 0 } = (await this.received())[senderId] ?? {};
    await this.until(
      async (visit, wanted) => {
        let frames = 0;
        let energy = 0;
        for (const stream of (await visit.getStats()).inbound) {
          if (stream.participantId !== wanted.senderId) continue;
          frames += stream.framesDecoded ?? 0;
          energy += stream.totalAudioEnergy ?? 0;
        }
        return frames >= wanted.frames && energy > wanted.energy;
      },
      {
        senderId,
        frames: framesDecoded + (what.frames ?? 0),
        energy: what.audio ? audioEnergy + 1e-6 : -1,
      },
    );
  }

  close(): Promise<void> {
    return this.page.context().close();
  }
}

/** The part of the SDK's public surface that the tests use inside a page. */
export interface VisitInPage {
  state: string;
  on(name: 'connectionStateChanged', listener: (state: string) => void): unknown;
  disconnectReason: string | undefined;
  localParticipant: {
    id: string;
    role: string;
    state: 'waiting' | 'admitted' | 'left';
    tracks: ReadonlyMap<string, { track?: MediaStreamTrack }>;
    setCameraEnabled(enabled: boolean): Promise<void>;
    setMicrophoneEnabled(enabled: boolean): Promise<void>;
    setScreenShareEnabled(enabled: boolean): Promise<void>;
  };
  participants: ReadonlyMap<
    string,
    {
      connection: string;
      tracks: ReadonlyMap<string, { muted: boolean; track?: MediaStreamTrack }>;
    }
  >;
  wait: { ahead?: number } | undefined;
  messages: ReadonlyArray<{ text: string }>;
  calls: ReadonlyArray<{ state: string }>;
  admit(participantIds?: string[]): Promise<void>;
  moveTo(participantIds: string[], target: { type: string; audio?: string }): Promise<string>;
  invite(options: { role: string }): Promise<{ token: string; expiresAt: number }>;
  call(options: { role: string; groups: object[]; ringMs?: number }): Promise<string>;
  cancelCall(callId: string): Promise<void>;
  leave(): Promise<void>;
  end(): Promise<void>;
  connect(): Promise<void>;
  getStats(): Promise<{
    inbound: Array<{
      participantId: string;
      source: string;
      framesDecoded?: number;
      totalAudioEnergy?: number;
    }>;
  }>;
}
