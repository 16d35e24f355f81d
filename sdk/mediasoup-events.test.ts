import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { enhancedEvents } from 'mediasoup-client';
import { describe, expect, it } from 'vitest';
import { EnhancedEventEmitter } from './mediasoup-events.ts';

const names = ['connect', '@close'] as const;
type Name = (typeof names)[number];
/** Something that is done, by the test or by a listener. */
type Step =
  | { act: 'on' | 'once'; name: Name; id: number; does: Step[]; throws: boolean }
  | { act: 'off'; name: Name; id: number }
  | { act: 'emit' | 'safeEmit' | 'listenerCount'; name: Name }
  | { act: 'close' };

const name = fc.constantFrom(...names);
const id = fc.nat(3);
const simple: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ act: fc.constant('off' as const), name, id }),
  fc.record({ act: fc.constantFrom('safeEmit' as const, 'listenerCount' as const), name }),
  fc.constant({ act: 'close' as const }),
);
const steps = fc.array(
  fc.oneof(
    simple,
    fc.record({ act: fc.constant('emit' as const), name }),
    fc.record({
      act: fc.constantFrom('on' as const, 'once' as const),
      name,
      id,
      does: fc.array(simple, { maxLength: 2 }),
      throws: fc.boolean(),
    }),
  ),
  { maxLength: 12 },
);

/** All that is seen of an emitter: what it answers, what it throws, whom it calls with what. */
function historyOf(emitter: EnhancedEventEmitter, all: Step[]): unknown[] {
  const seen: unknown[] = [];
  const listeners = new Map<number, (...args: unknown[]) => void>();
  let depth = 0;
  emitter.on('listenererror', (...args) => seen.push(['listenererror', ...args]));
  const listenerOf = (n: number, does: Step[], throws: boolean) => {
    const listener = (...args: unknown[]) => {
      seen.push(['called', n, ...args]);
      // A listener that emits would be called by it, and go on for ever.
      if (depth < 3) for (const step of does) take(step);
      if (throws) throw `thrown by ${n}`;
    };
    listeners.set(n, listeners.get(n) ?? listener);
    return listeners.get(n) as typeof listener;
  };
  const take = (step: Step): void => {
    depth += 1;
    try {
      switch (step.act) {
        case 'on':
        case 'once':
          emitter[step.act](step.name, listenerOf(step.id, step.does, step.throws));
          break;
        case 'off':
          emitter.off(step.name, listenerOf(step.id, [], false));
          break;
        case 'emit':
        case 'safeEmit':
          seen.push([step.act, emitter[step.act](step.name, step.act, 7)]);
          break;
        case 'listenerCount':
          seen.push([step.act, emitter.listenerCount(step.name)]);
          break;
        case 'close':
          emitter.close();
      }
    } catch (error) {
      seen.push(['threw', error]);
    }
    depth -= 1;
  };
  for (const step of all) take(step);
  return seen;
}

describe('the EventEmitter in the scripts', () => {
  it('does what that of mediasoup-client does', () => {
    fc.assert(
      fc.property(steps, (all) => {
        const original = new enhancedEvents.EnhancedEventEmitter<never>();
        expect(historyOf(new EnhancedEventEmitter(), all)).toEqual(
          historyOf(original as unknown as EnhancedEventEmitter, all),
        );
      }),
      { numRuns: 2_000 },
    );
  });

  it('has every method that mediasoup-client calls', () => {
    const lib = dirname(createRequire(import.meta.url).resolve('mediasoup-client'));
    const sources = readdirSync(lib, { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.js'))
      .filter((file) => !/^test\/|enhancedEvents|FakeHandler|ReactNative/.test(file))
      .map((file) => readFileSync(join(lib, file), 'utf8'))
      .join('\n');
    const methods = Object.getOwnPropertyNames(enhancedEvents.EnhancedEventEmitter.prototype);
    const called = methods.filter((method) => sources.includes(`.${method}(`));
    expect(called).toContain('safeEmit');
    expect(Object.getOwnPropertyNames(EnhancedEventEmitter.prototype)).toEqual(
      expect.arrayContaining(called),
    );
  });
});
