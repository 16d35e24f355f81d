import { LIMITS } from '@bedside/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Messages } from './messages.ts';
import type { Message } from './types.ts';

const message = (number: number): Message => ({
  number,
  to: { type: 'all' },
  kind: 'chat',
  text: `text ${number}`,
  at: number,
});
function setUp() {
  const received: number[] = [];
  const messages = new Messages(({ number }) => received.push(number));
  return { messages, received, numbers: () => messages.all.map(({ number }) => number) };
}

describe('Messages', () => {
  it('tells each once and in order, whatever of it sockets and answers repeat', () => {
    const cuts = fc.array(fc.record({ answer: fc.boolean(), length: fc.nat(5) }));
    fc.assert(
      fc.property(cuts, (steps) => {
        const { messages, received, numbers } = setUp();
        // Those of others are missing.
        const all = [1, 2, 4, 5, 7, 8, 9, 12].map(message);
        let at = 0;
        for (const { answer, length } of steps) {
          // An answer repeats from the start what it is asked for; a live one comes alone.
          if (answer) messages.add(all.slice(0, at + length));
          else for (const each of all.slice(at, at + length)) messages.add([each]);
          at = Math.min(at + length, all.length);
        }
        const expected = all.slice(0, at).map(({ number }) => number);
        expect([received, numbers()]).toEqual([expected, expected]);
      }),
    );
  });

  it('keeps the newest, and asks for what is above them', () => {
    const { messages, numbers } = setUp();
    const many = LIMITS.messagesPerVisit + 3;
    messages.add(Array.from({ length: many }, (_, index) => message(index + 1)));
    expect([numbers().length, numbers()[0], messages.last]).toEqual([many - 3, 4, many]);
  });

  it('gives a page another array with each message', () => {
    const { messages } = setUp();
    const before = messages.all;
    messages.add([message(1)]);
    expect(messages.all).not.toBe(before);
  });

  it('begins anew when cleared', () => {
    const { messages, received } = setUp();
    messages.add([message(3)]);
    messages.clear();
    messages.add([message(1)]);
    expect(received).toEqual([3, 1]);
  });
});
