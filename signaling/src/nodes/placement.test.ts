import type { NodeId } from '@bedside/protocol';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { burden, desiredNodes, type LinkedNode, place } from './placement.ts';

const node = (id: string, cpu: number, more: Partial<LinkedNode> = {}): LinkedNode => ({
  nodeId: id as NodeId,
  bootId: `boot-of-${id}`,
  region: 'here',
  state: 'ready',
  load: { workers: [{ cpu, memoryBytes: 0, routers: 0, consumers: 0 }] },
  pending: 0,
  pipes: true,
  ...more,
});

/** A linear congruential generator: the same run for the same seed. */
const randomOf = (seed: number) => {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
};

const chosenOf = (nodes: LinkedNode[], seed = 0) => {
  const placement = place(nodes, 'here', randomOf(seed));
  return placement.ok ? placement.node.nodeId : placement.code;
};

describe('a new visit', () => {
  test('finds the media unavailable without a node in its region', () => {
    expect(chosenOf([])).toBe('media-unavailable');
    expect(chosenOf([node('a', 0, { region: 'elsewhere' })])).toBe('media-unavailable');
  });

  test('finds no capacity with nodes that are all draining, starting or busy', () => {
    expect(
      chosenOf([
        node('a', 0, { state: 'draining' }),
        node('b', 0, { state: 'starting' }),
        node('c', 0.99),
        node('d', 0, { region: 'elsewhere' }),
      ]),
    ).toBe('capacity');
  });

  test('goes to a ready node of the region with headroom, whatever chance says', () => {
    const nodes = [
      node('a', 0, { state: 'draining' }),
      node('b', 0.5),
      node('c', 0.99),
      node('d', 0.2),
      node('e', 0, { region: 'elsewhere' }),
    ];
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        expect(chosenOf(nodes, seed)).toMatch(/^[bd]$/);
      }),
    );
  });

  test('goes to the less busy of two, and never to the busiest of three', () => {
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        expect(chosenOf([node('a', 0.4), node('b', 0.3)], seed)).toBe('b');
        expect(chosenOf([node('a', 0.1), node('b', 0.7), node('c', 0.3)], seed)).not.toBe('b');
      }),
    );
  });

  test('does not go where its gateway has sent many since that node was measured', () => {
    expect(chosenOf([node('a', 0.2, { pending: 20 }), node('b', 0.5)])).toBe('b');
  });

  test('does not go where there is no room for its consumers, though the processor is idle', () => {
    const full = {
      workers: [{ cpu: 0.1, memoryBytes: 0, routers: 100, consumers: 1_900 }],
      limits: { consumersPerWorker: 2_000, visitsPerWorker: 1_000 },
    };
    expect(chosenOf([node('a', 0.1, { load: full })])).toBe('capacity');
  });
});

test('the nodes that are wanted carry the load with room to spare, and one more', () => {
  const busy = (cpu: number) => [node('a', cpu), node('b', cpu), node('c', cpu)];
  expect(desiredNodes([], 'here')).toBe(1);
  expect(desiredNodes(busy(0), 'here')).toBe(1);
  expect(desiredNodes(busy(0.6), 'here')).toBe(4);
  expect(desiredNodes(busy(0.9), 'here')).toBe(6);
});

/*
 * A thousand nodes of eight workers, fifty gateways, a hundred thousand visits that come and go. What a
 * gateway knows of a node is up to two seconds old, and of other gateways' choices it knows nothing.
 */
