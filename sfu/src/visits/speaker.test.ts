import { ProducerId } from '@bedside/protocol';
import { describe, expect, test } from 'vitest';
import { hear, NOBODY_SPEAKS, type SpeakerEvent, speakerOf } from './speaker.ts';

const a = ProducerId.parse('a');
const b = ProducerId.parse('b');
const after = (...events: SpeakerEvent[]) => speakerOf(events.reduce(hear, NOBODY_SPEAKS));

describe('speaker', () => {
  test('a dominant speaker who makes no sound does not speak', () => {
    expect(after({ type: 'dominant', producerId: a })).toBeNull();
  });

  test('sound makes the dominant speaker speak', () => {
    expect(after({ type: 'dominant', producerId: a }, { type: 'sound', loudest: b })).toBe(a);
  });

  test('before anybody dominates, the loudest speaks', () => {
    expect(after({ type: 'sound', loudest: b })).toBe(b);
  });

  test('silence means nobody, and the same speaker may begin again', () => {
    const spoken: SpeakerEvent[] = [
      { type: 'dominant', producerId: a },
      { type: 'sound', loudest: a },
      { type: 'silence' },
    ];
    expect(after(...spoken)).toBeNull();
    expect(after(...spoken, { type: 'sound', loudest: a })).toBe(a);
  });

  test('a microphone that was closed does not speak', () => {
    expect(
      after(
        { type: 'dominant', producerId: a },
        { type: 'sound', loudest: a },
        { type: 'closed', producerId: a },
      ),
    ).toBeNull();
  });
});
