import { createHash, randomBytes } from 'node:crypto';
import {
  BedsideError,
  type ClientRequest,
  type ClientResponse,
  type Grant,
  LIMITS,
  listensOnly,
  type NodeId,
  type ParticipantId,
  type PeerId,
  type ProducerId,
  type RequestId,
  type SessionId,
  type TenantId,
  toBedsideError,
  type VisitId,
  type VisitKey,
  type VisitResource,
  type Wait,
} from '@bedside/protocol';
import type { Clock } from '@bedside/service';
import type { Logger } from 'pino';
import type { NodeClient, NodeReport } from '../nodes/client.ts';
import type { LinkedNode } from '../nodes/placement.ts';
import { replanned } from '../plan/plan.ts';
import type {
  CallDesk,
  ClientLink,
  Clinics,
  GuestTokens,
  Identity,
  VisitCommandName,
  VisitConnection,
  VisitTelemetry,
} from '../ports.ts';
import type { Seal } from '../store/kept.ts';
import type { Lease, VisitStore } from '../store/store.ts';
import { VisitWriter } from '../store/writer.ts';
import { nextDeadline, tickAt } from '../visit/deadlines.ts';
import { type By, type Command, type Decision, decide, type Effect } from '../visit/decide.ts';
import { grantsOf } from '../visit/grants.ts';
import { isAt, nodeOfProducer, nodesOf } from '../visit/nodes.ts';
import {
  findPresent,
  type Media,
  newVisit,
  type Person,
  present,
  type Said,
  type Visit,
  type VisitPlan,
} from '../visit/state.ts';
import { resourceOf, viewOf } from '../visit/view.ts';
import {
  type Act,
  type Acts,
  actNameOf,
  createActs,
  done,
  isStaffCommand,
  mapActs,
} from './acts.ts';
import type { Census } from './census.ts';
import { ClinicTies } from './clinic-ties.ts';
import { Conversation } from './conversation.ts';
import { Keeper } from './keeper.ts';
import { type MediaHost, RESYNC_MIN_MS, VisitMedia } from './media.ts';
import { News } from './news.ts';
import { Outbox } from './outbox.ts';
import { createPageCommands } from './page-commands.ts';
import { type Lane, TaskQueue } from './queue.ts';
import { Relocation } from './relocation.ts';
import { RequestMemory } from './requests.ts';
import { type Session, Sessions } from './sessions.ts';

/** Commands of one visit that may wait for their turn; behind them the audience of a lecture, which comes within seconds. */
const QUEUE_LIMITS = { front: 256, back: 2 * LIMITS.audiencePerVisit };
/** The longest that an alarm is set for, milliseconds: setTimeout takes no more than 24 days. */
const ALARM_MAX_MS = 24 * 60 * 60 * 1000;
/** Pages of one visit, those that have not joined included; of a lecture with its audience. */
const SESSION_LIMIT = 128;
const LECTURE_SESSION_LIMIT = SESSION_LIMIT + LIMITS.audiencePerVisit;
/** People of the staff whose latest requests are remembered. */
const DESK_LIMIT = 64;

type Handlers = {
  [Name in VisitCommandName]: (
    session: Session,
    request: ClientRequest<Name>,
  ) => Promise<ClientResponse<Name>>;
};

export interface ActorOptions {
  key: VisitKey;
  lease: Lease;
  store: VisitStore;
  nodes: NodeClient;
  clock: Clock;
  log: Logger;
  telemetry: VisitTelemetry;
  census: Census;
  clinics: Clinics;
  guests: GuestTokens;
  calls: CallDesk;
  /** Of what nodes hold while Redis is away. */
  seal: Seal;
  /** How long a session outlives its socket. */
  graceMs: number;
  /** The actor has ended; nothing of it remains. */
  onClosed: () => void;
}

/**
 * The shell of one visit: runs its commands one at a time through `decide`, has the node do what
 * follows, commits, and tells the pages. A change counts once the node has done its part, and is
 * acknowledged once Redis has it (or is known to be away).
 */
