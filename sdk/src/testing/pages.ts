import type { Role } from '@bedside/protocol';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { servePage } from '../../../load-tests/lib/browser-page.ts';
import { type Bearer, mintToken } from '../../../load-tests/lib/token.ts';
import { type Stack, startStack } from '../../../scripts/lib/stack.mjs';
import type * as Sdk from '../module.ts';
import type { VisitApi } from '../types.ts';

/** What the tests leave in a page: the SDK's module, and the visit that the page is in. */
export interface TestWindow {
  sdk: typeof Sdk;
  visit: VisitApi;
  /** For the page's tokenProvider; the test's process answers. */
  nextToken(): Promise<string>;
  /** When a tone was last in what the tab plays, on the clock that all pages of a machine share. */
  heard: Map<number, number>;
  /** How loud each tone is now in what the tab plays, in dB below full scale. */
  levels: Map<number, number>;
}

/** Of the tone that somebody sends. Hold music has none of these. */
export const TONES = {
  provider: 1_500,
  patient: 2_250,
  specialist: 3_000,
  interpreter: 3_750,
} as const;
type Singer = keyof typeof TONES;

export interface JoinOptions {
  /** In place of the gateway's own. */
  url?: string;
  /** In place of one that the portal signs for the role. */
  token?: string;
}

/** Pages of one's own that use the core without the element, in visits on a whole stack. */
export class Pages {
  readonly stack: Stack;
  readonly #browser: Browser;
  readonly #server: Awaited<ReturnType<typeof servePage>>;
  readonly #contexts = new Set<BrowserContext>();

  private constructor(
    stack: Stack,
    browser: Browser,
    server: Awaited<ReturnType<typeof servePage>>,
  ) {
    this.stack = stack;
    this.#browser = browser;
    this.#server = server;
  }

  /** `launch`: a browser that lets pages have camera and microphone. */
  static async start(launch: () => Promise<Browser>): Promise<Pages> {
    const server = await servePage();
    const stack = await startStack({
      node22: process.execPath,
      workerBin: process.env.MEDIASOUP_WORKER_BIN ?? '',
      workers: 1,
      only: ['redis', 'node', 'gateway'],
      env: { gateway: { BEDSIDE_ALLOWED_ORIGINS: server.origin } },
    });
    try {
      return new Pages(stack, await launch(), server);
    } catch (error) {
      await stack.stop();
      throw error;
    }
  }

  get url(): string {
    return this.stack.urls.gateway;
  }

  token(bearer: Bearer, lifetimeSeconds?: number): Promise<string> {
    return mintToken(this.stack.secrets.tenant, bearer, lifetimeSeconds);
  }

  /** A page with the SDK in it, in no visit yet. */
  async open(): Promise<Page> {
    const context = await this.#browser.newContext({ permissions: ['camera', 'microphone'] });
    this.#contexts.add(context);
    const page = await context.newPage();
    await this.load(page);
    return page;
  }

  /** Again, for a page that has been there before. */
  async load(page: Page): Promise<void> {
    await page.goto(this.#server.origin);
    // As text: the test runner rewrites an import() that it sees.
    await page.evaluate("import('/bedside.mjs').then((sdk) => { globalThis.sdk = sdk; })");
  }

  /** A page in the visit, sending camera and microphone. The participant is called like the role. */
  async join(visit: string, role: Role, options: JoinOptions = {}): Promise<Page> {
    const page = await this.open();
    await this.enter(page, visit, role, options);
    return page;
  }

  /** As `join`, for a page that is open. */
  async enter(page: Page, visit: string, role: Role, options: JoinOptions = {}): Promise<void> {
    const { url = this.url, token = await this.token({ visit, participant: role, role }) } =
      options;
    await page.evaluate(
      async ([url, token]) => {
        const window = globalThis as unknown as TestWindow;
        window.visit = new window.sdk.Visit({ url, token });
        await window.visit.connect();
        await window.visit.localParticipant.setMicrophoneEnabled(true);
        await window.visit.localParticipant.setCameraEnabled(true);
      },
      [url, token] as const,
    );
  }

  /** As `join`, sending a tone, and with what the tab plays being watched for the others'. */
  async joinSinging(visit: string, role: Singer, options: JoinOptions = {}): Promise<Page> {
    const page = await this.open();
    await page.evaluate(sing, TONES[role]);
    // Chromium wants one before a capture.
    await page.mouse.click(1, 1);
    await page.evaluate(listen, Object.values(TONES));
    await this.enter(page, visit, role, options);
    return page;
  }

  /** After each test. */
  async close(): Promise<void> {
    const contexts = [...this.#contexts];
    this.#contexts.clear();
    await Promise.all(contexts.map((context) => context.close()));
  }

  async stop(): Promise<void> {
    await this.#browser.close();
    await this.stack.stop();
    this.#server.close();
  }
}

/** A browser whose tabs can be recorded. Nothing is heard: its output is a fake one. */
export function launchRecordable(): Promise<Browser> {
  return chromium.launch({
    executablePath: process.env.BEDSIDE_CHROMIUM ?? '/usr/bin/chromium',
    // Muted, a tab is silent; and with the fake permission dialogs its capture is a beep.
    ignoreDefaultArgs: ['--mute-audio'],
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--autoplay-policy=no-user-gesture-required',
      '--disable-audio-output',
      '--use-fake-device-for-media-stream',
      '--auto-accept-this-tab-capture',
    ],
  });
}

/** In the page: its microphone is a tone from now on. */
function sing(hz: number): void {
  const media = navigator.mediaDevices;
  const capture = media.getUserMedia.bind(media);
  media.getUserMedia = async (constraints) => {
    const stream = constraints?.video
      ? await capture({ video: constraints.video })
      : new MediaStream();
    if (!constraints?.audio) return stream;
    const context = new AudioContext();
    const destination = new MediaStreamAudioDestinationNode(context);
    const tone = new OscillatorNode(context, { frequency: hz });
    tone.connect(new GainNode(context, { gain: 0.25 })).connect(destination);
    tone.start();
    for (const track of destination.stream.getAudioTracks()) stream.addTrack(track);
    return stream;
  };
}

/** In the page: notes when each of these tones is in what the tab plays. */
async function listen(tones: readonly number[]): Promise<void> {
  const window = globalThis as unknown as TestWindow;
  window.heard = new Map();
  window.levels = new Map();
  const stream = await navigator.mediaDevices.getDisplayMedia({
    video: true,
    audio: { echoCancellation: false, autoGainControl: false, noiseSuppression: false },
    preferCurrentTab: true,
  } as DisplayMediaStreamOptions);
  const context = new AudioContext();
  // 43 ms at 48 kHz.
  const analyser = new AnalyserNode(context, { fftSize: 2048, smoothingTimeConstant: 0 });
  const mediaStream = new MediaStream(stream.getAudioTracks());
  new MediaStreamAudioSourceNode(context, { mediaStream }).connect(analyser);
  const levels = new Float32Array(analyser.frequencyBinCount);
  setInterval(() => {
    analyser.getFloatFrequencyData(levels);
    for (const hz of tones) {
      const level = levels[Math.round((hz * analyser.fftSize) / context.sampleRate)] ?? 0;
      // Decibels below full scale; the tone itself is at about -20.
      window.levels.set(hz, level);
      if (level > -70) window.heard.set(hz, performance.timeOrigin + performance.now());
    }
  }, 10);
}
