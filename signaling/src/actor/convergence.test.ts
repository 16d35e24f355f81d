import { MediaSource } from '@bedside/protocol';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { FakeNode, FakeNodes, type Fate } from '../../test/fake-node.ts';
import { Page } from '../../test/page.ts';
import type { Counts } from '../../test/telemetry.ts';
import { createTestVisits, GRACE_MS, keyOf, settled } from '../../test/visits.ts';
import { pipesOf } from '../plan/pipes.ts';
import { plan } from '../plan/plan.ts';
import { isAt, nodeOfPeer, nodesOf } from '../visit/nodes.ts';
import { findPresent, type Media, present, type Visit } from '../visit/state.ts';

const key = keyOf();
const ROLES = ['provider', 'patient', 'interpreter'] as const;

const who = fc.nat(ROLES.length - 1);
const source = fc.constantFrom(...MediaSource.options);
/** Which node. */
const at = fc.nat(1);
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('come' as const), who }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('drop' as const), who }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('reload' as const), who }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('leave' as const), who }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('produce' as const), who, source }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('pause' as const), who, source, paused: fc.boolean() }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('close' as const), who, source }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('network' as const),
      at,
      fate: fc.constantFrom<Fate[]>('done', 'request-lost', 'answer-lost'),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('link' as const), at, up: fc.boolean() }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('full' as const), at, full: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('worker-died' as const), at }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('reboot' as const), at }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('redis' as const), up: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('other-gateway' as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.nat(GRACE_MS) }),
  },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('settle' as const) }) },
);
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

/** Pages on two gateways that share two nodes and Redis. What a step starts is not awaited. */
class World {
  readonly nodes = [new FakeNode('node-1'), new FakeNode('node-2')] as const;
  readonly gateways: ReturnType<typeof createTestVisits>[];
  readonly pages = ROLES.map((role, index) => new Page(`p${index}`, role));
  readonly #busy = new Set<Page>();

  constructor() {
    const nodes = new FakeNodes(...this.nodes);
    const first = createTestVisits({ nodes });
    this.gateways = [first, createTestVisits({ store: first.store, nodes })];
  }

  /** Where pages connect now. */
  get gateway() {
    return this.gateways[0] as ReturnType<typeof createTestVisits>;
  }

  take(each: Step): Promise<void> | undefined {
    const { store } = this.gateway;
    const node = this.nodes['at' in each ? each.at : 0] as FakeNode;
    const page = this.pages['who' in each ? each.who : 0] as Page;
    switch (each.do) {
      case 'come':
        void this.come(page);
        return;
      case 'drop':
        page.drop();
        return;
      case 'reload': {
        page.drop();
        this.pages[each.who] = new Page(page.id, page.identity.role);
        return;
      }
      case 'leave':
        void page.command('leave', {}).then(() => {
          page.forgetMedia();
          // An answer to `join` that is under way is none of its any more.
          page.drop();
        }, ignore);
        return;
      case 'produce':
        if (page.joined) void page.produce(each.source).catch(ignore);
        return;
      case 'pause':
      case 'close': {
        const producerId = page.producers.get(each.source);
        if (!producerId) return;
        const command =
          each.do === 'pause'
            ? page.command('pause-producer', { producerId, paused: each.paused })
            : page.command('close-producer', { producerId });
        void command.catch(ignore);
        return;
      }
      case 'network':
        node.fate = () => each.fate;
        return;
      case 'link':
        node.up = each.up;
        this.#link();
        return;
      case 'full':
        node.full = each.full;
        return;
      case 'worker-died':
        node.lose();
        for (const { visits } of this.gateways)
          visits.report({
            type: 'visits-lost',
            node: node.id,
            visits: [key],
            reason: 'worker-died',
          });
        return;
      case 'reboot':
        node.reboot();
        this.#link();
        return;
      case 'redis':
        if (!each.up) {
          store.goAway();
          return;
        }
        store.comeBack();
        for (const { visits } of this.gateways) void visits.redisReturned();
        return;
      case 'other-gateway':
        this.gateways.reverse();
        return;
      case 'pass':
        for (const { clock } of this.gateways) clock.advance(each.ms);
        return;
      case 'settle':
        return settled();
    }
  }

  #link(): void {
    for (const { visits } of this.gateways)
      for (const node of this.nodes)
        for (const linked of node.linked()) visits.report({ type: 'linked', node: linked });
  }

  /** As the SDK does it: resume what lives, else join. */
  async come(page: Page): Promise<void> {
    if (this.#busy.has(page)) return;
    this.#busy.add(page);
    try {
      const connection = page.connection ?? (await page.connect(this.gateway.visits));
      if (page.joined && connection.welcome.resumed) await page.resume();
      else if (!page.joined) await page.join();
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : undefined;
      if (code === 'media-lost' || code === 'not-joined') page.forgetMedia();
      // What it knows after that is uncertain: it comes anew.
      page.drop();
    } finally {
      this.#busy.delete(page);
    }
  }

  /** Lets time pass until it is done. */
  async passing(done: Promise<unknown>): Promise<void> {
    let isDone = false;
    void done.then(() => {
      isDone = true;
    });
    for (await settled(); !isDone; await settled())
      for (const { clock } of this.gateways) clock.advance(100);
  }

  /** Everything works again, and everybody is there. */
  async calm(): Promise<void> {
    for (const [at, node] of this.nodes.entries()) {
      node.fate = () => 'done';
      // The other one may stay full: the visit spreads, then.
      if (at === 0) node.full = false;
      if (!node.up) this.take({ do: 'link', at, up: true });
    }
    for (let round = 0; round < 6; round++) {
      // A gateway that lost the visit learns of it when it writes.
      this.take({ do: 'redis', up: true });
      await settled();
      for (const page of this.pages) await this.passing(this.come(page));
      await settled();
      for (const { clock } of this.gateways) clock.advance(10_000);
    }
    await settled();
  }
}

