import {
  BedsideError,
  type CreateVisit,
  type EvidenceResource,
  type LedgerEntry,
  type NodeId,
  type SessionId,
  type TenantId,
  type VisitId,
  type VisitKey,
  type VisitResource,
  type Wait,
} from '@bedside/protocol';
import type { Clock } from '@bedside/service';
import type { Logger } from 'pino';
import type { NodeClient, NodeReport } from '../nodes/client.ts';
import type {
  CallDesk,
  ClientLink,
  Clinics,
  GuestTokens,
  Identity,
  VisitConnection,
  Visits,
  VisitTelemetry,
} from '../ports.ts';
import type { Seal } from '../store/kept.ts';
import { visitKey } from '../store/keys.ts';
import type { VisitStore } from '../store/store.ts';
import { elapsed } from '../visit/elapsed.ts';
import { resourceOf } from '../visit/view.ts';
import { VisitActor } from './actor.ts';
import { Census } from './census.ts';
import { chooseKeepers, recall } from './keeper.ts';

/** Visits of one node that go elsewhere at the same time: their pages send and receive everything twice meanwhile. */
const PARALLEL_RELOCATIONS = 8;
/** Until what could not leave a draining node is tried again, milliseconds: twice as long while nothing can. */
const DRAIN_RETRY_MIN_MS = 1_000;
const DRAIN_RETRY_MAX_MS = 8_000;
/**
 * Milliseconds between two visits that leave a lost node: of each participant who joins, a gateway's thread has
 * 3.5 ms to do and a node's 4.5 (`npm run drill -- mass`). Sooner they would all wait for the last one.
 */
const MOVE_STEP_MS = 10;
/** A visit is taken from an owner who may live once in so many milliseconds. */
const OVERTAKE_AGAIN_MS = 10_000;
/** Visits that are written or opened side by side where all of them are. */
const PARALLEL = 16;

export interface RegistryOptions {
  store: VisitStore;
  nodes: NodeClient;
  clock: Clock;
  log: Logger;
  telemetry: VisitTelemetry;
  clinics: Clinics;
  guests: GuestTokens;
  calls: CallDesk;
  /** Of what nodes hold while Redis is away. */
  seal: Seal;
  graceMs: number;
}

/** The actors of the visits that this gateway has open: one each, opened by who needs it. */
export class VisitRegistry implements Visits {
  readonly #options: RegistryOptions;
  readonly #census: Census;
  readonly #actors = new Map<VisitKey, VisitActor>();
  readonly #opening = new Map<VisitKey, Promise<VisitActor>>();
  readonly #draining = new Set<NodeId>();
  /** When visits were taken from owners who may live, the latest last. */
  readonly #overtaken = new Map<VisitKey, number>();
  #stopped = false;

  constructor(options: RegistryOptions) {
    this.#options = options;
    this.#census = new Census(options.telemetry);
  }

