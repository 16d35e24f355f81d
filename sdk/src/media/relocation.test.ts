import type { ConsumerParameters } from '@bedside/protocol';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Relocation, type WatchedPath } from './relocation.ts';
import type { Received } from './steadiness.ts';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

const SOUND = 'a microphone';
const parametersOf = (name: string, key: string) => {
  const [participantId, source] = key.split(' ');
  return { consumerId: `${name} ${key}`, participantId, source } as unknown as ConsumerParameters;
};

/** Receives fifty packets a second of each key. */
class FakePath implements WatchedPath {
  isConnected = true;
  readonly name: string;
  readonly keys = new Set<string>();
  readonly #since = new Map<string, number>();

  constructor(name: string, ...keys: string[]) {
    this.name = name;
    for (const key of keys) this.keys.add(key);
  }

  get received() {
    return [...this.keys].map((key) => [parametersOf(this.name, key), {} as never] as const);
  }

  async snapshot(): Promise<Map<string, Received>> {
    const now = performance.now();
    return new Map(
      [...this.keys].map((key) => {
        const since = this.#since.get(key) ?? now;
        this.#since.set(key, since);
        return [key, { packets: (now - since) / 20, samples: 1 }];
      }),
    );
  }
}

function setUp(old: FakePath, next: FakePath, sent: Promise<unknown> = Promise.resolve()) {
  const log: string[] = [];
  const relocation = new Relocation(old, next, sent, {
    take: ({ consumerId }) => void log.push(consumerId),
    switched: () => void log.push('switched'),
  });
  return { relocation, log, pass: (ms: number) => vi.advanceTimersByTimeAsync(ms) };
}

describe('Relocation', () => {
  it('takes all at once, and only then says so', async () => {
    const [old, next] = [new FakePath('old', SOUND, 'b microphone'), new FakePath('next', SOUND)];
    const { relocation, log, pass } = setUp(old, next);
    await pass(4_000);
    expect([log, relocation.playing.name]).toEqual([[], 'old']);
    next.keys.add('b microphone');
    await pass(1_000);
    expect(log).toEqual(['next a microphone', 'next b microphone', 'switched']);
    expect(relocation.playing.name).toBe('next');
    expect(relocation.plays(next, parametersOf('next', SOUND))).toBe(true);
    expect(relocation.plays(old, parametersOf('old', SOUND))).toBe(false);
  });

  it('plays the old path until then', async () => {
    const [old, next] = [new FakePath('old', SOUND), new FakePath('next')];
    const { relocation, pass } = setUp(old, next);
    await pass(2_000);
    expect(relocation.plays(next, parametersOf('next', SOUND))).toBe(false);
    expect(relocation.plays(old, parametersOf('old', SOUND))).toBe(true);
  });

  it.each([
    ['is not connected', { isConnected: false }, async () => {}],
    ['has not all that is sent', {}, () => new Promise(() => {})],
    ['does not get all that is sent', {}, () => Promise.reject(new Error())],
  ])('waits while the new path %s', async (_, path, send) => {
    const next = Object.assign(new FakePath('next', SOUND), path);
    const { log, pass } = setUp(new FakePath('old', SOUND), next, send());
    await pass(5_000);
    expect(log).toEqual([]);
  });

  it('takes what comes later as soon as that is as good', async () => {
    const [old, next] = [new FakePath('old', SOUND), new FakePath('next', SOUND)];
    const { log, pass } = setUp(old, next);
    await pass(2_000);
    old.keys.add('c microphone');
    await pass(2_000);
    expect(log).toEqual(['next a microphone', 'switched']);
    next.keys.add('c microphone');
    next.keys.add('d microphone');
    await pass(250);
    expect(log.slice(2)).toEqual(['next d microphone']);
    await pass(1_000);
    expect(log.slice(3)).toEqual(['next c microphone']);
  });

  it('leaves it to the gateway after a while, and is still once it is closed', async () => {
    const [old, next] = [new FakePath('old', SOUND), new FakePath('next')];
    const { log, pass } = setUp(old, next);
    await pass(13_000);
    next.keys.add(SOUND);
    await pass(5_000);
    expect([log, vi.getTimerCount()]).toEqual([[], 0]);
    const other = setUp(old, next);
    other.relocation.close();
    await pass(5_000);
    expect([other.log, vi.getTimerCount()]).toEqual([[], 0]);
  });
});
