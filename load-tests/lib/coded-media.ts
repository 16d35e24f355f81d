import type { VisitApi } from '../../sdk/src/types.ts';

/**
 * A picture and a sound that carry the time at which they were sent, and what reads it off them again.
 * Both ends are on one machine, so both have its clock. Playwright sends each of these functions as text,
 * so none may use anything of this module but types.
 */

export interface CodedWindow {
  visit: VisitApi;
  /** At the sending end: when each mark was put into the sound. */
  marks: number[];
  /** At the receiving end: milliseconds from sent to shown of each picture, and when each mark was heard. */
  pictures: number[];
  heard: number[];
  /** Sends a sweep in place of marks, and gives the highest level of each band of it as it was sent. */
  sweep(): Promise<number[]>;
}

/**
 * In the page: its camera is a moving picture with the time in blocks along its upper edge, its microphone a
 * hum with a mark of 3 kHz in it every two seconds.
 */
export function sendCoded(): void {
  const page = globalThis as unknown as CodedWindow;
  page.marks = [];
  const media = navigator.mediaDevices;

  const picture = (): MediaStreamTrack => {
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [1280, 720];
    const context = canvas.getContext('2d', { alpha: false }) as CanvasRenderingContext2D;
    const [track] = canvas.captureStream(0).getVideoTracks() as [CanvasCaptureMediaStreamTrack];
    setInterval(() => {
      const now = Date.now();
      context.fillStyle = '#456';
      context.fillRect(0, 0, 1280, 720);
      // A head and two hands, as far as an encoder is concerned: once to and fro in a second.
      for (const [x, width] of [
        [640, 160],
        [480, 90],
        [800, 90],
      ] as const) {
        const reach = width === 90 ? 150 : 10;
        const phase = (2 * Math.PI * now) / 1_000 + x;
        context.fillStyle = `hsl(20 50% ${x / 16}%)`;
        context.fillRect(x + reach * Math.sin(phase), 360 + reach * Math.cos(phase), width, width);
      }
      const time = now % 65_536;
      const check = ((time >> 12) + (time >> 8) + (time >> 4) + time) & 15;
      const code = time * 16 + check;
      for (let bit = 0; bit < 20; bit += 1) {
        context.fillStyle = Math.floor(code / 2 ** bit) % 2 === 1 ? '#fff' : '#000';
        context.fillRect(64 * bit, 0, 64, 72);
      }
      track.requestFrame();
    }, 1000 / 30);
    return track;
  };

  const sound = async (): Promise<MediaStreamTrack> => {
    const context = new AudioContext({ sampleRate: 48_000 });
    const code = `registerProcessor('marks', class extends AudioWorkletProcessor {
      constructor() { super(); this.on = true; this.port.onmessage = ({ data }) => { this.on = data; }; }
      process(_, [[output]]) {
        for (let i = 0; i < output.length; i += 1) {
          const at = currentFrame + i;
          const since = at % (2 * sampleRate);
          const marked = this.on && since < 0.04 * sampleRate;
          if (this.on && since === 0) this.port.postMessage(Date.now());
          output[i] = this.on ? 0.02 * Math.sin(2 * Math.PI * 300 * at / sampleRate) : 0;
          if (marked) output[i] += 0.4 * Math.sin(2 * Math.PI * 3000 * at / sampleRate);
        }
        return true;
      }
    });`;
    const blob = new Blob([code], { type: 'text/javascript' });
    await context.audioWorklet.addModule(URL.createObjectURL(blob));
    const marks = new AudioWorkletNode(context, 'marks', { numberOfInputs: 0 });
    marks.port.onmessage = ({ data }) => page.marks.push(data);
    const destination = new MediaStreamAudioDestinationNode(context, { channelCount: 1 });
    const analyser = new AnalyserNode(context, { fftSize: 4096, smoothingTimeConstant: 0 });
    marks.connect(destination);
    analyser.connect(destination);
    page.sweep = async () => {
      marks.port.postMessage(false);
      const tone = new OscillatorNode(context);
      const level = new GainNode(context, { gain: 0.25 });
      const begins = context.currentTime + 1;
      tone.frequency.setValueAtTime(100, begins);
      tone.frequency.linearRampToValueAtTime(22_000, begins + 20);
      tone.connect(level).connect(analyser);
      tone.start(begins);
      tone.stop(begins + 20);
      const highest = new Float32Array(analyser.frequencyBinCount).fill(-200);
      const now = new Float32Array(analyser.frequencyBinCount);
      const timer = setInterval(() => {
        analyser.getFloatFrequencyData(now);
        now.forEach((value, at) => {
          highest[at] = Math.max(highest[at] ?? -200, value);
        });
      }, 10);
      await new Promise((resolve) => {
        tone.onended = resolve;
      });
      clearInterval(timer);
      marks.port.postMessage(true);
      return [...highest];
    };
    return destination.stream.getAudioTracks()[0] as MediaStreamTrack;
  };

  media.getUserMedia = async (constraints) => {
    const stream = new MediaStream();
    if (constraints?.video) stream.addTrack(picture());
    if (constraints?.audio) stream.addTrack(await sound());
    return stream;
  };
}

