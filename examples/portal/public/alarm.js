/** A ring that is heard and seen: sound, the tab's title, and a notification where it was permitted. */
const RING_EVERY_MS = 2000;
/** Two tones, as telephones have: Hz and the seconds at which they begin. */
const TONES = [
  [659, 0],
  [523, 0.35],
];

export class Alarm {
  #audio;
  #timer;
  #title;
  #notification;

  /** In a click: browsers play no sound before one. */
  arm() {
    this.#audio ??= new AudioContext();
    void this.#audio.resume();
  }

  get isRinging() {
    return this.#timer !== undefined;
  }

  /** @param text for title and notification: no name, as screens are seen by others */
  start(text) {
    if (this.isRinging) return;
    this.#title = document.title;
    let isOdd = false;
    const ring = () => {
      isOdd = !isOdd;
      document.title = `${isOdd ? '☎' : '●'} ${text}`;
      this.#play();
    };
    ring();
    this.#timer = setInterval(ring, RING_EVERY_MS);
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

  stop() {
    if (!this.isRinging) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    document.title = this.#title;
    this.#notification?.close();
  }

  #play() {
    if (this.#audio?.state !== 'running') return;
    for (const [frequency, delay] of TONES) {
      const at = this.#audio.currentTime + delay;
      const tone = new OscillatorNode(this.#audio, { frequency });
      const gain = new GainNode(this.#audio, { gain: 0 });
      gain.gain.setValueAtTime(0, at);
      gain.gain.linearRampToValueAtTime(0.2, at + 0.02);
      gain.gain.exponentialRampToValueAtTime(0.001, at + 0.3);
      tone.connect(gain).connect(this.#audio.destination);
      tone.start(at);
      tone.stop(at + 0.32);
    }
  }
}