export class VisitActor {
  /** Settles when the actor has ended and its lease is free. */
  readonly closed: Promise<void>;
  readonly #options: ActorOptions;
  readonly #queue = new TaskQueue(QUEUE_LIMITS, () => this.#unloadWhenEmpty());
  readonly #writer: VisitWriter;
  readonly #keeper: Keeper;
  readonly #sessions: Sessions;
  readonly #news: News;
  readonly #clinic: ClinicTies;
  readonly #relocation: Relocation;
  readonly #handlers: Handlers;
  /** Who of the staff acts on the visit from outside, the last one at the end. */
  readonly #desks = new Map<ParticipantId, RequestMemory>();
  #media: VisitMedia;
  readonly #resolveClosed: () => void;
  readonly #conversation: Conversation;
  #visit: Visit | undefined;
  #cancelAlarm: () => void = () => {};
  /** When the cluster was told to look at the visit. */
  #expected: number | undefined;
  #closing = false;

  constructor(options: ActorOptions) {
    this.#options = options;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.closed = promise;
    this.#resolveClosed = resolve;
    const { store, key, lease, nodes, clock, census, log, clinics, calls, telemetry } = options;
    this.#conversation = new Conversation(lease.messages);
    this.#keeper = new Keeper(options, key, lease);
    this.#writer = new VisitWriter({
      store,
      key,
      epoch: lease.epoch,
      clock,
      keepers: lease.keepers,
      isHeld: (lease.heldAt?.length ?? 0) > 0,
      keepersFor: (home) => this.#keeper.keepersFor(home),
      keep: (unwritten, keepers) => this.#keeper.keep(unwritten, keepers),
      drop: () => this.#keeper.drop(),
      onUnwritten: (difference) => census.unwritten(difference),
      onStale: () => this.#stepDown(),
      onClean: () => this.#unloadWhenEmpty(),
      onDropped: (events) =>
        log.error({ visit: key, events }, 'ledger events dropped: Redis is away for too long'),
      onFault: (err) => log.error({ visit: key, err }, 'a change of the visit was not written'),
    });
    this.#sessions = new Sessions(clock, options.graceMs);
    this.#news = new News(this.#sessions, () => this.#visit, clock);
    this.#clinic = new ClinicTies({
      key,
      epoch: lease.epoch,
      clinics,
      calls,
      now: () => this.#now(),
      qualityOf: (id) => this.#news.qualityOf(id),
      happen: (command) => void this.#happen(() => void this.#apply(command)),
    });
    const mediaHost: MediaHost = {
      key,
      epoch: lease.epoch,
      nodes,
      clock,
      log,
      visit: () => this.#visit,
      closing: () => this.#closing,
      happen: (task) => this.#happen(task),
      isReconciled: (id) => this.#sessions.get(id)?.reconciled ?? false,
      sendConsumers: (id, payload, onActed) =>
        this.#sessions.get(id)?.outbox?.sendConsumers(payload, onActed),
      mediaLost: (node) => this.#mediaLost(node),
      endpointsLost: (peers, producers) => this.#endpointsLost(peers, producers),
      stepDown: () => this.#stepDown(),
    };
    this.#media = new VisitMedia(mediaHost);
    this.#relocation = new Relocation({
      mediaHost,
      sessions: this.#sessions,
      media: () => this.#media,
      adopt: (media) => {
        this.#media.stop();
        this.#media = media;
      },
      now: () => this.#now(),
      visit: () => this.#visit,
      apply: (command) => this.#apply(command),
      mediaLost: () => {
        for (const { node } of this.#visit ? nodesOf(this.#visit) : []) this.#mediaLost(node);
      },
      tellMediaLost: (before) => this.#tellMediaLost(before),
    });
    this.#handlers = {
      ...createPageCommands({
        telemetry,
        conversation: this.#conversation,
        news: this.#news,
        relocation: this.#relocation,
        media: () => this.#media,
        visit: () => this.#state,
        now: () => this.#now(),
        decide: (command, request) => this.#decide(command, request),
        commit: (decision) => this.#answer(decision),
        roundTrips: () => this.#writer.roundTrips,
        turnOf: (session, task) => this.#turnOf(session, task),
      }),
      ...mapActs((name) => (session: Session, request) => {
        const by = { participant: session.person.id };
        const act = () =>
          this.#actsFor(name, request, session.hash)[name](by, request, session.hash);
        return this.#turnOf(session, act).then(done);
      }),
    };
    const { visit, unwritten } = lease;
    // First of all: what follows comes after it.
    if (visit && unwritten)
      this.#writer.write(visit, unwritten.events, unwritten.messages).catch(() => {});
    if (visit) this.#recover(visit);
  }

  /** No new work is taken: await `closed` and open the visit anew. */
  get closing(): boolean {
    return this.#closing;
  }

  /** Round trips to Redis. */
  get openedIn(): number {
    return this.#options.lease.roundTrips;
  }

  /** Where the media runs, if it does. */
  get media(): Media | undefined {
    return this.#visit?.media;
  }

  /** Whether some of the visit is at that node, or on its way there. */
  uses(node: NodeId): boolean {
    return this.isAt(node) || this.#relocation.arrival?.to.node === node;
  }

  /** Whether some of the visit is at that node. */
  isAt(node: NodeId): boolean {
    return this.#visit !== undefined && isAt(this.#visit, node);
  }

  /** The visit, where there is one, for what was measured of it. */
  get evidence(): Pick<Visit, 'evidence'> | undefined {
    return this.#visit;
  }

  get resource(): VisitResource | undefined {
    return this.#visit && resourceOf(this.#visit);
  }

  /** @throws BedsideError `conflict` where the visit is of another kind, `state-unavailable` where Redis doesn't take it */
  create(
    tenant: TenantId,
    id: VisitId,
    as: VisitPlan,
  ): Promise<{ created: boolean; visit: VisitResource }> {
    return this.#turn(async () => {
      const created = !this.#visit;
      const visit = this.#ensure(tenant, id, as);
      if (as.kind !== undefined && visit.kind !== as.kind)
        throw new BedsideError('conflict', { field: 'kind' });
      // Asked again after a failure it may exist here, and here alone.
      if (!(await this.#writer.written())) throw new BedsideError('state-unavailable');
      return { created, visit: resourceOf(visit) };
    });
  }

  /** Ends the visit for the portal. @throws BedsideError `not-found` */
  async end(): Promise<VisitResource> {
    const { committed, visit } = await this.#turn(() => {
      if (!this.#visit) throw new BedsideError('not-found');
      return this.#apply({ type: 'end', now: this.#now() });
    });
    await committed;
    return resourceOf(visit);
  }

  /** What the clinic knows of the wait, for who waits. @throws BedsideError `not-found`, `visit-ended` */
  async share({ ahead, expectedAt }: Wait): Promise<VisitResource> {
    const { committed, visit } = await this.#turn(() =>
      this.#apply({
        type: 'wait',
        now: this.#now(),
        ahead,
        expectedAt: expectedAt === undefined ? undefined : Date.parse(expectedAt),
      }),
    );
    await committed;
    return resourceOf(visit);
  }

  /** `roundTrips`: to Redis, that the page has waited for so far. */
  connect(
    identity: Identity,
    link: ClientLink,
    sessionId?: SessionId,
    roundTrips = 0,
  ): Promise<VisitConnection> {
    if (identity.attendant) return this.#turn(() => this.#attend(identity));
    const outbox = new Outbox(link);
    const kind = this.#visit?.kind ?? 'visit';
    const lane = listensOnly(kind, personOf(identity).grants) ? 'back' : 'front';
    return outbox.behind(() =>
      this.#turn(() => this.#connect(identity, link, outbox, lane, sessionId, roundTrips), lane),
    );
  }

  /** The link with a node is up, for the first time or again. Resolves once the node's part is in line, or will be tried again. */
  async nodeLinked({ nodeId, bootId }: LinkedNode): Promise<void> {
    if (this.#relocation.arrival?.to.node === nodeId)
      await this.#happen(() => this.#relocation.lost(nodeId, bootId));
    if (this.isAt(nodeId)) await this.#media.readopt(nodeId);
  }

  /** A node is lost: the visit goes on at another one, if it was there, and stays if it was on its way there. */
  async nodeLost(node: NodeId): Promise<void> {
    if (this.#relocation.arrival?.to.node === node)
      await this.#happen(() => this.#relocation.lost(node));
    if (this.isAt(node)) await this.#media.readopt(node);
  }

  /** What a node says of this visit. */
  report(report: Exclude<NodeReport, { type: 'linked' | 'lost' | 'draining' }>): void {
    if (this.#closing || !this.#visit) return;
    const { arrival } = this.#relocation;
    switch (report.type) {
      case 'visits-lost':
        void this.#happen(() => {
          this.#relocation.lost(report.node);
          // In its turn: the visit may have come there, or gone from there, meanwhile.
          this.#mediaLost(report.node);
        });
        return;
      case 'peers-lost':
        void this.#happen(() => this.#endpointsLost(report.peers, []));
        // What went with the worker besides is found by asking.
        if (this.isAt(report.node)) void this.#media.readopt(report.node);
        if (arrival?.to.node === report.node) void arrival.media.readopt();
        return;
      case 'pipes-silent':
        void this.#happen(() => this.#media.pipesSilent(report.pipes));
        return;
      case 'transport-state': {
        const owner = this.#media.ownerOf(report.peer) ?? arrival?.media.ownerOf(report.peer);
        if (!owner || (report.ice !== 'disconnected' && report.dtls !== 'failed')) return;
        this.#sessions.send(owner, 'transport-failed', { transportId: report.transportId });
        return;
      }
      case 'scores':
        this.#scored(report);
        return;
      case 'speaker':
        // Who speaks elsewhere is heard at home, too.
        if (report.node === this.#visit.media?.node) this.#news.speaks(report.producerId);
        return;
    }
  }

  /** Redis answers again: writes what is unwritten, and the visit anew in case Redis lost it. */
  async redisReturned(): Promise<void> {
    if (this.#closing || !this.#visit) return;
    void this.#expect(nextDeadline(this.#visit)).catch(() => {});
    await this.#writer.write(this.#visit, []).catch(() => {});
    this.#clinic.repeat(this.#visit);
  }

  /** Has what was due happened, whoever had the visit then. @throws BedsideError `state-unavailable` */
  async look(): Promise<void> {
    // What was due when it was opened is in the queue already.
    await this.#turn(() => this.#expect(this.#visit && nextDeadline(this.#visit)));
  }

  /** Has the media go to another node while it goes on at its own; whether it went. */
  async relocate(): Promise<boolean> {
    let moved: Promise<boolean> | undefined;
    await this.#happen(() => {
      moved = this.#relocation.begin();
    });
    return (await moved) ?? false;
  }

  /** Resolves after what is queued; a visit with nobody in it closes then. */
  settle(): Promise<void> {
    return this.#happen(() => {}, 'back');
  }

  /** Commits what is unwritten and frees the lease. The media goes on at the node. */
  async stop(): Promise<void> {
    if (this.#closing) return this.closed;
    await this.#queue.always(() => this.#close());
  }

  // --- sessions

  async #connect(
    identity: Identity,
    link: ClientLink,
    outbox: Outbox,
    lane: Lane,
    sessionId: SessionId | undefined,
    roundTrips: number,
  ): Promise<VisitConnection> {
    const rtpCapabilities = this.#options.nodes.rtpCapabilities();
    if (!rtpCapabilities) throw new BedsideError('media-unavailable', { retryAfterMs: 500 });
    const visit = this.#ensure(identity.tenant, identity.visit);
    const person = personOf(identity);
    const before = this.#sessions.get(person.id);
    const limit = visit.kind === 'lecture' ? LECTURE_SESSION_LIMIT : SESSION_LIMIT;
    if (!before && this.#sessions.size >= limit) throw new BedsideError('limit-reached');

    const shown = sessionId === undefined ? undefined : hashOf(sessionId);
    const participant = findPresent(visit, person.id);
    // Under another role it is another session, which replaces the one that is shown.
    const known =
      shown !== undefined &&
      (((shown === before?.hash || shown === participant?.session) &&
        (participant ?? before?.person)?.role === person.role) ||
        // An invitation is its page's, also after the grace time.
        (visit.invites ?? []).some(({ id, session }) => id === person.invite && session === shown));
    const id =
      known && sessionId !== undefined
        ? sessionId
        : (randomBytes(16).toString('base64url') as SessionId);
    const hash = hashOf(id);
    const { committed } = this.#commit(
      this.#decide({ type: 'connect', now: this.#now(), person, session: hash }),
    );
    // What only says that the page is there again need not be on record before the page is let in.
    committed.catch(() => {});
    this.#sessions.cancelGrace(person.id);
    before?.outbox?.close('replaced');
    this.#relocation.drop(person.id);
    const session: Session =
      before?.hash === hash
        ? before
        : {
            hash,
            person,
            lane,
            outbox,
            reconciled: false,
            seq: 0,
            speaker: null,
            requests: new RequestMemory(),
            roundTrips,
          };
    session.person = person;
    session.outbox = outbox;
    session.reconciled = false;
    session.speaker = null;
    session.roundTrips = roundTrips;
    this.#sessions.set(person.id, session);

    return {
      welcome: {
        participantId: person.id,
        sessionId: id,
        resumed: known && findPresent(this.#state, person.id)?.endpoint !== undefined,
        grants: [...person.grants],
        rtpCapabilities,
        graceMs: this.#options.graceMs,
        visit: this.#news.viewFor(session, this.#state),
      },
      command: (name, request) => this.#command(session, link, name, request),
      identify: (renewed) => this.#identify(session, link, personOf(renewed)),
      disconnected: () => this.#disconnected(session, link),
    };
  }

  /** Staff of the clinic, who act on the visit without taking part in it. @throws BedsideError `unauthorized` */
  #attend({ attendant, participant: staff, grants = [] }: Identity): VisitConnection {
    const rtpCapabilities = this.#options.nodes.rtpCapabilities();
    // One answer, whether there is no such visit or it is another clinic's.
    if (!this.#visit || this.#visit.policy.clinic !== attendant?.clinic)
      throw new BedsideError('unauthorized');
    if (!rtpCapabilities) throw new BedsideError('media-unavailable', { retryAfterMs: 500 });
    const requests = this.#deskOf(staff);
    const sessionId = randomBytes(16).toString('base64url') as SessionId;
    const by: By = { staff, grants };
    return {
      welcome: {
        participantId: staff,
        sessionId,
        resumed: false,
        grants: [...grants],
        rtpCapabilities,
        graceMs: this.#options.graceMs,
        visit: viewOf(this.#state, staff, 0),
      },
      command: (name, request) =>
        this.#reported(name, () => {
          const desk = `staff ${staff}`;
          if (!isStaffCommand(name)) throw new BedsideError('forbidden');
          return requests.once(`${name} ${request.requestId}`, true, () =>
            this.#turn(() => this.#actsFor(name, request, desk)[name](by, request, desk)).then(
              done,
            ),
          );
        }),
      identify: () => Promise.resolve([...grants]),
      disconnected: () => {},
    };
  }

  /** What this person of the staff asked for, over all connections of theirs. */
  #deskOf(staff: ParticipantId): RequestMemory {
    const desk = this.#desks.get(staff) ?? new RequestMemory();
    this.#desks.delete(staff);
    this.#desks.set(staff, desk);
    const [longestAgo] = this.#desks.keys();
    if (this.#desks.size > DESK_LIMIT && longestAgo !== undefined) this.#desks.delete(longestAgo);
    return desk;
  }

  async #identify(session: Session, link: ClientLink, person: Person): Promise<Grant[]> {
    const { committed } = await this.#turnOf(session, () => {
      if (!session.outbox?.isOf(link)) throw new BedsideError('replaced');
      const renewed = this.#apply({ type: 'identify', now: this.#now(), person });
      session.person = person;
      return renewed;
    });
    await committed;
    return [...person.grants];
  }

  #disconnected(session: Session, link: ClientLink): void {
    void this.#happen(() => {
      if (!session.outbox?.isOf(link)) return;
      session.outbox = undefined;
      session.reconciled = false;
      const { id } = session.person;
      if (this.#sessions.get(id) !== session) return;
      if (!findPresent(this.#state, id)) {
        this.#sessions.delete(id);
        return;
      }
      this.#relocation.drop(id);
      this.#apply({ type: 'disconnect', now: this.#now(), participant: id, session: session.hash });
      this.#startGrace(id, session.hash);
    }, session.lane);
  }

  #startGrace(participant: ParticipantId, session: string): void {
    this.#sessions.startGrace(participant, () => {
      void this.#happen(() => {
        this.#apply({ type: 'expire', now: this.#now(), participant, session });
      });
    });
  }

  // --- commands

  async #command<Name extends VisitCommandName>(
    session: Session,
    link: ClientLink,
    name: Name,
    request: ClientRequest<Name>,
  ): Promise<ClientResponse<Name>> {
    return this.#reported(name, () => {
      if (this.#closing) throw new BedsideError('moved', { retryAfterMs: RESYNC_MIN_MS });
      const { outbox } = session;
      this.#mustBeCurrent(session);
      if (!outbox?.isOf(link)) throw new BedsideError('replaced');
      // A repeated `join` finds its peer in the visit and `resume` says how things are now: no need to keep either answer.
      const whole = name === 'join' || name === 'resume';
      const run = () =>
        session.requests.once(`${name} ${request.requestId}`, !whole, () => {
          // From here on the answer tells of consumers, and no event besides.
          if (whole) session.reconciled = false;
          return this.#handlers[name](session, request);
        });
      // `end` closes its own socket, too: not before its answer is out.
      return whole || name === 'end' ? outbox.behind(run) : run();
    });
  }

  /** Runs a command, and counts how it went. */
  async #reported<Result>(name: VisitCommandName, run: () => Promise<Result>): Promise<Result> {
    const started = performance.now();
    const report = (outcome: string) =>
      this.#options.telemetry.command(name, outcome, (performance.now() - started) / 1000);
    try {
      const response = await run();
      report('ok');
      return response;
    } catch (thrown) {
      const error = toBedsideError(thrown);
      report(error.code);
      throw error;
    }
  }

  /** For one request. */
  #actsFor(act: Act, { requestId }: { requestId: RequestId }, session: string): Acts {
    const known = actNameOf(session, act, requestId);
    return createActs({
      now: () => this.#now(),
      visit: () => this.#state,
      did: (command) => this.#answer(this.#decide(command, known)).committed,
      confirmed: () => this.#writer.write(this.#state, []),
      inLine: async () => {
        const media = await Promise.all([this.#media.inLine(), this.#relocation.inLine()]);
        return media.every((applied) => applied);
      },
      mint: (guest) => this.#options.guests.mint(guest),
      said: (saying) => this.#conversation.numberOf(saying),
      canCall: () => this.#options.store.available,
    });
  }

  /** A command's turn. @throws BedsideError `moved` where the visit was closed meanwhile */
  #turn<Result>(task: () => Result | Promise<Result>, lane?: Lane): Promise<Result> {
    return this.#queue.run(() => {
      if (this.#closing) throw new BedsideError('moved', { retryAfterMs: RESYNC_MIN_MS });
      return task();
    }, lane);
  }

  /** A page's turn. @throws BedsideError as `#mustBeCurrent`: another page may have come while this one waited */
  #turnOf<Result>(session: Session, task: () => Result | Promise<Result>): Promise<Result> {
    return this.#turn(() => {
      this.#mustBeCurrent(session);
      return task();
    }, session.lane);
  }

  /** @throws BedsideError `replaced`, `visit-ended`: the page speaks for its participant no more */
  #mustBeCurrent(session: Session): void {
    if (this.#sessions.get(session.person.id) === session) return;
    throw new BedsideError(this.#visit?.state === 'ended' ? 'visit-ended' : 'replaced');
  }

  /** The turn of what nobody waits for: a fault ends here, in the log. */
  async #happen(task: () => void | Promise<void>, lane?: Lane): Promise<void> {
    try {
      await this.#queue.always(() => {
        if (!this.#closing) return task();
      }, lane);
    } catch (err) {
      this.#options.log.error(
        { visit: this.#options.key, err },
        'an event of the visit could not be dealt with',
      );
    }
  }

  // --- state

  /** The visit; only called once it exists. */
  get #state(): Visit {
    if (!this.#visit) throw new BedsideError('not-found');
    return this.#visit;
  }

  #now(): number {
    return this.#options.clock.now();
  }

  #ensure(tenant: TenantId, id: VisitId, as?: VisitPlan): Visit {
    if (this.#visit) return this.#visit;
    const visit = newVisit(tenant, id, this.#now(), as);
    this.#visit = visit;
    this.#options.census.moved(undefined, visit);
    this.#writer.defer(visit, [{ type: 'visit-created', at: visit.createdAt }]);
    this.#setAlarm();
    return visit;
  }

  #decide(command: Command, request?: string): Extract<Decision, { ok: true }> {
    const decision = decide(this.#state, command, request);
    if (!decision.ok) throw new BedsideError(decision.code);
    return decision;
  }

  /** Decides and commits what needs nothing of the node but tidying. */
  #apply(command: Command) {
    return this.#commit(this.#decide(command));
  }

  /**
   * As `#commit`, for who waits for an answer. That nothing changed is true only where the visit is this
   * gateway's still, which Redis knows.
   */
  #answer(decision: Extract<Decision, { ok: true }>) {
    const before = this.#state;
    const done = this.#commit(decision);
    const isTold = decision.effects.some(({ type }) => type === 'tell');
    if (done.visit !== before || isTold) return done;
    return { ...done, committed: this.#writer.write(before, []) };
  }

  /** The decision becomes the state: pages are told, listeners planned anew, and Redis gets it. */
  #commit(decision: Extract<Decision, { ok: true }>) {
    const before = this.#state;
    const { visit, events, effects } = decision;
    // The visit may have gone to another gateway while the node did its part.
    if (this.#closing) throw new BedsideError('moved', { retryAfterMs: RESYNC_MIN_MS });
    if (visit === before) {
      this.#tell(effects);
      return { visit, committed: Promise.resolve('written' as const) };
    }
    this.#visit = visit;
    this.#options.census.moved(before, visit);
    const said = effects.filter((effect) => effect.type === 'say');
    const committed = this.#writer.write(visit, events, said.map(saidBy));
    committed.catch(() => {});
    this.#news.changed(before, visit);
    this.#tell(effects);
    this.#say(effects, committed);
    for (const participant of visit.participants) {
      const { id } = participant;
      if (findPresent(visit, id) || !findPresent(before, id)) continue;
      this.#sessions.cancelGrace(id);
      const outbox = this.#sessions.get(id)?.outbox;
      const sentAway = participant.leftReason === 'removed' || participant.leftReason === 'denied';
      if (sentAway) outbox?.close(participant.leftReason as 'removed' | 'denied');
      if (sentAway || !outbox) this.#sessions.delete(id);
    }
    this.#relocation.changed(before, visit);
    if (visit.state === 'ended') this.#dismiss();
    this.#setAlarm();
    this.#clinic.follow(visit);
    this.#news.follow(before, visit);
    this.#media.changed(visit, replanned(before, visit));
    this.#media.tidy(effects, before);
    // Who speaks is heard at home.
    if (before.media?.node !== visit.media?.node) this.#news.speaks(null);
    void this.#media.scheduleSync();
    this.#relocation.endIfReady();
    return { visit, committed };
  }

  /** What a decision has others told of, and nothing keeps. */
  #tell(effects: readonly Effect[]): void {
    for (const effect of effects)
      if (effect.type === 'tell')
        for (const id of effect.to) this.#sessions.send(id, effect.event, effect.payload as never);
  }

  /**
   * Messages go out once they are on record: a page that read one which is not would pass over the one that
   * has its number in the end.
   */
  #say(effects: readonly Effect[], committed: Promise<unknown>): void {
    for (const effect of effects) {
      if (effect.type !== 'say') continue;
      const said = saidBy(effect);
      this.#conversation.add(said);
      const send = () => {
        this.#conversation.recorded(said);
        for (const id of [...effect.audience, ...(effect.listeners?.told ?? [])])
          this.#sessions.send(id, 'message', effect.message);
      };
      committed.then(send, () => {});
    }
  }

  /** The visit is over: everybody is told, and nothing is waited for. */
  #dismiss(): void {
    for (const { outbox } of this.#sessions.values()) outbox?.close('visit-ended');
    this.#sessions.clear();
    this.#conversation.clear();
  }

  /** One timer for whatever the visit waits for next. */
  #setAlarm(): void {
    this.#cancelAlarm();
    this.#cancelAlarm = () => {};
    const at = this.#visit && nextDeadline(this.#visit);
    if (this.#closing) return;
    // Another gateway looks at it then, where this one is gone.
    if (at !== this.#expected) void this.#expect(at).catch(() => {});
    if (at === undefined) return;
    const ms = Math.min(Math.max(1, at - this.#now()), ALARM_MAX_MS);
    this.#cancelAlarm = this.#options.clock.after(ms, () => this.#tick());
  }

  #expect(at: number | undefined): Promise<void> {
    this.#expected = at;
    const { store, key, lease } = this.#options;
    return store.expect(key, lease.epoch, at);
  }

  #tick(): void {
    void this.#happen(() => {
      this.#apply({ type: 'tick', now: tickAt(this.#state, this.#now()) });
      // It may have been early: the clock was set back, or the moment is further away than a timer goes.
      this.#setAlarm();
    });
  }

  /** Of what the node says, what it gets from the pages themselves: pipes say nothing of a line. */
  #scored({ node, producers }: Extract<NodeReport, { type: 'scores' }>): void {
    const visit = this.#visit;
    if (!visit || !this.isAt(node)) return;
    this.#news.scored(
      producers.filter(({ producerId }) => nodeOfProducer(visit, producerId)?.node === node),
    );
    this.#clinic.tellQueue(visit);
  }

  /** The node has nothing of the visit any more. */
  #mediaLost(node: NodeId): void {
    if (this.#closing || !this.isAt(node)) return;
    const before = this.#state;
    const isAll = nodesOf(before).every((media) => media.node === node);
    // Where others are well where they are, those go on, and a relocation, too.
    if (isAll && this.#relocation.rescue()) return;
    if (isAll) this.#media.forget();
    this.#apply({ type: 'media-lost', now: this.#now(), node });
    this.#tellMediaLost(before);
  }

  /** The nodes have the visit, but not these. */
  #endpointsLost(peers: readonly PeerId[], producers: readonly ProducerId[]): void {
    const before = this.#state;
    this.#apply({ type: 'endpoints-lost', now: this.#now(), peers, producers });
    this.#tellMediaLost(before);
  }

  #tellMediaLost(before: Visit): void {
    for (const { id, endpoint } of before.participants) {
      if (!endpoint || findPresent(this.#state, id)?.endpoint) continue;
      const session = this.#sessions.get(id);
      if (!session) continue;
      session.reconciled = false;
      session.outbox?.send('media-lost', {});
    }
  }

  // --- life

  /** A visit from Redis: its participants have their grace time to come back, its media goes on. */
  #recover(visit: Visit): void {
    this.#visit = visit;
    this.#options.census.moved(undefined, visit);
    // What was due while nobody had the visit comes before whoever opens it.
    if ((nextDeadline(visit) ?? Number.POSITIVE_INFINITY) <= this.#now()) this.#tick();
    else this.#setAlarm();
    this.#clinic.follow(visit);
    const { arriving } = visit;
    if (arriving) {
      if (!isAt(visit, arriving.node)) this.#options.nodes.closeVisit(arriving, this.#media.scope);
      void this.#happen(() => {
        this.#apply({ type: 'relocating', now: this.#now(), media: undefined });
      });
    }
    if (present(visit).length === 0) return;
    for (const { id, session } of present(visit)) this.#startGrace(id, session);
    this.#media.doubtNode();
    void this.#happen(async () => {
      this.#apply({ type: 'recover', now: this.#now() });
      await this.#media.trySync();
    });
  }

  #unloadWhenEmpty(): void {
    if (this.#closing || !this.#queue.idle) return;
    if (this.#sessions.size > 0 || (this.#visit && present(this.#visit).length > 0)) return;
    if (this.#writer.clean) void this.#close();
    else this.#writer.hurry();
  }

  async #close(): Promise<void> {
    const { store, key, lease } = this.#options;
    this.#shut();
    await this.#writer.flush();
    this.#writer.drop();
    await store.release(key, lease.epoch).catch(() => {});
    this.#writer.discard();
    this.#ended();
  }

  /** Another gateway owns the visit: nothing more is done for it here. */
  #stepDown(): void {
    if (this.#closing) return;
    this.#shut();
    for (const { outbox } of this.#sessions.values()) outbox?.close('moved', RESYNC_MIN_MS);
    this.#writer.discard();
    const { store, key } = this.#options;
    store.lost(key).catch(() => {});
    this.#options.log.warn({ visit: this.#options.key }, 'another gateway owns this visit now');
    this.#ended();
  }

  #shut(): void {
    this.#relocation.stop();
    this.#news.stop();
    this.#closing = true;
    this.#media.stop();
    this.#cancelAlarm();
    this.#clinic.forget();
    this.#sessions.cancelAllGrace();
  }

  #ended(): void {
    this.#options.census.moved(this.#visit, undefined);
    this.#options.onClosed();
    this.#resolveClosed();
  }
}

function personOf({ participant, role, name, lang, grants, jti, invite }: Identity): Person {
  const token = createHash('sha256').update(jti).digest('base64url').slice(0, 8);
  return { id: participant, role, name, lang, grants: grantsOf(role, grants), token, invite };
}

const saidBy = ({
  message,
  audience,
  listeners,
  request,
}: Extract<Effect, { type: 'say' }>): Said => ({
  message,
  audience: [...audience],
  ...(listeners === undefined ? {} : { listeners: { except: [...listeners.except] } }),
  ...(request === undefined ? {} : { request }),
});

function hashOf(sessionId: SessionId): string {
  return createHash('sha256').update(sessionId).digest('base64url');
}