/** In the page: reads the times off what this participant sends. */
export async function receiveCoded(participant: string): Promise<void> {
  const page = globalThis as unknown as CodedWindow;
  page.pictures = [];
  page.heard = [];
  const other = page.visit.participants.get(participant as never);
  const trackOf = (source: 'camera' | 'microphone') => {
    const track = other?.tracks.get(source)?.track;
    if (!track) throw new Error(`no ${source} of ${participant}`);
    return track;
  };

  const video = document.createElement('video');
  video.muted = true;
  video.srcObject = new MediaStream([trackOf('camera')]);
  document.body.append(video);
  const canvas = new OffscreenCanvas(160, 8);
  const context = canvas.getContext('2d', { willReadFrequently: true });
  const read = () => {
    const now = Date.now();
    video.requestVideoFrameCallback(read);
    const { videoWidth: width, videoHeight: height } = video;
    context?.drawImage(video, 0, 0, width, height / 10, 0, 0, 160, 8);
    const pixels = context?.getImageData(0, 4, 160, 1).data;
    let code = 0;
    for (let bit = 0; bit < 20; bit += 1)
      if ((pixels?.[4 * (8 * bit + 4)] ?? 0) > 127) code += 2 ** bit;
    const time = Math.floor(code / 16);
    const check = ((time >> 12) + (time >> 8) + (time >> 4) + time) & 15;
    if (check === code % 16) page.pictures.push((((now - time) % 65_536) + 65_536) % 65_536);
  };
  video.requestVideoFrameCallback(read);
  await video.play();

  const audio = new AudioContext({ sampleRate: 48_000 });
  const code = `registerProcessor('ear', class extends AudioWorkletProcessor {
    silentFor = 0;
    process([[input]]) {
      const loud = (input ?? []).some((sample) => Math.abs(sample) > 0.05);
      if (loud && this.silentFor > 0.3 * sampleRate) this.port.postMessage(Date.now());
      this.silentFor = loud ? 0 : this.silentFor + 128;
      return true;
    }
  });`;
  const blob = new Blob([code], { type: 'text/javascript' });
  await audio.audioWorklet.addModule(URL.createObjectURL(blob));
  const source = new MediaStreamAudioSourceNode(audio, {
    mediaStream: new MediaStream([trackOf('microphone')]),
  });
  const filter = new BiquadFilterNode(audio, { type: 'bandpass', frequency: 3_000, Q: 4 });
  const ear = new AudioWorkletNode(audio, 'ear', { numberOfOutputs: 0 });
  ear.port.onmessage = ({ data }) => page.heard.push(data);
  source.connect(filter).connect(ear);
}

/** In the receiving page: what it has seen and heard since the last time; hearing as clock readings. */
export function takeReceived(): { pictures: number[]; heard: number[] } {
  const page = globalThis as unknown as CodedWindow;
  return { pictures: page.pictures.splice(0), heard: page.heard.splice(0) };
}

/** In the sending page: all marks so far. */
export const marksSent = (): number[] => (globalThis as unknown as CodedWindow).marks;

/** In the sending page. */
export const sendSweep = (): Promise<number[]> => (globalThis as unknown as CodedWindow).sweep();

/** In the receiving page: the highest level of each band in what this participant sends, for so long. */
export async function hearSweep({
  participant,
  ms,
}: {
  participant: string;
  ms: number;
}): Promise<number[]> {
  const page = globalThis as unknown as CodedWindow;
  const track = page.visit.participants.get(participant as never)?.tracks.get('microphone')?.track;
  if (!track) throw new Error(`no microphone of ${participant}`);
  const context = new AudioContext({ sampleRate: 48_000 });
  const analyser = new AnalyserNode(context, { fftSize: 4096, smoothingTimeConstant: 0 });
  new MediaStreamAudioSourceNode(context, { mediaStream: new MediaStream([track]) }).connect(
    analyser,
  );
  const highest = new Float32Array(analyser.frequencyBinCount).fill(-200);
  const now = new Float32Array(analyser.frequencyBinCount);
  const timer = setInterval(() => {
    analyser.getFloatFrequencyData(now);
    now.forEach((value, at) => {
      highest[at] = Math.max(highest[at] ?? -200, value);
    });
  }, 10);
  await new Promise((resolve) => setTimeout(resolve, ms));
  clearInterval(timer);
  await context.close();
  return [...highest];
}

/** Milliseconds from each mark to when it was heard. Between two marks are two seconds: nothing later than that. */
export function soundDelays(marks: readonly number[], heard: readonly number[]): number[] {
  return heard.flatMap((at) => {
    const sent = marks.findLast((mark) => mark <= at);
    return sent === undefined || at - sent > 2_000 ? [] : [at - sent];
  });
}

/** Of a band in the spectrum of a sweep. */
const AUDIBLE_DB = -60;

/**
 * The lowest frequency, in Hz, above which a path is more than `db` below what it does around 1 kHz.
 * @param sent levels in dB of evenly spaced bands from 0 Hz to half of `sampleRate`
 */
export function upperLimit(
  sent: readonly number[],
  received: readonly number[],
  sampleRate: number,
  db: number,
): number {
  const width = sampleRate / 2 / sent.length;
  // Where nothing was sent there is no response, only noise.
  const response = sent.map((level, at) =>
    level > AUDIBLE_DB ? (received[at] ?? -200) - level : undefined,
  );
  // Smoothed over 200 Hz: a sweep does not meet every band alike.
  const around = (at: number) => {
    const reach = Math.round(100 / width);
    const near = response
      .slice(Math.max(0, at - reach), at + reach + 1)
      .filter((each) => each !== undefined);
    return near.reduce((sum, each) => sum + each, 0) / near.length;
  };
  const reference = around(Math.round(1_000 / width));
  const last = response.findLastIndex(
    (each, at) => each !== undefined && around(at) >= reference - db,
  );
  return last * width;
}
