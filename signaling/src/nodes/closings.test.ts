import { BedsideError, type ErrorCode, type NodeId, type VisitKey } from '@bedside/protocol';
import { expect, test } from 'vitest';
import { FakeClock } from '../../test/fake-clock.ts';
import { Closings } from './closings.ts';
import type { LinkedNode } from './placement.ts';

const visit = 'v1' as VisitKey;
const media = { node: 'n1' as NodeId, bootId: 'boot-1' };

/** A node that answers `close-visit` with these, the last one again and again; undefined is a success. */
function setUp(...answers: (ErrorCode | undefined)[]) {
  const clock = new FakeClock();
  const state = { bootId: 'boot-1', up: true, calls: 0 };
  const nodes = {
    linked: () =>
      (state.up ? [{ nodeId: media.node, bootId: state.bootId }] : []) as unknown as LinkedNode[],
    call: async () => {
      const answer = answers[Math.min(state.calls++, answers.length - 1)];
      if (answer) throw new BedsideError(answer);
      return {} as never;
    },
  };
  const closings = new Closings(nodes, clock);
  const pass = async (ms: number) => {
    clock.advance(ms);
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { closings, state, clock, pass };
}

test('a node that answers is told once', async () => {
  const { closings, state, pass } = setUp(undefined);
  closings.close(media, { visit, epoch: 1 });
  await pass(120_000);
  expect([state.calls, closings.size]).toEqual([1, 0]);
});

test('a node that does not answer is told again until it does', async () => {
  const { closings, state, pass } = setUp('media-unavailable', 'media-unavailable', undefined);
  closings.close(media, { visit, epoch: 1 });
  for (let i = 0; i < 3; i += 1) await pass(30_000);
  expect([state.calls, closings.size]).toEqual([3, 0]);
});

test('a node that is away is told when it is back; one that has rebooted need not be', async () => {
  const { closings, state, pass } = setUp(undefined);
  state.up = false;
  closings.close(media, { visit, epoch: 1 });
  await pass(30_000);
  expect([state.calls, closings.size]).toEqual([0, 1]);
  state.up = true;
  await pass(30_000);
  expect([state.calls, closings.size]).toEqual([1, 0]);
  state.bootId = 'boot-2';
  closings.close(media, { visit, epoch: 2 });
  await pass(0);
  expect([state.calls, closings.size]).toEqual([1, 0]);
});

test('a node whose link is up again is told at once, whatever others are told', async () => {
  const { closings, state, clock, pass } = setUp(undefined);
  state.up = false;
  closings.close(media, { visit, epoch: 1 });
  await pass(30_000);
  state.up = true;
  closings.linked('n2' as NodeId);
  await pass(0);
  expect([state.calls, closings.size]).toEqual([0, 1]);
  closings.linked(media.node);
  await pass(0);
  expect([state.calls, closings.size, clock.pending]).toEqual([1, 0, 0]);
});

test('of two that are under way one that fails has nothing told again', async () => {
  const { closings, state, pass } = setUp('media-unavailable', undefined);
  closings.close(media, { visit, epoch: 1 });
  closings.linked(media.node);
  await pass(0);
  expect([state.calls, closings.size]).toEqual([2, 0]);
  await pass(120_000);
  expect(state.calls).toBe(2);
});

test('a refusal is an answer: the visit is another gateway\u2019s by now', async () => {
  const { closings, state, pass } = setUp('stale-epoch');
  closings.close(media, { visit, epoch: 1 });
  await pass(120_000);
  expect([state.calls, closings.size]).toEqual([1, 0]);
});

test('a visit that is opened anew is not closed any more', async () => {
  const { closings, state, clock, pass } = setUp('media-unavailable');
  closings.close(media, { visit, epoch: 1 });
  await pass(0);
  closings.keep(media, visit);
  await pass(120_000);
  expect([state.calls, closings.size, clock.pending]).toEqual([1, 0, 0]);
});

test('a node that never comes back is given up', async () => {
  const { closings, state, clock, pass } = setUp(undefined);
  state.up = false;
  closings.close(media, { visit, epoch: 1 });
  for (let minute = 0; minute < 65; minute += 1) await pass(60_000);
  expect([closings.size, clock.pending]).toEqual([0, 0]);
});