const ignore = () => {};
/** Runs that ended with the visit at both nodes. */
let spread = 0;

test('after any history of pages, faults and take-overs, once all works: the nodes have what the plan says, and every page knows exactly that', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60, size: 'max' }), async (steps) => {
      const world = new World();
      for (const each of steps) await world.take(each);
      await world.calm();

      const { store } = world.gateway;
      const visit = store.snapshots.get(key);
      if (!visit) throw new Error('no visit is stored');
      expect(
        present(visit)
          .map(({ id }) => id)
          .toSorted(),
      ).toEqual(world.pages.map(({ id }) => id));
      const used = world.nodes.filter(({ id }) => isAt(visit, id));
      spread += Number(used.length > 1);
      expect(used.flatMap((node) => node.peersOf(key)).toSorted()).toEqual(
        present(visit)
          .map(({ endpoint }) => endpoint?.peer as string)
          .toSorted(),
      );
      expectPipes(visit, world.nodes);
      for (const page of world.pages) {
        const endpoint = findPresent(visit, page.id)?.endpoint;
        const node = endpoint && nodeOfPeer(visit, endpoint.peer)?.node;
        const peer =
          endpoint && world.nodes.find(({ id }) => id === node)?.peer(key, endpoint.peer);
        expect([...(peer?.producers ?? [])].map(([id, { paused }]) => ({ id, paused }))).toEqual(
          endpoint?.producers.map(({ id, paused }) => ({ id, paused })),
        );
        const consumers = [...(peer?.consumers ?? [])];
        const planned = (plan(visit).get(page.id) ?? []).map(({ producerId }) => producerId);
        expect(consumers.map(([producerId]) => producerId).toSorted()).toEqual(planned.toSorted());
        expect([...page.consumers.keys()].toSorted()).toEqual(
          consumers.map(([, { id }]) => id).toSorted(),
        );
        // Those of a join start by themselves, with the transport.
        const later = [...page.consumers.keys()].filter(
          (id) => !page.joined?.consumers.some(({ consumerId }) => consumerId === id),
        );
        for (const [, { id, started }] of consumers)
          if (later.includes(id)) expect(started).toBe(true);
        expect(page.repeats).toBe(0);
      }
      const all = world.gateways.map(({ counts }) => counts);
      const sum = (of: (counts: Counts) => number) =>
        all.reduce((total, each) => total + of(each), 0);
      expect(sum(({ visitsOpen }) => visitsOpen)).toBe(1);
      expect(sum(({ people }) => people)).toBe(ROLES.length);
      expect(sum(({ unwritten }) => unwritten)).toBe(0);

      for (const page of world.pages) {
        await page.command('leave', {});
        page.drop();
      }
      await settled();
      for (const { counts: left, clock } of world.gateways) {
        expect([left.visitsOpen, left.people, left.unwritten, clock.pending]).toEqual([0, 0, 0, 0]);
      }
      for (const node of used) expect(node.peersOf(key)).toEqual([]);
      expect(
        world.gateways.flatMap(({ logged }) =>
          logged.filter((line) => !line.includes('another gateway owns')),
        ),
      ).toEqual([]);
    }),
    { numRuns: 300 },
  );
  expect(spread).toBeGreaterThan(3);
}, 60_000);

/** Each pair of nodes has one pipe for what the plan takes, and both of its ends know of each other. */
function expectPipes(visit: Visit, nodes: readonly FakeNode[]): void {
  const at = (media: Media) => nodes.find(({ id }) => id === media.node)?.visits.get(key);
  const wanted = pipesOf(visit, plan(visit));
  for (const { from, to, producers } of wanted) {
    const pipes = [...(at(from)?.sends ?? [])].filter(([id]) => at(to)?.receives.has(id));
    expect(pipes).toHaveLength(1);
    for (const [id, sender] of pipes) {
      const receiver = at(to)?.receives.get(id);
      expect(sender.receiver).toEqual(receiver?.end);
      expect(receiver?.sender).toEqual(sender.end);
      expect(sender.producers.toSorted()).toEqual([...producers].toSorted());
      expect([...(receiver?.producers.keys() ?? [])].toSorted()).toEqual([...producers].toSorted());
    }
  }
  const ends = nodesOf(visit).flatMap((media) => [
    ...(at(media)?.sends.keys() ?? []),
    ...(at(media)?.receives.keys() ?? []),
  ]);
  expect(ends).toHaveLength(wanted.length * 2);
}
