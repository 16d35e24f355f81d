import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../../../load-tests/lib/wait.ts';
import type { AudioRenderer } from './playback.ts';
import type { SoundName } from './scores.ts';
import { decibels, largestJump, peak, type Recording, steepest } from './testing/levels.ts';

/** What the tests leave in the page; and `allowed`, what the renderer has told. */
interface TestWindow {
  media: { AudioRenderer: typeof AudioRenderer };
  renderer: AudioRenderer;
  /** Contexts that the renderer has opened. */
  opened: AudioContext[];
  /** How each element's change of its device ended. */
  sinks: string[];
  /** A tone at a quarter of full scale that has come through two peer connections. */
  remoteTone(hz: number): Promise<MediaStreamTrack>;
  /** What the tab plays, from now on. */
  record(): Promise<void>;
  /** Waits until so much more has been recorded, and gives it. */
  next(seconds: number): Promise<{ rate: number; samples: number[] }>;
}

const PATIENT = 400;
const INTERPRETER = 1_000;
/** -15 dB. */
const DUCKED = 10 ** (-15 / 20);
/** Level of a tone at a quarter of full scale, in decibels. */
const FULL = -12;
/** -80 dB. */
const SILENT = 1e-4;

describe('AudioRenderer in Chromium, measured at what the tab plays', () => {
  let browser: Browser;
  let server: Server;
  let origin: string;
  let page: Page;

  beforeAll(async () => {
    const { outputFiles } = await build({
      entryPoints: [fileURLToPath(new URL('./playback.ts', import.meta.url))],
      bundle: true,
      format: 'iife',
      globalName: 'media',
      write: false,
    });
    const script = outputFiles[0]?.text ?? '';
    server = createServer((request, response) => {
      const isScript = request.url === '/media.js';
      response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html');
      response.end(isScript ? script : '<!doctype html><script src="/media.js"></script>');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    browser = await chromium.launch({
      executablePath: process.env.BEDSIDE_CHROMIUM ?? '/usr/bin/chromium',
      // Muted, a tab can not be recorded. Nothing is heard: the output is a fake one.
      ignoreDefaultArgs: ['--mute-audio'],
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--autoplay-policy=document-user-activation-required',
        '--disable-audio-output',
        '--use-fake-device-for-media-stream',
        '--auto-accept-this-tab-capture',
      ],
    });
  });

  beforeEach(async () => {
    page = await (await browser.newContext()).newPage();
    await page.addInitScript(helpers);
  });

  afterEach(() => page.context().close());

  afterAll(async () => {
    await browser?.close();
    server?.closeAllConnections();
    server?.close();
  });

  async function openUnclicked(): Promise<void> {
    await page.goto(origin);
    await unclicked(
      'allowed = []; renderer = new media.AudioRenderer((now) => allowed.push(now)); undefined',
    );
  }

  /** A page that the person has clicked on, with what it plays being recorded. */
  async function openRecorded(): Promise<void> {
    await openUnclicked();
    await page.mouse.click(1, 1);
    await record();
  }

  const record = () => page.evaluate(() => (globalThis as unknown as TestWindow).record());

  const add = (hz: number, gain: number) =>
    page.evaluate(
      async ([hz, gain]) => {
        const { renderer, remoteTone } = globalThis as unknown as TestWindow;
        renderer.add(`${hz}`, await remoteTone(hz), gain);
      },
      [hz, gain] as const,
    );

  const setGain = (hz: number, gain: number) =>
    page.evaluate(
      ([hz, gain]) => (globalThis as unknown as TestWindow).renderer.setGain(`${hz}`, gain),
      [hz, gain] as const,
    );

  async function next(seconds: number): Promise<Recording> {
    const { rate, samples } = await page.evaluate(
      (seconds) => (globalThis as unknown as TestWindow).next(seconds),
      seconds,
    );
    return { rate, samples: Float64Array.from(samples) };
  }

  /** Waits until a tone is heard at its full level. */
  const heard = (hz: number) =>
    until(
      `${hz} Hz is heard`,
      async () => decibels(await next(0.2), hz),
      (level) => level > FULL - 1,
    );

  /** The level of a tone once a change of gain is over. */
  async function settled(hz: number): Promise<number> {
    await next(0.4);
    return decibels(await next(0.2), hz);
  }

  /** The largest sample once a change of gain is over. */
  async function loudest(): Promise<number> {
    await next(0.6);
    return peak(await next(0.3));
  }

  const sound = (name: SoundName, action: 'start' | 'stop' | 'mute' | 'unmute') =>
    page.evaluate(
      ([name, action]) => {
        const sound = (globalThis as unknown as TestWindow).renderer.sounds[name];
        if (action === 'start' || action === 'stop') sound[action]();
        else sound.muted = action === 'mute';
      },
      [name, action] as const,
    );

  const isOn = (name: SoundName) =>
    page.evaluate((name) => (globalThis as unknown as TestWindow).renderer.sounds[name].on, name);

  /** Runs in a page that nobody has clicked on: page.evaluate() counts as a click. */
  async function unclicked<T>(expression: string): Promise<T> {
    const session = await page.context().newCDPSession(page);
    const { result, exceptionDetails } = await session.send('Runtime.evaluate', {
      expression,
      awaitPromise: true,
      returnByValue: true,
    });
    await session.detach();
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description);
    return result.value as T;
  }

  const allowed = () =>
    unclicked<{ now: boolean; told: boolean[] }>('({ now: renderer.allowed, told: allowed })');

  it('plays a ducked voice 15 dB lower, and leaves the other one as it is', async () => {
    await openRecorded();
    await add(PATIENT, 1);
    await add(INTERPRETER, 1);
    await heard(PATIENT);
    await heard(INTERPRETER);
    await setGain(PATIENT, DUCKED);
    expect(Math.abs((await settled(PATIENT)) - (FULL - 15))).toBeLessThan(1.5);
    expect(Math.abs((await settled(INTERPRETER)) - FULL)).toBeLessThan(1);
    await setGain(PATIENT, 1);
    expect(Math.abs((await settled(PATIENT)) - FULL)).toBeLessThan(1);
  });

  it('plays a voice that comes ducked at its gain from the start', async () => {
    await openRecorded();
    await add(INTERPRETER, 1);
    await add(PATIENT, DUCKED);
    await heard(INTERPRETER);
    const level = await until(
      'the ducked voice is heard',
      () => settled(PATIENT),
      (level) => level > FULL - 16.5,
    );
    expect(level).toBeLessThan(FULL - 13.5);
  });

  // A busy machine may lose a buffer while one change is recorded, but hardly while all are.
  it('changes a gain without a step, and arrives', async () => {
    await openRecorded();
    await add(INTERPRETER, 1);
    await heard(INTERPRETER);
    await setGain(INTERPRETER, DUCKED);
    await settled(INTERPRETER);
    const changes: number[] = [];
    for (const gain of [1, DUCKED, 1, DUCKED]) {
      await setGain(INTERPRETER, gain);
      changes.push(steepest(await next(0.4), INTERPRETER));
      const level = decibels(await next(0.1), INTERPRETER);
      expect(Math.abs(level - FULL - 20 * Math.log10(gain))).toBeLessThan(1.5);
    }
    expect(Math.min(...changes)).toBeLessThan(0.005);
  });

  it('brings a voice from its element into the graph without a step', async () => {
    await openRecorded();
    const changes: number[] = [];
    for (let voice = 0; voice < 3; voice++) {
      await add(INTERPRETER, 1);
      await heard(INTERPRETER);
      await setGain(INTERPRETER, DUCKED);
      changes.push(steepest(await next(0.4), INTERPRETER));
    }
    // A quarter of the way, from 0.25 to 0.044, in one sample would be a click.
    expect(Math.min(...changes)).toBeLessThan(0.05);
  });

  it('a gain of 0 is silent', async () => {
    await openRecorded();
    await add(PATIENT, 1);
    await heard(PATIENT);
    await setGain(PATIENT, 0);
    expect(await loudest()).toBeLessThan(SILENT);
    await setGain(PATIENT, 1);
    await heard(PATIENT);
  });

  it('while the graph can not run, the element plays the voice at its gain', async () => {
    await openRecorded();
    await add(PATIENT, 1);
    await heard(PATIENT);
    await setGain(PATIENT, DUCKED);
    await settled(PATIENT);
    await page.evaluate(async () => {
      const [context] = (globalThis as unknown as TestWindow).opened;
      if (!context) throw new Error('no graph');
      context.resume = () => Promise.reject(new Error('held back'));
      await context.suspend();
    });
    expect(Math.abs((await settled(PATIENT)) - (FULL - 15))).toBeLessThan(1.5);
    await setGain(PATIENT, 1);
    expect(Math.abs((await settled(PATIENT)) - FULL)).toBeLessThan(1);
    await setGain(PATIENT, DUCKED);
    await page.evaluate(async () => {
      const [context] = (globalThis as unknown as TestWindow).opened;
      if (!context) throw new Error('no graph');
      Reflect.deleteProperty(context, 'resume');
      await context.resume();
    });
    expect(Math.abs((await settled(PATIENT)) - (FULL - 15))).toBeLessThan(1.5);
  });

  it('without Web Audio the element plays the voice at its gain', async () => {
    await page.addInitScript(() => Reflect.deleteProperty(globalThis, 'AudioContext'));
    await openRecorded();
    await add(PATIENT, 1);
    await heard(PATIENT);
    await setGain(PATIENT, DUCKED);
    expect(Math.abs((await settled(PATIENT)) - (FULL - 15))).toBeLessThan(1.5);
    await setGain(PATIENT, 0);
    expect(await loudest()).toBeLessThan(SILENT);
    await sound('hold', 'start');
    expect(await isOn('hold')).toBe(false);
  });

  it.each([
    ['a click that calls start()', 1],
    ['any click, for a voice in the graph', DUCKED],
  ])('tells that the browser holds a voice back, and plays it after %s', async (_, gain) => {
    await openUnclicked();
    await unclicked(
      `remoteTone(${PATIENT}).then((track) => renderer.add('${PATIENT}', track, ${gain}))`,
    );
    await until('blocked', allowed, ({ now }) => !now);
    if (gain === 1) {
      await unclicked('document.addEventListener("click", () => void renderer.start()), undefined');
    }
    await page.mouse.click(1, 1);
    expect(await until('allowed', allowed, ({ now }) => now)).toEqual({
      now: true,
      told: [false, true],
    });
    await record();
    await until(
      'the voice is heard',
      () => settled(PATIENT),
      (level) => Math.abs(level - FULL - 20 * Math.log10(gain)) < 1.5,
    );
  });

  it('hold music that the browser holds back begins with the first click', async () => {
    await openUnclicked();
    await unclicked('renderer.sounds.hold.start()');
    await until('blocked', allowed, ({ now }) => !now);
    await page.mouse.click(1, 1);
    await until('allowed', allowed, ({ now }) => now);
    await record();
    await until('music', loudest, (level) => level > 0.01);
  });

  it('hold music is low, is silent while the person has muted it, and stops without a click', async () => {
    await openRecorded();
    await sound('hold', 'start');
    await until('music', loudest, (level) => level > 0.01);
    const music = await next(3);
    expect(peak(music)).toBeLessThan(0.2);
    const jump = largestJump(music);
    await sound('hold', 'mute');
    await until('muted', loudest, (level) => level < SILENT);
    await sound('hold', 'unmute');
    await until('music', loudest, (level) => level > 0.01);
    await sound('hold', 'stop');
    expect(largestJump(await next(2))).toBeLessThan(2 * jump);
    expect(await isOn('hold')).toBe(false);
    await until('stopped', loudest, (level) => level < SILENT);
  });

  it('a cue ends by itself, ringing goes on until it is stopped', async () => {
    await openRecorded();
    for (const cue of ['chime', 'message'] as const) {
      await sound(cue, 'start');
      expect(peak(await next(0.5))).toBeGreaterThan(0.02);
      await until(
        `${cue} is over`,
        () => isOn(cue),
        (on) => !on,
      );
    }
    await sound('ring', 'start');
    for (let round = 0; round < 2; round++) expect(peak(await next(3.2))).toBeGreaterThan(0.02);
    await sound('ring', 'stop');
    await until('stopped', loudest, (level) => level < SILENT);
  });

  it.each([
    ['of its own', false],
    ['that only elements have', true],
  ])('graph and voices change to the chosen device, by a setting %s', async (_, elementsOnly) => {
    await page.context().grantPermissions(['microphone']);
    if (elementsOnly) {
      await page.addInitScript(() =>
        Reflect.deleteProperty(
          Object.getPrototypeOf(AudioContext.prototype) as object,
          'setSinkId',
        ),
      );
    }
    await openRecorded();
    await add(INTERPRETER, 1);
    await heard(INTERPRETER);
    await setGain(INTERPRETER, DUCKED);
    await settled(INTERPRETER);
    const choose = (wanted: number) =>
      page.evaluate(async (wanted) => {
        const { renderer, opened, sinks } = globalThis as unknown as TestWindow;
        const devices = await navigator.mediaDevices.enumerateDevices();
        const outputs = devices.filter(({ kind }) => kind === 'audiooutput');
        const device = outputs.at(wanted)?.deviceId ?? 'gone';
        sinks.length = 0;
        const error = await renderer.setSink(device).catch(({ code }) => code);
        const context = opened[0] as AudioContext & { sinkId?: string };
        return {
          error,
          kept: renderer.sinkId === device,
          sinks,
          context: context.sinkId === device,
        };
      }, wanted);
    // One element for the voice, and one for the graph where it needs one.
    expect(await choose(-1)).toMatchObject({
      error: undefined,
      kept: true,
      sinks: elementsOnly ? ['ok', 'ok'] : ['ok'],
      context: !elementsOnly,
    });
    expect(Math.abs((await settled(INTERPRETER)) - (FULL - 15))).toBeLessThan(1.5);
    expect(await choose(1_000)).toMatchObject({ error: 'device-not-found', kept: false });
    expect(Math.abs((await settled(INTERPRETER)) - (FULL - 15))).toBeLessThan(1.5);
  });
});

