import { createHash, randomBytes, randomUUID } from 'node:crypto';
import {
  BedsideError,
  type ClientRequest,
  type ClientResponse,
  type Grant,
  type NodeId,
  type ParticipantId,
  type PeerId,
  type ProducerId,
  type SessionId,
  type TenantId,
  toBedsideError,
  type VisitChange,
  type VisitId,
  type VisitKey,
  type VisitKind,
  type VisitResource,
} from '@bedside/protocol';
import type { Logger } from 'pino';
import type { NodeClient, NodeReport } from '../nodes/client.ts';
import { plan, replanned } from '../plan/plan.ts';
import type {
  ClientLink,
  Identity,
  VisitCommandName,
  VisitConnection,
  VisitTelemetry,
} from '../ports.ts';
import type { Lease, VisitStore } from '../store/store.ts';
import { VisitWriter } from '../store/writer.ts';
import { type Command, type Decision, decide, type Effect } from '../visit/decide.ts';
import { grantsOf } from '../visit/grants.ts';
import {
  findPresent,
  type Media,
  newVisit,
  type Person,
  present,
  type Visit,
} from '../visit/state.ts';
import { changesFor, resourceOf, viewOf } from '../visit/view.ts';
import type { Census } from './census.ts';
import type { Clock } from './clock.ts';
import { RESYNC_MIN_MS, VisitMedia } from './media.ts';
import { Outbox } from './outbox.ts';
import { Quality } from './quality.ts';
import { TaskQueue } from './queue.ts';
import { RequestMemory } from './requests.ts';

/** Commands of one visit that may wait for their turn. */
const QUEUE_LIMIT = 256;
/** Pages of one visit, those that have not joined included. */
const SESSION_LIMIT = 128;

export interface ActorOptions {
  key: VisitKey;
  lease: Lease;
  store: VisitStore;
  nodes: NodeClient;
  clock: Clock;
  log: Logger;
  telemetry: VisitTelemetry;
  census: Census;
  /** How long a session outlives its socket. */
  graceMs: number;
  /** The actor has ended; nothing of it remains. */
  onClosed: () => void;
}

/** One page: from the handshake until its participant has left and its socket is gone. */
interface Session {
  /** Hash of the session id. */
  readonly hash: string;
  person: Person;
  outbox: Outbox | undefined;
  /** The page has all its consumers from an answer, so events may add to them. */
  reconciled: boolean;
  readonly requests: RequestMemory;
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
  readonly #queue = new TaskQueue(QUEUE_LIMIT, () => this.#unloadWhenEmpty());
  readonly #writer: VisitWriter;
  readonly #sessions = new Map<ParticipantId, Session>();
  readonly #grace = new Map<ParticipantId, () => void>();
  readonly #quality = new Quality();
  readonly #media: VisitMedia;
  readonly #resolveClosed: () => void;
  #visit: Visit | undefined;
  #speaker: ParticipantId | null = null;
  #closing = false;

