import type { NodeId } from '@bedside/protocol';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { type LinkedNode, place } from './placement.ts';

const node = (id: string, cpu: number, state: LinkedNode['state'] = 'ready'): LinkedNode => ({
  nodeId: id as NodeId,
  bootId: `boot-of-${id}`,
  region: 'here',
  state,
  load: { workers: [{ cpu, memoryBytes: 0, routers: 0, consumers: 0 }] },
});

const random = fc.tuple(
  fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
  fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
);

test('without a linked node the media is unavailable', () => {
  expect(place([], [0, 0])).toEqual({ ok: false, code: 'media-unavailable' });
});

test('with nodes that are all draining, starting or busy there is no capacity', () => {
  const nodes = [node('a', 0, 'draining'), node('b', 0, 'starting'), node('c', 0.99)];
  expect(place(nodes, [0, 0])).toEqual({ ok: false, code: 'capacity' });
});

test('any chance picks a ready node with headroom', () => {
  const nodes = [node('a', 0, 'draining'), node('b', 0.5), node('c', 0.99), node('d', 0.2)];
  fc.assert(
    fc.property(random, (numbers) => {
      const placement = place(nodes, numbers);
      expect(placement.ok && placement.node.nodeId).toMatch(/^[bd]$/);
    }),
  );
});

test('of two nodes the less busy one is chosen, whatever chance says', () => {
  fc.assert(
    fc.property(random, (numbers) => {
      expect(place([node('a', 0.4), node('b', 0.3)], numbers)).toMatchObject({
        node: { nodeId: 'b' },
      });
    }),
  );
});

test('the busiest of three is never chosen', () => {
  fc.assert(
    fc.property(random, (numbers) => {
      const placement = place([node('a', 0.1), node('b', 0.7), node('c', 0.3)], numbers);
      expect(placement.ok && placement.node.nodeId).not.toBe('b');
    }),
  );
});