/** Runs in the page before anything else. */
function helpers(): void {
  const window = globalThis as unknown as TestWindow;
  const { AudioContext } = globalThis;
  window.opened = [];
  globalThis.AudioContext = class extends AudioContext {
    constructor() {
      super();
      window.opened.push(this);
    }
  };
  window.sinks = [];
  const { setSinkId } = HTMLMediaElement.prototype;
  HTMLMediaElement.prototype.setSinkId = async function (id) {
    await setSinkId.call(this, id);
    window.sinks.push('ok');
  };

  window.remoteTone = async (hz) => {
    const context = new AudioContext();
    document.addEventListener('click', () => void context.resume());
    const tone = new OscillatorNode(context, { frequency: hz });
    const destination = new MediaStreamAudioDestinationNode(context, { channelCount: 1 });
    tone.connect(new GainNode(context, { gain: 0.25 })).connect(destination);
    tone.start();
    const [from, to] = [new RTCPeerConnection(), new RTCPeerConnection()];
    from.onicecandidate = ({ candidate }) => void to.addIceCandidate(candidate ?? undefined);
    to.onicecandidate = ({ candidate }) => void from.addIceCandidate(candidate ?? undefined);
    const received = new Promise<MediaStreamTrack>((resolve) => {
      to.ontrack = ({ track }) => resolve(track);
    });
    const [track] = destination.stream.getAudioTracks();
    if (!track) throw new Error('no track');
    from.addTrack(track);
    await from.setLocalDescription();
    await to.setRemoteDescription(from.localDescription as RTCSessionDescription);
    await to.setLocalDescription();
    await from.setRemoteDescription(to.localDescription as RTCSessionDescription);
    return received;
  };

  window.record = async () => {
    const stream = await navigator.mediaDevices.getDisplayMedia({
      video: true,
      audio: { echoCancellation: false, autoGainControl: false, noiseSuppression: false },
      preferCurrentTab: true,
    } as DisplayMediaStreamOptions);
    const context = new AudioContext();
    const code = `registerProcessor('recorder', class extends AudioWorkletProcessor {
      process([[samples]]) { if (samples) this.port.postMessage(samples.slice()); return true; }
    })`;
    await context.audioWorklet.addModule(
      URL.createObjectURL(new Blob([code], { type: 'text/javascript' })),
    );
    const recorder = new AudioWorkletNode(context, 'recorder', {
      channelCount: 1,
      channelCountMode: 'explicit',
    });
    new MediaStreamAudioSourceNode(context, {
      mediaStream: new MediaStream(stream.getAudioTracks()),
    }).connect(recorder);
    let samples: number[] = [];
    let wanted = Number.POSITIVE_INFINITY;
    let done = () => {};
    recorder.port.onmessage = ({ data }) => {
      samples.push(...data);
      if (samples.length >= wanted) done();
    };
    window.next = (seconds) => {
      samples = [];
      wanted = seconds * context.sampleRate;
      return new Promise((resolve) => {
        done = () => {
          wanted = Number.POSITIVE_INFINITY;
          resolve({ rate: context.sampleRate, samples });
        };
      });
    };
  };
}
