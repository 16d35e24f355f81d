/** Mono samples, and how many of them a second has. */
export interface Recording {
  rate: number;
  samples: Float64Array;
}

/** Amplitude of one frequency, full scale being 1. Exact where the window has whole periods. */
export function amplitude({ rate, samples }: Recording, hz: number): number {
  let [real, imaginary] = [0, 0];
  samples.forEach((sample, i) => {
    const phase = (2 * Math.PI * hz * i) / rate;
    real += sample * Math.cos(phase);
    imaginary += sample * Math.sin(phase);
  });
  return (2 * Math.hypot(real, imaginary)) / samples.length;
}

/** The same in decibels below full scale. */
export const decibels = (recording: Recording, hz: number): number =>
  20 * Math.log10(amplitude(recording, hz));

/** The largest sample. */
export const peak = ({ samples }: Recording): number =>
  samples.reduce((largest, sample) => Math.max(largest, Math.abs(sample)), 0);

/** The largest difference between two samples that follow each other: what a click is. */
export const largestJump = ({ samples }: Recording): number =>
  samples.reduce(
    (largest, sample, i) => Math.max(largest, Math.abs(sample - (samples[i - 1] ?? sample))),
    0,
  );

/**
 * The largest change of gain from one sample to the next in a recording of one pure tone: each
 * sample and its slope together give the tone's amplitude at that moment.
 */
export function steepest({ rate, samples }: Recording, hz: number): number {
  const slope = 2 * Math.sin((2 * Math.PI * hz) / rate);
  const at = (i: number) => samples[i] as number;
  const gain = (i: number) => Math.hypot(at(i), (at(i + 1) - at(i - 1)) / slope);
  let largest = 0;
  for (let i = 2; i < samples.length - 1; i++) {
    largest = Math.max(largest, Math.abs(gain(i) - gain(i - 1)));
  }
  return largest;
}