  connect(
    identity: Identity,
    link: ClientLink,
    sessionId?: SessionId,
    isAstray = false,
  ): Promise<VisitConnection> {
    const key = visitKey(identity.tenant, identity.visit);
    return this.#with(
      key,
      (actor, roundTrips) => actor.connect(identity, link, sessionId, roundTrips),
      isAstray && this.#mayOvertake(key),
    );
  }

  create(
    tenant: TenantId,
    { visit, ...plan }: CreateVisit,
  ): Promise<{ created: boolean; visit: VisitResource }> {
    return this.#with(visitKey(tenant, visit), (actor) => actor.create(tenant, visit, plan));
  }

  end(tenant: TenantId, visit: VisitId): Promise<VisitResource> {
    return this.#with(visitKey(tenant, visit), (actor) => actor.end());
  }

  share(tenant: TenantId, visit: VisitId, wait: Wait): Promise<VisitResource> {
    return this.#with(visitKey(tenant, visit), (actor) => actor.share(wait));
  }

  /** Needs no ownership: what another gateway committed last is good enough to read. */
  async read(tenant: TenantId, visit: VisitId): Promise<VisitResource> {
    const key = visitKey(tenant, visit);
    const open = this.#actors.get(key)?.resource;
    if (open) return open;
    const stored = await this.#options.store.read(key);
    if (!stored) throw new BedsideError('not-found');
    return resourceOf(elapsed(stored, this.#options.clock.now()).visit);
  }

  async evidence(tenant: TenantId, visit: VisitId): Promise<EvidenceResource['evidence']> {
    const key = visitKey(tenant, visit);
    const known = this.#actors.get(key)?.evidence ?? (await this.#options.store.read(key));
    if (!known) throw new BedsideError('not-found');
    return known.evidence ?? [];
  }

  async events(tenant: TenantId, visit: VisitId): Promise<LedgerEntry[]> {
    const key = visitKey(tenant, visit);
    const { store, clock } = this.#options;
    const recorded = await store.events(key);
    // After them: what it has not done yet is not in them.
    const stored = await store.read(key);
    if (!stored && recorded.length === 0) throw new BedsideError('not-found');
    const due = stored ? elapsed(stored, clock.now()).events : [];
    return [...recorded, ...due].map(({ at, ...event }) => ({
      ...event,
      at: new Date(at).toISOString(),
    }));
  }

  readiness(): { ready: boolean; reasons: string[] } {
    const reasons: string[] = [];
    if (this.#stopped) reasons.push('shutting down');
    const { store } = this.#options;
    if (!store.available) reasons.push(`Redis ${store.fault}`);
    if (this.#options.nodes.linked().length === 0) reasons.push('no node is linked');
    return { ready: reasons.length === 0, reasons };
  }

  async stop(deadlineMs: number): Promise<void> {
    this.#stopped = true;
    const late = Promise.withResolvers<void>();
    const cancel = this.#options.clock.after(deadlineMs, late.resolve);
    await Promise.race([
      inParallel([...this.#actors.values()], (actor) => actor.stop()),
      late.promise,
    ]);
    cancel();
  }

  /** Takes up the visits that this gateway had open when it was killed: who comes back finds them, who doesn't is removed in time. */
  async recover(): Promise<void> {
    let keys: VisitKey[];
    try {
      keys = await this.#options.store.abandoned();
    } catch {
      // Once Redis is back.
      return;
    }
    // What can't be opened is another gateway's by now, or is opened when somebody comes.
    await inParallel(keys, (key) => this.adopt(key).catch(() => {}));
  }

  /** Has what is due in a visit happened. @throws BedsideError `moved` where another gateway has it, and does that */
  look(key: VisitKey): Promise<void> {
    return this.#with(key, (actor) => actor.look());
  }

  /** Takes up a visit whose gateway is gone. @throws BedsideError `moved` where another one has it */
  async adopt(key: VisitKey): Promise<void> {
    if (this.#stopped) return;
    const actor = await this.#open(key);
    await actor.settle();
  }

  report(report: NodeReport): void {
    if (report.type === 'linked') {
      const { node } = report;
      void inParallel([...this.#actors.values()], (actor) => actor.nodeLinked(node));
    } else if (report.type === 'draining') {
      void this.#drain(report.node);
    } else if (report.type === 'lost') {
      this.#moveFrom(report.node);
    } else if (report.type === 'visits-lost') {
      for (const key of report.visits) this.#actors.get(key)?.report(report);
    } else {
      this.#actors.get(report.visit)?.report(report);
    }
  }

  /**
   * The visits of a lost node, one after the other in short steps: their pages all join elsewhere, and the
   * nodes that are left have visits of their own. Those with a patient in them come first.
   */
  #moveFrom(node: NodeId): void {
    const visits = [...this.#actors.values()]
      .filter((actor) => actor.uses(node))
      .toSorted((one, other) => urgency(one) - urgency(other));
    for (const [index, actor] of visits.entries())
      this.#options.clock.after(index * MOVE_STEP_MS, () => void actor.nodeLost(node));
  }

  /** Until the node is gone, or takes visits again. */
  async #drain(node: NodeId): Promise<void> {
    if (this.#draining.has(node)) return;
    this.#draining.add(node);
    const { clock, log, nodes } = this.#options;
    const isDraining = () =>
      nodes.linked().some(({ nodeId, state }) => nodeId === node && state === 'draining');
    // Others may come meanwhile: of a gateway that died, or that placed them a moment ago.
    let retryMs = DRAIN_RETRY_MIN_MS;
    while (!this.#stopped && isDraining()) {
      const isEmpty = this.#visitsAt(node).length === 0;
      const moved = isEmpty ? 0 : await this.relocate(node);
      if (moved > 0)
        log.info(
          { node, moved, left: this.#visitsAt(node).length },
          'visits of a draining node moved',
        );
      // Those that could not go may later; visits that begin to end need a moment.
      retryMs =
        isEmpty || moved > 0 ? DRAIN_RETRY_MIN_MS : Math.min(retryMs * 2, DRAIN_RETRY_MAX_MS);
      const waitMs = retryMs;
      await new Promise<void>((resolve) => clock.after(waitMs, resolve));
    }
    this.#draining.delete(node);
  }

  #visitsAt(node: NodeId): VisitActor[] {
    return [...this.#actors.values()].filter((actor) => actor.isAt(node));
  }

  /** Has the visits of a node go elsewhere while they go on, some at a time. Resolves with how many went. */
  async relocate(node: NodeId): Promise<number> {
    let moved = 0;
    const visits = this.#visitsAt(node);
    await inParallel(
      visits,
      async (actor) => {
        if (await actor.relocate()) moved += 1;
      },
      PARALLEL_RELOCATIONS,
    );
    return moved;
  }

  async redisReturned(): Promise<void> {
    await inParallel([...this.#actors.values()], (actor) => actor.redisReturned());
    // Of a visit that was closed a failover may have lost that it was, and nobody else would see to it.
    if (!this.#stopped) await this.recover();
  }

  /**
   * Runs with the visit's actor, and with how many round trips to Redis it took to open it; `use` must take
   * its place in the queue before it awaits anything.
   */
  async #with<Result>(
    key: VisitKey,
    use: (actor: VisitActor, roundTrips: number) => Promise<Result>,
    overtake = false,
  ): Promise<Result> {
    let roundTrips = 0;
    for (;;) {
      if (this.#stopped) throw new BedsideError('shutting-down');
      const open = this.#actors.get(key);
      const actor = open ?? (await this.#open(key, overtake));
      if (!open) roundTrips += actor.openedIn;
      if (!actor.closing) return use(actor, roundTrips);
      await actor.closed;
    }
  }

  /**
   * Whether its owner, who lives, is left out: clients do not reach that one. Once in a while, so that two
   * gateways do not take a visit from each other again and again where nobody heeds whom pages ask for.
   */
  #mayOvertake(key: VisitKey): boolean {
    if (this.#actors.has(key) || this.#opening.has(key)) return false;
    const now = this.#options.clock.now();
    for (const [overtaken, at] of this.#overtaken) {
      if (now - at < OVERTAKE_AGAIN_MS) break;
      this.#overtaken.delete(overtaken);
    }
    if (this.#overtaken.has(key)) return false;
    this.#overtaken.set(key, now);
    return true;
  }

  #open(key: VisitKey, overtake = false): Promise<VisitActor> {
    const open = this.#actors.get(key);
    if (open) return Promise.resolve(open);
    let opening = this.#opening.get(key);
    if (!opening) {
      opening = this.#load(key, overtake).finally(() => this.#opening.delete(key));
      this.#opening.set(key, opening);
    }
    return opening;
  }

  async #load(key: VisitKey, overtake: boolean): Promise<VisitActor> {
    const started = performance.now();
    const { store, nodes } = this.#options;
    const acquired = await store.acquire(key, chooseKeepers(nodes), overtake);
    const lease = await recall(this.#options, key, acquired);
    this.#options.telemetry.joinPhase('load', (performance.now() - started) / 1000);
    const actor = new VisitActor({
      ...this.#options,
      key,
      lease,
      census: this.#census,
      onClosed: () => this.#actors.delete(key),
    });
    this.#actors.set(key, actor);
    return actor;
  }
}

/** Lower is sooner. */
const urgency = ({ resource }: VisitActor): number =>
  resource?.kind === 'group' || resource?.kind === 'lecture' ? 1 : 0;

async function inParallel<Item>(
  items: readonly Item[],
  run: (item: Item) => Promise<unknown>,
  parallel = PARALLEL,
): Promise<void> {
  const rest = items.values();
  await Promise.all(
    Array.from({ length: Math.min(parallel, items.length) }, async () => {
      for (const item of rest) await run(item);
    }),
  );
}
