/** A ring that is heard and seen: sound, the tab's title, and a notification where it was permitted. */
const RING_EVERY_S = 2;
/** Two tones, as telephones have: Hz and the seconds at which they begin. */
const TONES = [
  [659, 0],
  [523, 0.35],
];
const TONE_S = 0.3;
const LOUDNESS = 0.25;

export class Alarm {
  #audio;
  #ring;
  #timer;
  #title;
  #notification;

  /** In a click: browsers play no sound before one. Resolves when it can ring aloud. */
  async arm() {
    this.#audio ??= new AudioContext();
    await this.#audio.resume();
  }

  /** It would be heard. */
  get isArmed() {
    return this.#audio?.state === 'running';
  }

  get isRinging() {
    return this.#timer !== undefined;
  }

  /** @param text for title and notification: no name, as screens are seen by others */
  start(text) {
    if (this.isRinging) return;
    this.#title = document.title;
    let isOdd = false;
    const flash = () => {
      isOdd = !isOdd;
      document.title = `${isOdd ? '☎' : '●'} ${text}`;
      this.#play();
    };
    flash();
    this.#timer = setInterval(flash, 1000 * RING_EVERY_S);
    this.#notify(text);
  }

  stop() {
    if (!this.isRinging) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#ring?.stop();
    this.#ring = undefined;
    document.title = this.#title;
    this.#notification?.close();
    this.#notification = undefined;
  }

  /** The sound repeats by itself: timers of a page in the background are late. */
  #play() {
    if (this.#ring || !this.#audio) return;
    const buffer = ringOnce(this.#audio.sampleRate);
    this.#ring = new AudioBufferSourceNode(this.#audio, { buffer, loop: true });
    this.#ring.connect(this.#audio.destination);
    this.#ring.start();
  }

  #notify(text) {
    if (globalThis.Notification?.permission !== 'granted') return;
    try {
      this.#notification = new Notification(text, {
        tag: 'bedside-ring',
        requireInteraction: true,
      });
      this.#notification.addEventListener('click', () => window.focus());
    } catch {
      // Phones show notifications of service workers only.
    }
  }
}

/** Both tones, each swelling quickly and fading, and the silence until the next ring. */
function ringOnce(sampleRate) {
  const buffer = new AudioBuffer({ length: RING_EVERY_S * sampleRate, sampleRate });
  const samples = buffer.getChannelData(0);
  for (const [frequency, begin] of TONES) {
    const first = Math.round(begin * sampleRate);
    for (let at = 0; at < TONE_S * sampleRate; at += 1) {
      const seconds = at / sampleRate;
      const swell = Math.min(1, seconds / 0.02) * (1 - seconds / TONE_S);
      samples[first + at] += LOUDNESS * swell * Math.sin(2 * Math.PI * frequency * seconds);
    }
  }
  return buffer;
}
