import { BedsideError, clientCommands } from '@bedside/protocol';
import { createLog } from '@bedside/service';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createMetrics } from '../metrics.ts';
import { CommandDesk, MAX_IN_FLIGHT, type Run } from './commands.ts';

/** A desk, and what it did. */
function deskOf(run: Run = async () => ({}), take: () => number = () => 0) {
  const ran: { name: string; request: unknown }[] = [];
  const lines: string[] = [];
  const metrics = createMetrics();
  const desk = new CommandDesk({
    commands: clientCommands,
    take,
    run: async (name, request) => {
      ran.push({ name, request });
      return run(name, request);
    },
    telemetry: metrics.gateway,
    log: createLog('gateway', 'trace', { write: (line) => void lines.push(line) }),
  });
  return {
    desk,
    ran,
    logged: () => lines.join(''),
    /** The acknowledgements to one event. */
    async answersTo(...event: unknown[]): Promise<unknown[]> {
      const answers: unknown[] = [];
      await desk.receive([...event, (answer: unknown) => answers.push(answer)]);
      return answers;
    },
    async counted(name: string, labels: Record<string, string>): Promise<number> {
      const metric = await metrics.registry.getSingleMetric(name)?.get();
      const fits = (found: Partial<Record<string, string | number>>) =>
        Object.entries(labels).every(([key, value]) => found[key] === value);
      return metric?.values.find((sample) => fits(sample.labels))?.value ?? 0;
    },
  };
}

const LEAVE = { requestId: 'r1' };

describe('a command', () => {
  test('is answered once, with what it gave', async () => {
    const { answersTo, ran } = deskOf(async () => ({ producerId: 'p' }));
    expect(await answersTo('leave', LEAVE)).toEqual([{ ok: true, data: { producerId: 'p' } }]);
    expect(ran).toEqual([{ name: 'leave', request: LEAVE }]);
  });

  test('runs with what its schema knows and nothing else', async () => {
    const { answersTo, ran } = deskOf();
    await answersTo('leave', { ...LEAVE, isAdmin: true, ['__proto__']: { a: 1 } });
    expect(ran[0]?.request).toEqual(LEAVE);
  });

  test('that fails is answered with its error', async () => {
    const { answersTo, logged } = deskOf(async () => {
      throw new BedsideError('not-found');
    });
    expect(await answersTo('leave', LEAVE)).toMatchObject([
      { ok: false, error: { code: 'not-found' } },
    ]);
    expect(logged()).toBe('');
  });

  test('whose fault is ours is answered without the reason, which is logged once', async () => {
    const { answersTo, logged, counted } = deskOf(async () => {
      throw new TypeError('MARKED');
    });
    const [answer] = await answersTo('leave', LEAVE);
    expect(answer).toMatchObject({ ok: false, error: { code: 'internal' } });
    expect(JSON.stringify(answer)).not.toContain('MARKED');
    expect(logged().match(/command failed/g)).toHaveLength(1);
    expect(await counted('bedside_gateway_internal_errors_total', { where: 'command' })).toBe(1);
  });

  test('of the wrong shape names the field and is not run', async () => {
    const { answersTo, ran } = deskOf();
    expect(await answersTo('pause-producer', { ...LEAVE, paused: 1 })).toMatchObject([
      { ok: false, error: { code: 'invalid-request', field: 'producerId' } },
    ]);
    expect(ran).toEqual([]);
  });

  test('that nobody waits for is dropped, counted, and takes from the bucket all the same', async () => {
    let taken = 0;
    const { desk, ran, counted } = deskOf(undefined, () => {
      taken += 1;
      return 0;
    });
    const dropped: unknown[][] = [['end', LEAVE], ['end'], [], [() => undefined]];
    for (const event of dropped) await desk.receive(event);
    expect(ran).toEqual([]);
    expect(taken).toBe(dropped.length);
    expect(await counted('bedside_gateway_ignored_events_total', {})).toBe(dropped.length);
  });

  test('over the rate is told how long to wait, before anything else is looked at', async () => {
    const { answersTo, ran, counted } = deskOf(undefined, () => 1234);
    for (const name of ['leave', 'no-such-thing']) {
      expect(await answersTo(name, 'wrong')).toMatchObject([
        { ok: false, error: { code: 'rate-limited', retryAfterMs: 1234 } },
      ]);
    }
    expect(ran).toEqual([]);
    expect(await counted('bedside_gateway_limited_total', { scope: 'socket' })).toBe(2);
  });

  test('beyond those that may be under way is refused, and let through once one has ended', async () => {
    const open: (() => void)[] = [];
    const { answersTo } = deskOf(() => new Promise((resolve) => open.push(() => resolve({}))));
    const under = Array.from({ length: MAX_IN_FLIGHT }, () => answersTo('leave', LEAVE));
    expect(await answersTo('leave', LEAVE)).toMatchObject([{ error: { code: 'rate-limited' } }]);
    open.shift()?.();
    await under[0];
    const next = answersTo('leave', LEAVE);
    for (const end of open) end();
    expect(await next).toMatchObject([{ ok: true }]);
    await Promise.all(under);
  });
});

test('names that are no command are answered alike and counted under one label', async () => {
  const desk = deskOf();
  const names = ['', 'error', '__proto__', 'constructor', 'toString', 7, null, {}, 'x'.repeat(999)];
  for (const name of names) {
    expect(await desk.answersTo(name, LEAVE)).toMatchObject([
      { ok: false, error: { code: 'unknown-command' } },
    ]);
  }
  expect(desk.ran).toEqual([]);
  expect(await desk.counted('bedside_gateway_commands_total', { command: 'unknown' })).toBe(
    names.length,
  );
});

test('whatever comes in, the desk answers once, with a code, and throws nothing', async () => {
  const name = fc.oneof(
    fc.constantFrom(...Object.keys(clientCommands)),
    fc.string(),
    fc.anything(),
  );
  await fc.assert(
    fc.asyncProperty(name, fc.array(fc.anything(), { maxLength: 3 }), async (name, args) => {
      const { answersTo } = deskOf();
      const answers = await answersTo(name, ...args);
      expect(answers).toHaveLength(1);
      expect(answers[0]).toMatchObject({ ok: expect.any(Boolean) });
    }),
  );
});
