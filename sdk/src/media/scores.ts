/** Samples a second: enough for the highest partial below, with room for the browser's resampling. */
export const SAMPLE_RATE = 24_000;

const TAU = 2 * Math.PI;
/** A note reaches its level in this time. */
const ATTACK_SECONDS = 0.012;
/** Of the fundamental and its octave: a soft, bell-like tone. */
const PARTIALS = [1, 0.2];

interface Note {
  /** Seconds from the start. */
  at: number;
  /** A MIDI note number: 69 is A at 440 Hz. */
  pitch: number;
}

export interface Score {
  notes: readonly Note[];
  /** How long one note rings, in seconds. */
  ring: number;
  /** Peak of one note, full scale being 1. */
  level: number;
  /** Length in seconds. What rings longer goes on at the beginning, so that a loop has no seam. */
  seconds: number;
  /** Goes on until it is stopped. */
  loops: boolean;
  /** Time constant of fading in and out, in seconds. */
  fade: number;
}

/** Notes at equal distances, in seconds, from the start. */
const row = (distance: number, ...pitches: number[]): Note[] =>
  pitches.map((pitch, index) => ({ at: index * distance, pitch }));

export type SoundName = 'hold' | 'chime' | 'ring' | 'message';

export const SCORES: Readonly<Record<SoundName, Score>> = {
  /** Music for who is on hold: four slow broken chords. */
  hold: {
    notes: row(0.8, 48, 55, 64, 67, 71, 45, 52, 60, 64, 67, 41, 48, 57, 60, 64, 43, 50, 59, 62, 69),
    ring: 4,
    level: 0.035,
    seconds: 16,
    loops: true,
    fade: 0.4,
  },
  /** Somebody waits, or has come. */
  chime: { notes: row(0.16, 79, 84), ring: 1, level: 0.1, seconds: 1.2, loops: false, fade: 0.02 },
  /** Somebody on call is wanted. */
  ring: {
    notes: row(0.13, 72, 76, 79, 76, 79, 84),
    ring: 0.7,
    level: 0.12,
    seconds: 3,
    loops: true,
    fade: 0.02,
  },
  message: {
    notes: row(0.09, 88, 81),
    ring: 0.4,
    level: 0.06,
    seconds: 0.6,
    loops: false,
    fade: 0.02,
  },
};

/** The sound as samples, `SAMPLE_RATE` a second. */
export function render({ notes, ring, level, seconds }: Score): Float32Array<ArrayBuffer> {
  const samples = new Float32Array(Math.round(seconds * SAMPLE_RATE));
  const length = Math.round(ring * SAMPLE_RATE);
  // Down to a hundredth at the end of the note, and the taper takes the rest.
  const decay = 0.01 ** (1 / length);
  for (const { at, pitch } of notes) {
    const first = Math.round(at * SAMPLE_RATE);
    PARTIALS.forEach((share, index) => {
      const step = (TAU * 440 * 2 ** ((pitch - 69) / 12) * (index + 1)) / SAMPLE_RATE;
      // A decaying sine, each sample from the two before it.
      const turn = 2 * decay * Math.cos(step);
      let before = 0;
      let value = level * share * decay * Math.sin(step);
      for (let i = 1; i < length; i++) {
        const shape = Math.min(i / (ATTACK_SECONDS * SAMPLE_RATE), 1) * (1 - i / length);
        (samples[(first + i) % samples.length] as number) += value * shape;
        [before, value] = [value, turn * value - decay * decay * before];
      }
    });
  }
  return samples;
}