describe('a hundred thousand visits over a thousand nodes', { timeout: 120_000 }, () => {
  const NODES = 1_000;
  const WORKERS = 8;
  const GATEWAYS = 50;
  const VISITS = 100_000;
  /** Arrivals in one step, the two seconds between two reports of load. */
  const PER_STEP = 200;
  /** Ten minutes. */
  const STEPS_OF_A_VISIT = 300;

  interface Simulated {
    state: LinkedNode['state'];
    region: string;
    workers: { cpu: number; visits: number }[];
  }

  function simulate(seed: number, regions: readonly string[], draining: number) {
    const random = randomOf(seed);
    const nodes: Simulated[] = Array.from({ length: NODES }, (_, i) => ({
      state: i < draining ? 'draining' : 'ready',
      region: regions[i % regions.length] ?? 'here',
      workers: Array.from({ length: WORKERS }, () => ({ cpu: 0, visits: 0 })),
    }));
    const views = Array.from({ length: GATEWAYS }, () =>
      nodes.map(({ state, region }, i) => node(`${i}`, 0, { state, region })),
    );
    const ends: (() => void)[][] = [];
    const refused: string[] = [];
    let misplaced = 0;
    let mostPending = 0;
    for (let step = 0, begun = 0; begun < VISITS; step++) {
      for (const end of ends[step] ?? []) end();
      const loads = nodes.map(({ workers }) => ({
        workers: workers.map(({ cpu, visits }) => ({
          cpu,
          memoryBytes: 0,
          routers: visits,
          consumers: 0,
        })),
      }));
      for (const view of views)
        for (const [i, known] of view.entries()) {
          mostPending = Math.max(mostPending, known.pending);
          known.pending = 0;
          known.load = loads[i] ?? known.load;
        }
      for (let i = 0; i < PER_STEP; i++, begun++) {
        const gateway = Math.floor(random() * GATEWAYS);
        const region = regions[gateway % regions.length] ?? 'here';
        const view = views[gateway] ?? [];
        const placement = place(view, region, random);
        if (!placement.ok) {
          refused.push(placement.code);
          continue;
        }
        placement.node.pending += 1;
        const real = nodes[Number(placement.node.nodeId)];
        const worker = real?.workers.toSorted((a, b) => a.cpu - b.cpu)[0];
        if (!real || !worker) continue;
        // The node has the last word.
        if (worker.cpu > 0.9) {
          refused.push('capacity');
          continue;
        }
        if (real.state !== 'ready' || real.region !== region) misplaced += 1;
        // From a call of two to a group session.
        const cpu = 0.01 + 0.15 * random() ** 3;
        worker.cpu += cpu;
        worker.visits += 1;
        const end = step + 1 + Math.floor(-Math.log(1 - random()) * STEPS_OF_A_VISIT);
        ends[end] ??= [];
        ends[end].push(() => {
          worker.cpu -= cpu;
          worker.visits -= 1;
        });
      }
    }
    const loads = nodes
      .filter(({ state }) => state === 'ready')
      .map(({ workers }) => workers.reduce((sum, { cpu }) => sum + cpu, 0) / WORKERS);
    const mean = loads.reduce((sum, load) => sum + load, 0) / loads.length;
    return { nodes, refused, misplaced, mean, busiest: Math.max(...loads), mostPending };
  }

  test('are balanced, none is refused, and no node is rushed at', () => {
    const { mean, busiest, refused, misplaced, mostPending } = simulate(1, ['here'], 0);
    expect(refused).toEqual([]);
    expect(misplaced).toBe(0);
    expect(mean).toBeGreaterThan(0.25);
    expect(busiest).toBeLessThan(mean * 1.4);
    // In two seconds a gateway places four visits, and all of them 200: one node gets one or two of a gateway's.
    expect(mostPending).toBeLessThan(4);
  });

  test('stay in their regions, and away from nodes that are emptied', () => {
    const { misplaced, nodes, refused } = simulate(2, ['north', 'south'], 100);
    expect(refused).toEqual([]);
    expect(misplaced).toBe(0);
    for (const { workers, state } of nodes)
      if (state === 'draining') expect(workers.every(({ visits }) => visits === 0)).toBe(true);
  });

  test('are refused early where there is no room, and no node is filled to the brim', () => {
    const { refused, nodes, busiest } = simulate(3, ['here'], 750);
    expect(new Set(refused)).toEqual(new Set(['capacity']));
    expect(busiest).toBeLessThan(1);
    const workers = nodes.flatMap((each) => (each.state === 'ready' ? each.workers : []));
    expect(Math.max(...workers.map(({ cpu }) => cpu))).toBeLessThan(1.1);
  });
});

test('a node is as full as its emptiest worker', () => {
  const workers = [0.9, 0.2].map((cpu) => ({ cpu, memoryBytes: 0, routers: 0, consumers: 0 }));
  expect(burden(node('a', 0, { load: { workers } }))).toBe(0.2);
});
