import type { CallId, Need, ParticipantId } from '@bedside/protocol';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { acceptCall, Call, cancelCall, exhaustCall, startCall } from './call.ts';

const NOW = 1_800_000_000_000;
const RING_MS = 30_000;
const ana = 'ana' as ParticipantId;
const ben = 'ben' as ParticipantId;

const order = (groups: Need[]) => ({
  id: 'call-1' as CallId,
  by: 'provider' as ParticipantId,
  role: 'specialist' as const,
  groups,
  ringMs: RING_MS,
});
const call = startCall(
  order([{ specialty: 'cardiology', language: 'es' }, { language: 'es' }]),
  NOW,
);
const second = exhaustCall(call, 0, NOW);
const unanswered = exhaustCall(second, 1, NOW);

test('a call rings its first group for the ring time', () => {
  expect(call).toMatchObject({ state: 'ringing', index: 0, until: NOW + RING_MS });
});

test('the next group rings, for the whole time, once nobody of the one before is left to ask', () => {
  const later = NOW + 1_000;
  expect(exhaustCall(call, 0, later)).toEqual({ ...call, index: 1, until: later + RING_MS });
});

test('a call is unanswered once nobody of the last group is left to ask', () => {
  expect(unanswered).toEqual({ ...second, state: 'unanswered' });
});

test('a late word on a group that was passed changes nothing', () => {
  expect(exhaustCall(second, 0, NOW)).toBe(second);
});

test('the first who accepts has it', () => {
  const accepted = acceptCall(call, ana);
  expect(accepted).toEqual({ ...call, state: 'accepted', acceptedBy: ana });
  expect(acceptCall(accepted, ben)).toBe(accepted);
});

test('who accepted as the call was given up has it; as it was cancelled, not', () => {
  expect(acceptCall(unanswered, ana)).toMatchObject({ state: 'accepted', acceptedBy: ana });
  const cancelled = cancelCall(call);
  expect(cancelled).toEqual({ ...call, state: 'cancelled' });
  expect(acceptCall(cancelled, ana)).toBe(cancelled);
});

describe('over whatever history', () => {
  type Step =
    | { type: 'exhaust'; index: number }
    | { type: 'accept'; person: ParticipantId }
    | { type: 'cancel' };
  const step: fc.Arbitrary<Step> = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        type: fc.constant('exhaust' as const),
        index: fc.integer({ min: 0, max: 4 }),
      }),
    },
    fc.record({ type: fc.constant('accept' as const), person: fc.constantFrom(ana, ben) }),
    fc.constant({ type: 'cancel' as const }),
  );
  const groups = fc.array(fc.constant({}), { minLength: 1, maxLength: 4 });

  const take = (before: Call, said: Step, now: number): Call => {
    if (said.type === 'accept') return acceptCall(before, said.person);
    return said.type === 'cancel' ? cancelCall(before) : exhaustCall(before, said.index, now);
  };

  test('groups ring in order, and over is over, but for who accepted as it was given up', () => {
    fc.assert(
      fc.property(groups, fc.array(step, { maxLength: 30 }), (needs, steps) => {
        let now = NOW;
        let before = startCall(order(needs), now);
        for (const said of steps) {
          now += 1;
          const after = take(before, said, now);
          expect(Call.parse(JSON.parse(JSON.stringify(after)))).toEqual(after);
          if (after !== before && before.state !== 'ringing')
            expect([before.state, after.state]).toEqual(['unanswered', 'accepted']);
          if (after.index !== before.index)
            expect(after).toMatchObject({ index: before.index + 1, until: now + RING_MS });
          expect(after.acceptedBy !== undefined).toBe(after.state === 'accepted');
          before = after;
        }
        for (let i = 0; i < needs.length; i += 1) before = exhaustCall(before, before.index, now);
        expect(before.state).not.toBe('ringing');
      }),
    );
  });
});