  constructor(options: ActorOptions) {
    this.#options = options;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.closed = promise;
    this.#resolveClosed = resolve;
    const { store, key, lease, nodes, clock, census, log } = options;
    this.#writer = new VisitWriter({
      store,
      key,
      epoch: lease.epoch,
      onUnwritten: (difference) => census.unwritten(difference),
      onStale: () => this.#stepDown(),
      onClean: () => this.#unloadWhenEmpty(),
      onDropped: (events) =>
        log.error({ visit: key, events }, 'ledger events dropped: Redis is away for too long'),
      onFault: (err) => log.error({ visit: key, err }, 'a change of the visit was not written'),
    });
    this.#media = new VisitMedia({
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
      mediaLost: () => this.#mediaLost(),
      endpointsLost: (peers, producers) => {
        const before = this.#state;
        this.#apply({ type: 'endpoints-lost', now: this.#now(), peers, producers });
        this.#tellMediaLost(before);
      },
      stepDown: () => this.#stepDown(),
    });
    if (lease.visit) this.#recover(lease.visit);
  }

  /** No new work is taken: await `closed` and open the visit anew. */
  get closing(): boolean {
    return this.#closing;
  }

  /** Where the media runs, if it does. */
  get media(): Media | undefined {
    return this.#visit?.media;
  }

  get resource(): VisitResource | undefined {
    return this.#visit && resourceOf(this.#visit);
  }

  /** @throws BedsideError `conflict` where the visit is of another kind, `state-unavailable` where Redis doesn't take it */
  create(
    tenant: TenantId,
    id: VisitId,
    kind: VisitKind,
  ): Promise<{ created: boolean; visit: VisitResource }> {
    return this.#turn(async () => {
      const created = !this.#visit;
      const visit = this.#ensure(tenant, id, kind);
      if (visit.kind !== kind) throw new BedsideError('conflict', { field: 'kind' });
      // Asked again after a failure it may exist here, and here alone.
      if (!(await this.#writer.written())) throw new BedsideError('state-unavailable');
      return { created, visit: resourceOf(visit) };
    });
  }

  /** Ends the visit for the portal. @throws BedsideError `not-found` */
  async end(): Promise<VisitResource> {
    const { committed, visit } = await this.#turn(() => {
      if (!this.#visit) throw new BedsideError('not-found');
      return this.#end();
    });
    await committed;
    return resourceOf(visit);
  }

  connect(identity: Identity, link: ClientLink, sessionId?: SessionId): Promise<VisitConnection> {
    const outbox = new Outbox(link);
    return outbox.behind(() => this.#turn(() => this.#connect(identity, link, outbox, sessionId)));
  }

  /** The link with a node is up, for the first time or again. Resolves once the node's part is in line, or will be tried again. */
  async nodeLinked(node: NodeId): Promise<void> {
    if (this.#visit?.media?.node === node) await this.#media.readopt();
  }

  /** What a node says of this visit. */
  report(report: Exclude<NodeReport, { type: 'linked' }>): void {
    if (this.#closing || !this.#visit) return;
    switch (report.type) {
      case 'visits-lost':
        if (report.node === this.#visit.media?.node) void this.#happen(() => this.#mediaLost());
        return;
      case 'transport-state': {
        const owner = this.#media.ownerOf(report.peer);
        if (!owner || (report.ice !== 'disconnected' && report.dtls !== 'failed')) return;
        this.#sessions
          .get(owner)
          ?.outbox?.send('transport-failed', { transportId: report.transportId });
        return;
      }
      case 'scores': {
        const participants = this.#quality.update(this.#visit, report.producers);
        if (participants.length > 0)
          this.#tellAdmitted((outbox) => outbox.send('quality', { participants }));
        return;
      }
      case 'speaker': {
        this.#speaks(this.#ownerOf(report.producerId));
        return;
      }
    }
  }

  /** Redis answers again: writes what is unwritten, and the visit anew in case Redis lost it. */
  async redisReturned(): Promise<void> {
    if (this.#closing || !this.#visit) return;
    await this.#writer.write(this.#visit, []).catch(() => {});
  }

  /** Resolves after what is queued; a visit with nobody in it closes then. */
  settle(): Promise<void> {
    return this.#happen(() => {});
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
    sessionId: SessionId | undefined,
  ): Promise<VisitConnection> {
    const rtpCapabilities = this.#options.nodes.rtpCapabilities();
    if (!rtpCapabilities) throw new BedsideError('media-unavailable', { retryAfterMs: 500 });
    const visit = this.#ensure(identity.tenant, identity.visit, 'visit');
    const person = personOf(identity);
    const before = this.#sessions.get(person.id);
    if (!before && this.#sessions.size >= SESSION_LIMIT) throw new BedsideError('limit-reached');

    const shown = sessionId === undefined ? undefined : hashOf(sessionId);
    const participant = findPresent(visit, person.id);
    // Under another role it is another session, which replaces the one that is shown.
    const known =
      shown !== undefined &&
      (shown === before?.hash || shown === participant?.session) &&
      (participant ?? before?.person)?.role === person.role;
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
    this.#cancelGrace(person.id);
    before?.outbox?.close('replaced');
    const session: Session =
      before?.hash === hash
        ? before
        : { hash, person, outbox, reconciled: false, requests: new RequestMemory() };
    session.person = person;
    session.outbox = outbox;
    session.reconciled = false;
    this.#sessions.set(person.id, session);

    return {
      welcome: {
        participantId: person.id,
        sessionId: id,
        resumed: known && findPresent(this.#state, person.id)?.endpoint !== undefined,
        grants: [...person.grants],
        rtpCapabilities,
        graceMs: this.#options.graceMs,
        visit: viewOf(this.#state, person.id),
      },
      command: (name, request) => this.#command(session, link, name, request),
      identify: (renewed) => this.#identify(session, link, personOf(renewed)),
      disconnected: () => this.#disconnected(session, link),
    };
  }

  async #identify(session: Session, link: ClientLink, person: Person): Promise<Grant[]> {
    const { committed } = await this.#turnOf(session, () => {
      if (!session.outbox?.isOf(link)) throw new BedsideError('replaced');
      session.person = person;
      return this.#apply({ type: 'identify', now: this.#now(), person });
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
      this.#apply({ type: 'disconnect', now: this.#now(), participant: id, session: session.hash });
      this.#startGrace(id, session.hash);
    });
  }

  #startGrace(participant: ParticipantId, session: string): void {
    this.#cancelGrace(participant);
    const expire = () => {
      this.#grace.delete(participant);
      void this.#happen(() => {
        this.#apply({ type: 'expire', now: this.#now(), participant, session });
      });
    };
    this.#grace.set(participant, this.#options.clock.after(this.#options.graceMs, expire));
  }

  #cancelGrace(participant: ParticipantId): void {
    this.#grace.get(participant)?.();
    this.#grace.delete(participant);
  }

  // --- commands

  async #command<Name extends VisitCommandName>(
    session: Session,
    link: ClientLink,
    name: Name,
    request: ClientRequest<Name>,
  ): Promise<ClientResponse<Name>> {
    const started = performance.now();
    const { telemetry } = this.#options;
    const report = (outcome: string) =>
      telemetry.command(name, outcome, (performance.now() - started) / 1000);
    try {
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
      const response = await (whole || name === 'end' ? outbox.behind(run) : run());
      report('ok');
      return response;
    } catch (thrown) {
      const error = toBedsideError(thrown);
      report(error.code);
      throw error;
    }
  }

  readonly #handlers: {
    [Name in VisitCommandName]: (
      session: Session,
      request: ClientRequest<Name>,
    ) => Promise<ClientResponse<Name>>;
  } = {
    join: async (session, request) => {
      const started = performance.now();
      const { committed, response } = await this.#turnOf(session, () =>
        this.#join(session, request),
      );
      const joined = performance.now();
      await committed;
      const { telemetry } = this.#options;
      telemetry.joinPhase('commit', (performance.now() - joined) / 1000);
      telemetry.joinPhase('total', (performance.now() - started) / 1000);
      return response;
    },
    resume: (session, request) => this.#turnOf(session, () => this.#resume(session, request)),
    produce: async (session, request) => {
      const { committed, producerId } = await this.#turnOf(session, () =>
        this.#produce(session, request),
      );
      await committed;
      return { producerId };
    },
    'pause-producer': async (session, { producerId, paused }) => {
      const participant = session.person.id;
      const { committed } = await this.#turnOf(session, async () => {
        const decision = this.#decide({
          type: 'pause-producer',
          now: this.#now(),
          participant,
          producer: producerId,
          paused,
        });
        await this.#media.call('pause-producer', { ...this.#media.scope, producerId, paused });
        return this.#commit(decision);
      });
      await committed;
      return {};
    },
    'close-producer': async (session, { producerId }) => {
      const participant = session.person.id;
      const { committed } = await this.#turnOf(session, async () => {
        const decision = this.#decide({
          type: 'close-producer',
          now: this.#now(),
          participant,
          producer: producerId,
        });
        await this.#media.call('close-producer', { ...this.#media.scope, producerId });
        // The node has done its part: nothing to tidy.
        return this.#commit({ ...decision, effects: [] });
      });
      await committed;
      return {};
    },
    leave: async (session) => {
      const participant = session.person.id;
      const { committed } = await this.#turnOf(session, () =>
        this.#apply({ type: 'leave', now: this.#now(), participant }),
      );
      await committed;
      return {};
    },
    end: async (session) => {
      const { committed } = await this.#turnOf(session, () => this.#end(session.person));
      await committed;
      return {};
    },
    // These change nothing in the visit, so they don't wait for a turn.
    'connect-transport': (session, { transportId, dtlsParameters }) => {
      const { id: peer } = this.#media.peerOf(session.person.id, transportId);
      return this.#media.call('connect-transport', {
        ...this.#media.scope,
        peer,
        transportId,
        dtlsParameters,
      });
    },
    'restart-ice': (session, { transportId }) => {
      const { id: peer } = this.#media.peerOf(session.person.id, transportId);
      return this.#media.call('restart-ice', { ...this.#media.scope, peer, transportId });
    },
    'prefer-consumers': async (session, request) => {
      const { id: peer, consumers } = this.#media.peerOf(session.person.id);
      // A consumer that closed while the page was asking is no fault of the page.
      const preferences = request.preferences.filter(({ consumerId }) => consumers.has(consumerId));
      if (preferences.length === 0) throw new BedsideError('not-found', { field: 'preferences' });
      return this.#media.call('prefer-consumers', { ...this.#media.scope, peer, preferences });
    },
  };

  async #join(session: Session, { requestId, rtpCapabilities }: ClientRequest<'join'>) {
    const { telemetry } = this.#options;
    const started = performance.now();
    if (this.#media.hasRebooted) this.#mediaLost();
    const before = this.#state;
    const media = before.media ?? this.#media.place();
    const { id } = session.person;
    const decision = this.#decide({
      type: 'join',
      now: this.#now(),
      person: session.person,
      session: session.hash,
      request: requestId,
      peer: randomUUID() as PeerId,
      media,
    });
    const peer = findPresent(decision.visit, id)?.endpoint?.peer;
    if (!peer) throw new BedsideError('internal');
    const flows = plan(decision.visit).get(id) ?? [];
    const decided = performance.now();
    telemetry.joinPhase('decide', (decided - started) / 1000);

    let opened: Awaited<ReturnType<VisitMedia['open']>>;
    try {
      opened = await this.#media.open(media, id, peer, rtpCapabilities, flows);
    } catch (thrown) {
      // An answer that is late may still be a peer at the node.
      if (decision.visit !== before) {
        const effect: Effect = before.media
          ? { type: 'close-peer', peer }
          : { type: 'close-visit' };
        this.#media.tidy([effect], media);
      }
      throw thrown;
    }
    telemetry.joinPhase('node', (performance.now() - decided) / 1000);

    // Where the visit is new the node may still have something of it: an owner before could not reach it.
    if (!before.media) this.#media.doubtNode();
    const { committed, visit } = this.#commit(decision);
    this.#media.told(id);
    session.reconciled = true;
    this.#tellLevels(session);
    return {
      committed,
      response: { ...opened, visit: viewOf(visit, id) },
    };
  }

  async #resume(
    session: Session,
    request: ClientRequest<'resume'>,
  ): Promise<ClientResponse<'resume'>> {
    const { id } = session.person;
    const participant = findPresent(this.#state, id);
    if (!participant) throw new BedsideError('not-joined');
    this.#media.doubt(id);
    const inLine = await this.#media.trySync();
    if (!findPresent(this.#state, id)?.endpoint) throw new BedsideError('media-lost');
    if (!inLine) throw new BedsideError('media-unavailable', { retryAfterMs: RESYNC_MIN_MS });
    const { id: peer, consumers } = this.#media.peerOf(session.person.id);
    const has = new Set(request.consumerIds);
    session.reconciled = true;
    // All of them: the page may have acknowledged one to a gateway that is gone.
    this.#media.start(peer, [...consumers.keys()]);
    this.#tellLevels(session);
    return {
      added: [...consumers.values()].filter(({ consumerId }) => !has.has(consumerId)),
      removed: request.consumerIds.filter((consumerId) => !consumers.has(consumerId)),
      visit: viewOf(this.#state, id),
    };
  }

  async #produce(session: Session, request: ClientRequest<'produce'>) {
    const { id } = session.person;
    const { requestId, transportId, source, paused, rtpParameters } = request;
    const { id: peer, sendTransportId } = this.#media.peerOf(session.person.id, transportId);
    if (transportId !== sendTransportId)
      throw new BedsideError('not-found', { field: 'transportId' });
    const decision = this.#decide({
      type: 'produce',
      now: this.#now(),
      participant: id,
      request: requestId,
      producer: randomUUID() as ProducerId,
      source,
      paused,
    });
    const producer = findPresent(decision.visit, id)?.endpoint?.producers.find(
      (each) => each.request === requestId,
    );
    if (!producer) throw new BedsideError('internal');
    const { id: producerId, kind } = producer;
    try {
      const observed = source === 'microphone';
      await this.#media.call('produce', {
        ...this.#media.scope,
        peer,
        producerId,
        kind,
        rtpParameters,
        paused,
        observed,
      });
    } catch (thrown) {
      // An answer that is late may still be a producer at the node.
      if (decision.visit !== this.#state)
        this.#media.call('close-producer', { ...this.#media.scope, producerId }).catch(() => {});
      throw thrown;
    }
    return { ...this.#commit(decision), producerId };
  }

  #end(by?: Person) {
    const ended = this.#apply({ type: 'end', now: this.#now(), ...(by ? { by } : {}) });
    for (const { outbox } of this.#sessions.values()) outbox?.close('visit-ended');
    this.#sessions.clear();
    for (const cancel of this.#grace.values()) cancel();
    this.#grace.clear();
    return ended;
  }

  /** A command's turn. @throws BedsideError `moved` where the visit was closed meanwhile */
  #turn<Result>(task: () => Result | Promise<Result>): Promise<Result> {
    return this.#queue.run(() => {
      if (this.#closing) throw new BedsideError('moved', { retryAfterMs: RESYNC_MIN_MS });
      return task();
    });
  }

  /** A page's turn. @throws BedsideError as `#mustBeCurrent`: another page may have come while this one waited */
  #turnOf<Result>(session: Session, task: () => Result | Promise<Result>): Promise<Result> {
    return this.#turn(() => {
      this.#mustBeCurrent(session);
      return task();
    });
  }

  /** @throws BedsideError `replaced`, `visit-ended`: the page speaks for its participant no more */
  #mustBeCurrent(session: Session): void {
    if (this.#sessions.get(session.person.id) === session) return;
    throw new BedsideError(this.#visit?.state === 'ended' ? 'visit-ended' : 'replaced');
  }

  /** The turn of what nobody waits for: a fault ends here, in the log. */
  async #happen(task: () => void | Promise<void>): Promise<void> {
    try {
      await this.#queue.always(() => {
        if (!this.#closing) return task();
      });
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

  #ensure(tenant: TenantId, id: VisitId, kind: VisitKind): Visit {
    if (this.#visit) return this.#visit;
    const visit = newVisit(tenant, id, kind, this.#now());
    this.#visit = visit;
    this.#options.census.moved(undefined, visit);
    this.#writer.write(visit, [{ type: 'visit-created', at: visit.createdAt }]).catch(() => {});
    return visit;
  }

  #decide(command: Command): Extract<Decision, { ok: true }> {
    const decision = decide(this.#state, command);
    if (!decision.ok) throw new BedsideError(decision.code);
    return decision;
  }

  /** Decides and commits what needs nothing of the node but tidying. */
  #apply(command: Command) {
    return this.#commit(this.#decide(command));
  }

  /** The decision becomes the state: pages are told, listeners planned anew, and Redis gets it. */
  #commit(decision: Extract<Decision, { ok: true }>) {
    const before = this.#state;
    const { visit, events, effects } = decision;
    // The visit may have gone to another gateway while the node did its part.
    if (this.#closing) throw new BedsideError('moved', { retryAfterMs: RESYNC_MIN_MS });
    if (visit === before) return { visit, committed: Promise.resolve('written' as const) };
    this.#visit = visit;
    this.#options.census.moved(before, visit);
    const committed = this.#writer.write(visit, events);
    committed.catch(() => {});
    this.#broadcast(before, visit);
    for (const { id } of visit.participants) {
      if (findPresent(visit, id) || !findPresent(before, id)) continue;
      this.#cancelGrace(id);
      if (!this.#sessions.get(id)?.outbox) this.#sessions.delete(id);
    }
    this.#media.changed(visit, replanned(before, visit));
    if (before.media) this.#media.tidy(effects, before.media);
    void this.#media.scheduleSync();
    return { visit, committed };
  }

  #broadcast(before: Visit, after: Visit): void {
    // All who were and are admitted see the same.
    let shared: VisitChange[] | undefined;
    for (const [id, { outbox }] of this.#sessions) {
      if (!outbox) continue;
      const sharing = [before, after].every(
        (visit) => findPresent(visit, id)?.state === 'admitted',
      );
      const changes = (sharing && shared) || changesFor(before, after, id);
      if (sharing) shared = changes;
      if (changes.length > 0) outbox.send('changed', { seq: after.seq, changes });
    }
  }

  #tellAdmitted(tell: (outbox: Outbox) => void): void {
    for (const { person, outbox } of this.#sessions.values())
      if (outbox && this.#isAdmitted(person.id)) tell(outbox);
  }

  #isAdmitted(id: ParticipantId): boolean {
    return this.#visit !== undefined && findPresent(this.#visit, id)?.state === 'admitted';
  }

  /** What a page that comes in, or back, can't see in the visit: who is heard how well, and who speaks. */
  #tellLevels({ person, outbox }: Session): void {
    if (!outbox || !this.#isAdmitted(person.id)) return;
    const participants = this.#quality.all(this.#state);
    if (participants.length > 0) outbox.send('quality', { participants });
    outbox.send('speaker', { participantId: this.#speaker });
  }

  #speaks(participantId: ParticipantId | null): void {
    if (participantId === this.#speaker) return;
    this.#speaker = participantId;
    this.#tellAdmitted((outbox) => outbox.send('speaker', { participantId }));
  }

  #ownerOf(producerId: ProducerId | null): ParticipantId | null {
    const owns = this.#visit?.participants.find(({ endpoint }) =>
      endpoint?.producers.some(({ id }) => id === producerId),
    );
    return owns?.id ?? null;
  }

  #mediaLost(): void {
    this.#media.forget();
    if (this.#closing || !this.#visit) return;
    const before = this.#visit;
    this.#apply({ type: 'media-lost', now: this.#now() });
    this.#tellMediaLost(before);
    this.#speaks(null);
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
    if (present(visit).length === 0) return;
    for (const { id, session } of present(visit)) this.#startGrace(id, session);
    this.#media.doubtNode();
    void this.#happen(async () => {
      this.#apply({ type: 'recover', now: this.#now() });
      await this.#media.trySync();
    });
  }

  #unloadWhenEmpty(): void {
    if (this.#closing || !this.#queue.idle || !this.#writer.clean) return;
    if (this.#sessions.size > 0 || (this.#visit && present(this.#visit).length > 0)) return;
    void this.#close();
  }

  async #close(): Promise<void> {
    const { store, key, lease } = this.#options;
    this.#shut();
    await this.#writer.flush();
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
    this.#options.log.warn({ visit: this.#options.key }, 'another gateway owns this visit now');
    this.#ended();
  }

  #shut(): void {
    this.#closing = true;
    this.#media.stop();
    for (const cancel of this.#grace.values()) cancel();
    this.#grace.clear();
  }

  #ended(): void {
    this.#options.census.moved(this.#visit, undefined);
    this.#options.onClosed();
    this.#resolveClosed();
  }
}

function personOf({ participant, role, name, lang, grants }: Identity): Person {
  return { id: participant, role, name, lang, grants: grantsOf(role, grants) };
}

function hashOf(sessionId: SessionId): string {
  return createHash('sha256').update(sessionId).digest('base64url');
}
