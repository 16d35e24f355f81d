import {
  BedsideError,
  type ControlCommandName,
  type ControlEventName,
  type ControlEventPayload,
  type ControlRequest,
  type ControlResponse,
  type GatewayId,
  LIMITS,
  type VisitKey,
} from '@bedside/protocol';
import type { Logger } from '@bedside/service';
import type { Config } from '../config.ts';
import { CapabilitySets } from '../media/capabilities.ts';
import type { MediaWorker, WorkerLoss } from '../workers/media-worker.ts';
import type { WorkerPool } from '../workers/pool.ts';
import { Lane } from './lane.ts';
import { type Piped, Visit, type VisitLoss, type VisitOptions } from './visit.ts';

/** One gateway's socket. Sending never throws; what a closed link is sent is lost. */
export interface GatewayLink {
  readonly gatewayId: GatewayId;
  /** Whether it knows visits over several workers. */
  readonly spreads: boolean;
  send<Name extends ControlEventName>(name: Name, payload: ControlEventPayload<Name>): void;
}

export interface VisitsTelemetry {
  epochRefused(): void;
  visitsLost(reason: LostReason, count: number): void;
  /** Of visits that go on at other workers. */
  peersLost(reason: WorkerLoss, count: number): void;
}

type LostReason = ControlEventPayload<'visits-lost'>['reason'];

/** Commands of one visit that may wait: more mean that its worker does not follow. */
const LANE_LIMIT = 256;

/** Characters of what Redis lacks that are held for one gateway. */
const HELD_MAX = 64 * 1024 * 1024;
/** For how long that is held where nobody asks for it, milliseconds: as long as Redis has a visit. */
const HELD_MS = 24 * 60 * 60 * 1000;

/** What the node keeps of a visit, also before its router is open and for a while after. */
interface VisitRecord {
  readonly key: VisitKey;
  readonly lane: Lane;
  epoch: number;
  /** Whose epoch it is; gets the visit's events. */
  owner: GatewayId;
  visit: Visit | undefined;
  /** What Redis lacks of it, sealed by the gateways. */
  held: string | undefined;
  /** Why the visit was lost, while its owner is away and could not be told. */
  untold: LostReason | undefined;
  /** Since when it has had nobody, or no gateway; on the clock of performance.now(). */
  emptySince: number | undefined;
  unlinkedSince: number | undefined;
}

interface Holdings {
  /** Records, also of visits that are closed. */
  visits: number;
  peers: number;
  /** Characters that are held for the next owner. */
  held: number;
}

/**
 * All visits of this node: which gateway may act on them, in which order, and how long they live
 * without one. A record outlives its visit, so that a gateway whose lease has passed is refused
 * after the new owner closed the visit, too.
 */
export class Visits {
  readonly #config: Config;
  readonly #log: Logger;
  readonly #pool: WorkerPool;
  readonly #telemetry: VisitsTelemetry;
  /** Whether visits that are new to the node may open here. */
  readonly #takesVisits: () => boolean;
  readonly #capabilities = new CapabilitySets();
  readonly #records = new Map<VisitKey, VisitRecord>();
  /**
   * The links of each gateway, the latest last: one that was cut off may be back before its old link is noticed
   * dead. The latest gets what there is to tell.
   */
  readonly #links = new Map<GatewayId, readonly GatewayLink[]>();
  /** What each gateway has here. */
  readonly #holdings = new Map<GatewayId, Holdings>();
  #stopped = false;

  constructor(
    config: Config,
    log: Logger,
    pool: WorkerPool,
    telemetry: VisitsTelemetry,
    takesVisits: () => boolean = () => true,
  ) {
    this.#takesVisits = takesVisits;
    this.#config = config;
    this.#log = log;
    this.#pool = pool;
    this.#telemetry = telemetry;
  }

