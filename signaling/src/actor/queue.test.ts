import * as fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { TaskQueue } from './queue.ts';

const nothing = () => {};
const bound = (limit: number) => ({ front: limit, back: limit });

test('tasks run one at a time, in the order in which they came', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ turns: fc.nat(3), fails: fc.boolean() })),
      async (all) => {
        const queue = new TaskQueue(bound(1_000), nothing);
        const log: string[] = [];
        const outcomes = await Promise.allSettled(
          all.map(({ turns, fails }, index) =>
            queue.run(async () => {
              log.push(`begin ${index}`);
              for (let turn = 0; turn < turns; turn++) await Promise.resolve();
              log.push(`end ${index}`);
              if (fails) throw new Error('of the task');
            }),
          ),
        );
        expect(log).toEqual(all.flatMap((_, index) => [`begin ${index}`, `end ${index}`]));
        expect(outcomes.map(({ status }) => status === 'rejected')).toEqual(
          all.map(({ fails }) => fails),
        );
      },
    ),
  );
});

test('a task past the bound is refused at once, with a time to try again, and is not run', async () => {
  const queue = new TaskQueue(bound(2), nothing);
  const gate = Promise.withResolvers<void>();
  const waiting = [queue.run(() => gate.promise), queue.run(nothing)];
  const refused = vi.fn();
  await expect(queue.run(refused)).rejects.toMatchObject({
    code: 'rate-limited',
    retryAfterMs: expect.any(Number),
  });
  gate.resolve();
  await Promise.all(waiting);
  expect(refused).not.toHaveBeenCalled();
  await expect(queue.run(() => 'again')).resolves.toBe('again');
});

test('what must not be refused is taken past the bound, in its turn', async () => {
  const queue = new TaskQueue(bound(1), nothing);
  const log: string[] = [];
  const gate = Promise.withResolvers<void>();
  const first = queue.run(() => gate.promise.then(() => log.push('first')));
  const second = queue.always(() => log.push('second'));
  gate.resolve();
  await Promise.all([first, second]);
  expect(log).toEqual(['first', 'second']);
});

test('it is idle, and says so, when the last task has ended and not before', async () => {
  const idle: number[] = [];
  let ended = 0;
  const queue = new TaskQueue(bound(10), () => idle.push(ended));
  expect(queue.idle).toBe(true);
  const tasks = [1, 2, 3].map((each) =>
    queue.run(() => {
      ended = each;
      if (each === 3) throw new Error('the last one fails');
    }),
  );
  expect(queue.idle).toBe(false);
  await Promise.allSettled(tasks);
  await Promise.resolve();
  expect(queue.idle).toBe(true);
  expect(idle).toEqual([3]);
});

test('a task that queues another does not make it idle in between', async () => {
  const onIdle = vi.fn();
  const queue = new TaskQueue(bound(10), onIdle);
  let inner: Promise<void> | undefined;
  await queue.run(() => {
    inner = queue.run(nothing);
  });
  expect(onIdle).not.toHaveBeenCalled();
  await inner;
  await Promise.resolve();
  expect(onIdle).toHaveBeenCalledTimes(1);
});

test('what waits at the back begins where nothing waits at the front, in its own order', async () => {
  const queue = new TaskQueue(bound(10), nothing);
  const log: string[] = [];
  const task = (name: string, then?: () => void) => () => {
    log.push(name);
    then?.();
  };
  const all = [
    queue.run(task('back 1'), 'back'),
    queue.run(
      task('back 2', () => all.push(queue.run(task('front 3')))),
      'back',
    ),
    queue.run(task('back 3'), 'back'),
    queue.run(task('front 1')),
    queue.run(task('front 2')),
  ];
  await Promise.all(all);
  await all.at(-1);
  expect(log).toEqual(['front 1', 'front 2', 'back 1', 'back 2', 'front 3', 'back 3']);
});

test('a full back leaves room at the front', async () => {
  const queue = new TaskQueue({ front: 1, back: 1 }, nothing);
  const gate = Promise.withResolvers<void>();
  const back = queue.run(() => gate.promise, 'back');
  await expect(queue.run(nothing, 'back')).rejects.toMatchObject({ code: 'rate-limited' });
  const front = queue.run(() => 'in');
  gate.resolve();
  await expect(front).resolves.toBe('in');
  await back;
});
