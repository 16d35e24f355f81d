import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { en } from '../texts/en.ts';
import { fill } from '../texts/index.ts';
import { type Announcement, announced, changesToSay, type Heard } from './announcer.ts';
import { fakeParticipant, publicationOf } from './testing/fake-visit.ts';

const t = (key: keyof typeof en.ui, values = {}): string => fill(en.ui[key], values);
const words = { t, texts: en };
const ana = (now: Partial<Heard> = {}) => {
  const { microphone = true, screen = false, exam = false, connected = true } = now;
  const one = fakeParticipant({ id: 'a', role: 'patient', name: 'Ana', camera: false, microphone });
  one.connection = connected ? 'connected' : 'reconnecting';
  if (screen) one.tracks.set('screen', publicationOf('screen', undefined));
  if (exam) one.tracks.set('exam', publicationOf('exam', undefined));
  if (now.waiting) one.state = 'waiting';
  if (now.hand) one.handRaisedAt = 1;
  return one;
};
const before: Heard = {
  microphone: true,
  screen: false,
  exam: false,
  connected: true,
  waiting: false,
  hand: false,
};

describe('changesToSay()', () => {
  it.each([
    ['the microphone went off', { microphone: false }, before, ['Ana turned the microphone off']],
    [
      'the microphone went on',
      {},
      { ...before, microphone: false },
      ['Ana turned the microphone on'],
    ],
    ['a screen is shown', { screen: true }, before, ['Ana is showing the screen']],
    ['a screen is shown no more', {}, { ...before, screen: true }, []],
    ['an exam camera is shown', { exam: true }, before, ['Ana is showing an exam camera']],
    ['an exam camera is shown no more', {}, { ...before, exam: true }, []],
    ['the connection is lost', { connected: false }, before, ['Ana lost the connection']],
    ['the connection is back', {}, { ...before, connected: false }, ['Ana is connected again']],
    ['they were let in', {}, { ...before, waiting: true }, ['Ana joined the visit']],
    ['a hand is raised', { hand: true }, before, ['Ana raised a hand']],
    ['a hand is lowered', {}, { ...before, hand: true }, []],
    ['nothing changed', {}, before, []],
  ] as const)('says that %s', (_, now, then, lines) =>
    expect(changesToSay(words, ana(now), then)).toEqual(lines),
  );

  it('says nothing of a microphone that is new: somebody has just come', () => {
    expect(changesToSay(words, ana(), { ...before, microphone: undefined })).toEqual([]);
    expect(changesToSay(words, ana({ microphone: false }), undefined)).toEqual([]);
  });

  it('says at the first look that a screen is shown already', () => {
    expect(changesToSay(words, ana({ screen: true }), undefined)).toEqual([
      'Ana is showing the screen',
    ]);
  });
});

describe('announced()', () => {
  it('adds each line anew, equal ones too, and lets the oldest go', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('on', 'off'), { maxLength: 30 }), (texts) => {
        const lines = texts.reduce<Announcement[]>(announced, []);
        expect(lines.map(({ text }) => text)).toEqual(texts.slice(-4));
        expect(lines.map(({ id }) => id)).toEqual(
          lines.map((_, index) => Math.max(0, texts.length - 4) + index + 1),
        );
      }),
    );
  });
});