  get open(): number {
    let count = 0;
    for (const { visit } of this.#records.values()) if (visit) count += 1;
    return count;
  }

  /** Pipes that are open and producers that came by them, between workers, and to and from other nodes. */
  get piped(): Record<'local' | 'remote', Piped> {
    const sum = { local: { pipes: 0, producers: 0 }, remote: { pipes: 0, producers: 0 } };
    for (const { visit } of this.#records.values()) {
      if (!visit) continue;
      const { local, remote } = visit.piped;
      for (const [to, some] of [
        [sum.local, local],
        [sum.remote, remote],
      ] as const) {
        to.pipes += some.pipes;
        to.producers += some.producers;
      }
    }
    return sum;
  }

  /**
   * Carries out one command that a gateway sent, in its turn.
   * @throws BedsideError as the command's definition lists.
   */
  async run<Name extends ControlCommandName>(
    name: Name,
    request: ControlRequest<Name>,
    gatewayId: GatewayId,
  ): Promise<ControlResponse<Name>> {
    if (this.#stopped) throw new BedsideError('shutting-down');
    const record = this.#admit(request, gatewayId);
    // DTLS and ICE depend on nothing that waits in the lane: their transport is there or it is not.
    if (name === 'connect-transport' || name === 'restart-ice') {
      return this.#execute(name, request, record);
    }
    return record.lane.run(() => {
      if (request.epoch < record.epoch) throw this.#stale();
      return this.#execute(name, request, record);
    });
  }

  /** A gateway is there, or back: it gets the events of its visits, and hears which were lost without it. */
  attach(link: GatewayLink): void {
    const links = this.#links.get(link.gatewayId) ?? [];
    this.#links.set(link.gatewayId, [...links, link]);
    const missed = new Map<LostReason, VisitKey[]>();
    for (const record of this.#records.values()) {
      if (record.owner !== link.gatewayId) continue;
      if (record.untold === undefined) continue;
      append(missed, record.untold, record.key);
      record.untold = undefined;
    }
    for (const [reason, visits] of missed) reportLost(link, visits, reason);
  }

  /** A link is closed. Its gateway's visits live on for a while. */
  detach(link: GatewayLink): void {
    const links = (this.#links.get(link.gatewayId) ?? []).filter((each) => each !== link);
    if (links.length > 0) this.#links.set(link.gatewayId, links);
    else this.#links.delete(link.gatewayId);
  }

  /** A worker is gone: its visits are lost, and their gateways are told at once. */
  workerLost(worker: MediaWorker, reason: WorkerLoss): void {
    const lost: VisitRecord[] = [];
    for (const record of this.#records.values()) {
      const loss = record.visit?.lose(worker);
      if (!record.visit || !loss) continue;
      if (record.visit.closed || !this.#spreads(record)) lost.push(record);
      else this.#losePart(record, loss, reason);
    }
    this.#lose(lost, reason);
  }

  /** Sends the scores that changed; to be called about once a second. */
  reportScores(): void {
    for (const { visit, owner, key } of this.#records.values()) {
      const link = this.#linkOf(owner);
      const scores = link && visit?.scores.take();
      if (scores) link.send('scores', { visit: key, ...scores });
    }
  }

  /** Closes visits that nobody wants any more and forgets old records; to be called regularly. */
  sweep(now = performance.now()): void {
    const { emptyVisitMs, orphanMs } = this.#config;
    for (const record of this.#records.values()) {
      record.emptySince =
        record.visit?.isDeserted === false ? undefined : (record.emptySince ?? now);
      record.unlinkedSince = this.#links.has(record.owner)
        ? undefined
        : (record.unlinkedSince ?? now);
      const emptyMs = now - (record.emptySince ?? now);
      const unlinkedMs = now - (record.unlinkedSince ?? now);
      if (!record.lane.idle) continue;
      this.#mend(record);
      if (record.visit && (emptyMs >= emptyVisitMs || unlinkedMs >= orphanMs)) {
        this.#log.info({ emptyMs, unlinkedMs }, 'abandoned visit closed');
        this.#close(record);
      } else if (
        !record.visit &&
        emptyMs >= (record.held === undefined ? emptyVisitMs + orphanMs : HELD_MS)
      ) {
        this.#records.delete(record.key);
        this.#count(record.owner, { visits: -1, held: -lengthOf(record.held) });
      }
    }
  }

  /** Tells every gateway that its visits are lost here, and closes them. Idempotent. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#lose([...this.#records.values()], 'shutting-down');
  }

  #admit(request: { visit: VisitKey; epoch: number }, gatewayId: GatewayId): VisitRecord {
    let record = this.#records.get(request.visit);
    if (!record) {
      // Also of a visit that is not here: what is to be remembered of it takes memory.
      if (this.#holdingsOf(gatewayId).visits >= this.#config.perGateway.visits)
        throw new BedsideError('capacity');
      record = {
        key: request.visit,
        lane: new Lane(LANE_LIMIT),
        epoch: request.epoch,
        owner: gatewayId,
        visit: undefined,
        held: undefined,
        untold: undefined,
        emptySince: undefined,
        unlinkedSince: undefined,
      };
      this.#records.set(request.visit, record);
      this.#count(gatewayId, { visits: 1 });
    }
    // Of two gateways that were given the same epoch, the first has it.
    if (request.epoch === record.epoch && gatewayId !== record.owner) throw this.#stale();
    if (request.epoch < record.epoch) throw this.#stale();
    record.epoch = request.epoch;
    if (gatewayId !== record.owner) this.#handOver(record, gatewayId);
    return record;
  }

  /** Never refused: the visit is here already. */
  #handOver(record: VisitRecord, to: GatewayId): void {
    const peers = record.visit?.size ?? 0;
    const held = lengthOf(record.held);
    this.#count(record.owner, { visits: -1, peers: -peers, held: -held });
    this.#count(to, { visits: 1, peers, held });
    record.owner = to;
    record.untold = undefined;
  }

  #linkOf(gateway: GatewayId): GatewayLink | undefined {
    return this.#links.get(gateway)?.at(-1);
  }

  /** Whether it may be at several workers; one whose gateway is away stays as it is. */
  #spreads({ owner }: VisitRecord): boolean {
    return this.#linkOf(owner)?.spreads ?? true;
  }

  #holdingsOf(gateway: GatewayId): Readonly<Holdings> {
    return this.#holdings.get(gateway) ?? { visits: 0, peers: 0, held: 0 };
  }

