import { describe, expect, it } from 'vitest';
import { render, SAMPLE_RATE, SCORES } from './scores.ts';

const sounds = Object.entries(SCORES);

describe('render', () => {
  it.each(sounds)('%s is low, and is not silent', (_, score) => {
    const samples = render(score);
    const peak = samples.reduce((largest, sample) => Math.max(largest, Math.abs(sample)), 0);
    expect(peak).toBeGreaterThan(0.05);
    expect(peak).toBeLessThan(0.25);
  });

  it.each(sounds)('%s has no click, where it begins again neither', (_, score) => {
    const samples = render(score);
    // No sine of this peak and of the highest pitch's octave is steeper.
    const highest = Math.max(...score.notes.map(({ pitch }) => pitch)) + 12;
    const steepest = (0.25 * 2 * Math.PI * 440 * 2 ** ((highest - 69) / 12)) / SAMPLE_RATE;
    const steps = samples.map((sample, i) => Math.abs(sample - (samples.at(i - 1) as number)));
    expect(steps.reduce((a, b) => Math.max(a, b))).toBeLessThan(steepest);
  });

  it('a note is the tone that its number says', () => {
    const samples = render({
      notes: [{ at: 0, pitch: 69 }],
      ring: 1,
      level: 1,
      seconds: 1,
      loops: false,
      fade: 0,
    });
    const upwards = samples.filter((sample, i) => sample >= 0 && (samples[i - 1] ?? 0) < 0);
    expect(upwards.length).toBeGreaterThan(437);
    expect(upwards.length).toBeLessThan(442);
  });

  it('what rings past the end of a loop goes on at its beginning', () => {
    const score = { ring: 1, level: 1, seconds: 1, loops: true, fade: 0 };
    const samples = render({ ...score, notes: [{ at: 0.5, pitch: 69 }] });
    const start = render({ ...score, notes: [{ at: 0, pitch: 69 }] });
    const half = SAMPLE_RATE / 2;
    expect(samples.slice(half)).toEqual(start.slice(0, half));
    expect(samples.slice(0, half)).toEqual(start.slice(half));
  });
});
