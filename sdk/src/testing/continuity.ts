import type { Page } from 'playwright-core';

/** Since the last look, of what a page plays and of the other's picture in its element. Milliseconds. */
export interface Felt {
  /** Longest silence. */
  silence: number;
  /** Longest time without another frame of the picture that is seen. */
  gap: number;
  frames: number;
  /** Of the looks at the picture, one for each of the page's own frames: how many were of a black or empty one. */
  black: number;
  /** Whether it was ever said that the picture is the last one. */
  noticed: boolean;
}

interface Watching {
  felt: Felt;
  /** How often devices were asked for. */
  asked: number;
}

/** In the page: its camera is a picture that moves, its microphone a tone. To be called before a visit is opened. */
export async function perform(page: Page): Promise<void> {
  await page.evaluate(() => {
    const window = globalThis as unknown as Watching;
    window.asked = 0;
    navigator.mediaDevices.getUserMedia = async ({ audio, video }: MediaStreamConstraints = {}) => {
      window.asked += 1;
      const stream = new MediaStream();
      if (video) {
        const canvas = Object.assign(document.createElement('canvas'), { width: 320, height: 180 });
        const context = canvas.getContext('2d') as CanvasRenderingContext2D;
        let step = 0;
        setInterval(() => {
          step += 1;
          context.fillStyle = '#c33';
          context.fillRect(0, 0, 320, 180);
          context.fillStyle = '#fff';
          context.fillRect((step * 5) % 280, 20, 40, 40);
        }, 50);
        for (const track of canvas.captureStream(20).getVideoTracks()) stream.addTrack(track);
      }
      if (audio) {
        const context = new AudioContext();
        const destination = new MediaStreamAudioDestinationNode(context);
        const tone = new OscillatorNode(context, { frequency: 1_500 });
        tone.connect(new GainNode(context, { gain: 0.25 })).connect(destination);
        tone.start();
        for (const track of destination.stream.getAudioTracks()) stream.addTrack(track);
      }
      return stream;
    };
  });
}

/** In the page: watches what it plays and shows from now on. Its browser lets it record its tab. */
export async function watch(page: Page): Promise<void> {
  // Chromium wants one before a capture.
  await page.mouse.click(1, 1);
  await page.evaluate(async () => {
    const window = globalThis as unknown as Watching;
    window.felt = { silence: 0, gap: 0, frames: 0, black: 0, noticed: false };
    const stream = await navigator.mediaDevices.getDisplayMedia({
      video: true,
      audio: { echoCancellation: false, autoGainControl: false, noiseSuppression: false },
      preferCurrentTab: true,
    } as DisplayMediaStreamOptions);
    const context = new AudioContext();
    // Of 128 samples: 2.7 ms at 48 kHz.
    const processor = `registerProcessor('silence', class extends AudioWorkletProcessor {
      run = 0;
      process([[block = []]]) {
        const loudest = block.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
        this.run = loudest > 0.01 ? 0 : this.run + 128000 / sampleRate;
        this.port.postMessage(this.run);
        return true;
      }
    })`;
    const module = URL.createObjectURL(new Blob([processor], { type: 'text/javascript' }));
    await context.audioWorklet.addModule(module);
    const silence = new AudioWorkletNode(context, 'silence');
    const mediaStream = new MediaStream(stream.getAudioTracks());
    new MediaStreamAudioSourceNode(context, { mediaStream }).connect(silence);
    silence.port.onmessage = ({ data }: MessageEvent<number>) => {
      window.felt.silence = Math.max(window.felt.silence, data);
    };

    const canvas = Object.assign(document.createElement('canvas'), { width: 4, height: 4 });
    const pixels = canvas.getContext('2d', { willReadFrequently: true });
    const watched = new WeakSet<HTMLVideoElement>();
    let last = performance.now();
    const look = (): void => {
      requestAnimationFrame(look);
      const root = document.querySelector('bedside-visit')?.shadowRoot;
      const place = root?.querySelector('[data-participant] .picture');
      const videos = [...(place?.querySelectorAll('video') ?? [])];
      for (const video of videos) {
        if (watched.has(video)) continue;
        watched.add(video);
        const frame = (): void => {
          video.requestVideoFrameCallback(frame);
          if (video.parentElement?.lastElementChild !== video) return;
          const now = performance.now();
          window.felt.gap = Math.max(window.felt.gap, now - last);
          window.felt.frames += 1;
          last = now;
        };
        video.requestVideoFrameCallback(frame);
      }
      if (place?.hasAttribute('data-interrupted')) window.felt.noticed = true;
      const seen = videos.at(-1);
      if (!seen || !pixels) return;
      pixels.clearRect(0, 0, 4, 4);
      pixels.drawImage(seen, 0, 0, 4, 4);
      const [red = 0] = pixels.getImageData(1, 2, 1, 1).data;
      const isShown = place?.classList.contains('shown') === true;
      if (red < 60 || !isShown) window.felt.black += 1;
    };
    look();
  });
}

/** What was felt since the last call; and begins anew. */
export const felt = (page: Page): Promise<Felt> =>
  page.evaluate(() => {
    const window = globalThis as unknown as Watching;
    const { felt } = window;
    window.felt = { silence: 0, gap: 0, frames: 0, black: 0, noticed: false };
    return felt;
  });

/** As `felt`, and goes on. */
export const feltSoFar = (page: Page): Promise<Felt> =>
  page.evaluate(() => (globalThis as unknown as Watching).felt);

export const timesAsked = (page: Page): Promise<number> =>
  page.evaluate(() => (globalThis as unknown as Watching).asked);