  #count(gateway: GatewayId, difference: Partial<Holdings>): void {
    const before = this.#holdingsOf(gateway);
    const { visits = 0, peers = 0, held = 0 } = difference;
    const now = {
      visits: before.visits + visits,
      peers: before.peers + peers,
      held: before.held + held,
    };
    if (now.visits > 0) this.#holdings.set(gateway, now);
    else this.#holdings.delete(gateway);
  }

  #stale(): BedsideError {
    this.#telemetry.epochRefused();
    return new BedsideError('stale-epoch');
  }

  async #execute<Name extends ControlCommandName>(
    name: Name,
    request: ControlRequest<Name>,
    record: VisitRecord,
  ): Promise<ControlResponse<Name>> {
    const handler = this.#handlers[name];
    return handler(record, request);
  }

  readonly #handlers: Handlers = {
    'open-peer': async (record, request) => {
      const visit = record.visit ?? (await this.#open(record, request.flows.length));
      record.emptySince = undefined;
      return visit.openPeer(request);
    },
    'connect-transport': async (record, request) => {
      await present(record).connectTransport(request);
      return {};
    },
    'restart-ice': (record, request) => present(record).restartIce(request),
    produce: async (record, request) => {
      await present(record).produce(request);
      this.#mend(record);
      return {};
    },
    'pause-producer': async (record, request) => {
      await present(record).pauseProducer(request);
      return {};
    },
    'close-producer': async (record, request) => {
      record.visit?.closeProducer(request.producerId);
      return {};
    },
    'apply-plan': (record, request) => present(record).applyPlan(request),
    'start-consumers': async (record, request) => {
      await present(record).startConsumers(request);
      return {};
    },
    'prefer-consumers': async (record, request) => {
      await present(record).preferConsumers(request);
      return {};
    },
    'close-peer': async (record, request) => {
      record.visit?.closePeer(request.peer);
      return {};
    },
    'close-visit': async (record) => {
      this.#close(record);
      return {};
    },
    'send-pipe': (record, request) => present(record).sendPipe(request),
    'receive-pipe': async (record, request) => {
      const visit = record.visit ?? (await this.#open(record, 0));
      const answer = await visit.receivePipe(request);
      this.#mend(record);
      return answer;
    },
    'connect-pipe': async (record, request) => {
      await present(record).connectPipe(request);
      return {};
    },
    'close-pipe': async (record, request) => {
      record.visit?.closePipe(request.pipe);
      return {};
    },
    'describe-visit': async (record, request) =>
      record.visit?.describe(request.from) ?? { peers: [] },
    'keep-changes': async (record, { changes }) => {
      this.#hold(record, changes);
      return {};
    },
    'kept-changes': async ({ held }) => (held === undefined ? {} : { changes: held }),
  };

  async #open(record: VisitRecord, consumers: number): Promise<Visit> {
    if (!this.#takesVisits()) throw new BedsideError('capacity');
    const options: VisitOptions = {
      key: record.key,
      deadlineMs: this.#config.mediaDeadlineMs,
      capabilities: this.#capabilities,
      pipes: this.#config.pipes,
      choose: (more, present, isLastResort) =>
        this.#pool.choose(more, present, isLastResort, this.#spreads(record)),
      room: (worker) => this.#pool.room(worker),
      mayOpenPeer: () => this.#holdingsOf(record.owner).peers < this.#config.perGateway.peers,
      onPeers: (peers) => this.#count(record.owner, { peers }),
      onTransportState: (payload) => this.#linkOf(record.owner)?.send('transport-state', payload),
      onSpeaker: (payload) => this.#linkOf(record.owner)?.send('speaker', payload),
      onPipeSilent: (payload) => this.#linkOf(record.owner)?.send('pipes-silent', payload),
    };
    const visit = await Visit.open(options, consumers);
    if (this.#stopped || visit.closed) {
      visit.close();
      throw new BedsideError('media-unavailable');
    }
    record.visit = visit;
    record.emptySince = undefined;
    record.untold = undefined;
    return visit;
  }

  /** @throws BedsideError `capacity`: what was held before still is */
  #hold(record: VisitRecord, changes: string | undefined): void {
    const held = lengthOf(changes) - lengthOf(record.held);
    if (held > 0 && this.#holdingsOf(record.owner).held + held > HELD_MAX)
      throw new BedsideError('capacity');
    record.held = changes;
    this.#count(record.owner, { held });
  }

  #close(record: VisitRecord): void {
    const { visit } = record;
    if (!visit) return;
    record.visit = undefined;
    visit.close();
  }

  #lose(records: readonly VisitRecord[], reason: LostReason): void {
    const byLink = new Map<GatewayLink, VisitKey[]>();
    let count = 0;
    for (const record of records) {
      if (!record.visit) continue;
      this.#close(record);
      count += 1;
      const link = this.#linkOf(record.owner);
      if (link) append(byLink, link, record.key);
      else record.untold = reason;
    }
    if (count > 0) this.#telemetry.visitsLost(reason, count);
    for (const [link, visits] of byLink) reportLost(link, visits, reason);
  }

  #losePart(record: VisitRecord, loss: VisitLoss, reason: WorkerLoss): void {
    this.#telemetry.peersLost(reason, loss.peers.length);
    // A gateway that is away asks what is left when it is back.
    this.#linkOf(record.owner)?.send('peers-lost', { visit: record.key, ...loss });
    this.#mend(record);
  }

  /** Who speaks is worth knowing, and nothing that anybody waits for. */
  #mend({ lane, visit }: VisitRecord): void {
    if (!visit?.isHurt) return;
    lane
      .run(() => visit.mend())
      .catch((error: unknown) => {
        if (!visit.closed)
          this.#log.warn({ err: error }, 'not everybody is heard as a speaker yet');
      });
  }
}

type Handlers = {
  readonly [Name in ControlCommandName]: (
    record: VisitRecord,
    request: ControlRequest<Name>,
  ) => Promise<ControlResponse<Name>>;
};

const lengthOf = (held: string | undefined): number => held?.length ?? 0;

/** @throws BedsideError `not-found` */
function present(record: VisitRecord): Visit {
  if (!record.visit) throw new BedsideError('not-found', { field: 'visit' });
  return record.visit;
}

/** One report, or several where it would be over its limit. */
function reportLost(link: GatewayLink, visits: readonly VisitKey[], reason: LostReason): void {
  for (let start = 0; start < visits.length; start += LIMITS.visitsPerReport) {
    const some = visits.slice(start, start + LIMITS.visitsPerReport);
    link.send('visits-lost', { visits: some, reason });
  }
}

function append<Key>(groups: Map<Key, VisitKey[]>, key: Key, visit: VisitKey): void {
  const group = groups.get(key);
  if (group) group.push(visit);
  else groups.set(key, [visit]);
}
