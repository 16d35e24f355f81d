import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import {
  BedsideError,
  type ClientRequest,
  type ClientResponse,
  type Grant,
  HOLD,
  type NodeId,
  type ParticipantId,
  type PeerId,
  type ProducerId,
  type SessionId,
  type TenantId,
  type TransportId,
  toBedsideError,
  type VisitChange,
  type VisitId,
  type VisitKey,
  type VisitResource,
  type Wait,
} from '@bedside/protocol';
import type { Logger } from 'pino';
import type { NodeClient, NodeReport } from '../nodes/client.ts';
import { plan, replanned } from '../plan/plan.ts';
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
import type { Lease, VisitStore } from '../store/store.ts';
import { VisitWriter } from '../store/writer.ts';
import type { Call } from '../visit/call.ts';
import { nextDeadline, tickAt } from '../visit/deadlines.ts';
import { type By, type Command, type Decision, decide, type Effect } from '../visit/decide.ts';
import { engagedIn } from '../visit/engaged.ts';
import { grantsOf } from '../visit/grants.ts';
import { queueEntryOf } from '../visit/queue-entry.ts';
import {
  admitted,
  findPresent,
  type Media,
  newVisit,
  type Person,
  present,
  type Said,
  type Visit,
  type VisitPlan,
} from '../visit/state.ts';
import { changesFor, resourceOf, viewClass, viewOf, visibleIds } from '../visit/view.ts';
import { type Acts, createActs, done, isStaffCommand, mapActs } from './acts.ts';
import { Arrival } from './arrival.ts';
import type { Census } from './census.ts';
import type { Clock } from './clock.ts';
import { Conversation } from './conversation.ts';
import { type MediaHost, RESYNC_MIN_MS, VisitMedia } from './media.ts';
import { Outbox } from './outbox.ts';
import { Quality } from './quality.ts';
import { TaskQueue } from './queue.ts';
import { RequestMemory } from './requests.ts';

/** Commands of one visit that may wait for their turn. */
const QUEUE_LIMIT = 256;
/** The longest that an alarm is set for, milliseconds: setTimeout takes no more than 24 days. */
const ALARM_MAX_MS = 24 * 60 * 60 * 1000;
/** Pages of one visit, those that have not joined included. */
const SESSION_LIMIT = 128;

/** From the beginning of a relocation until who has not followed is made to. */
const RELOCATION_MS = 20_000;
/** Nodes that are asked to take a new visit. */
const PLACES_TRIED = 3;
/** People of the staff whose latest requests are remembered. */
const DESK_LIMIT = 64;

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
  /** Who the page was told speaks. */
  speaker: ParticipantId | null;
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
  /** Who of the staff acts on the visit from outside, the last one at the end. */
  readonly #desks = new Map<ParticipantId, RequestMemory>();
  readonly #grace = new Map<ParticipantId, () => void>();
  readonly #quality = new Quality();
  readonly #mediaHost: MediaHost;
  #media: VisitMedia;
  #relocation: { arrival: Arrival; ended: (moved: boolean) => void } | undefined;
  readonly #resolveClosed: () => void;
  readonly #conversation: Conversation;
  #visit: Visit | undefined;
  #cancelAlarm: () => void = () => {};
  #entry: ReturnType<typeof queueEntryOf>;
  #calls: readonly Call[] | undefined;
  #engaged: ReturnType<typeof engagedIn> = [];
  #speaker: ParticipantId | null = null;
  /** When the cluster was told to look at the visit. */
  #expected: number | undefined;
  #closing = false;

  constructor(options: ActorOptions) {
    this.#options = options;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.closed = promise;
    this.#resolveClosed = resolve;
    const { store, key, lease, nodes, clock, census, log } = options;
    this.#conversation = new Conversation(lease.messages);
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
    this.#mediaHost = {
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
    };
    this.#media = new VisitMedia(this.#mediaHost);
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
      return this.#end();
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

  connect(identity: Identity, link: ClientLink, sessionId?: SessionId): Promise<VisitConnection> {
    if (identity.attendant) return this.#turn(() => this.#attend(identity));
    const outbox = new Outbox(link);
    return outbox.behind(() => this.#turn(() => this.#connect(identity, link, outbox, sessionId)));
  }

  /** The link with a node is up, for the first time or again. Resolves once the node's part is in line, or will be tried again. */
  async nodeLinked(node: NodeId): Promise<void> {
    if (this.#visit?.media?.node === node) await this.#media.readopt();
  }

  /** A node is lost: the visit goes on at another one, if it was there. */
  async nodeLost(node: NodeId): Promise<void> {
    if (this.#visit?.media?.node === node) await this.#media.readopt();
  }

  /** What a node says of this visit. */
  report(report: Exclude<NodeReport, { type: 'linked' | 'lost' | 'draining' }>): void {
    if (this.#closing || !this.#visit) return;
    const arrival = this.#relocation?.arrival;
    switch (report.type) {
      case 'visits-lost':
        if (report.node === arrival?.to.node) void this.#happen(() => this.#stopRelocation());
        if (report.node === this.#visit.media?.node) void this.#happen(() => this.#mediaLost());
        return;
      case 'transport-state': {
        const owner = this.#media.ownerOf(report.peer) ?? arrival?.media.ownerOf(report.peer);
        if (!owner || (report.ice !== 'disconnected' && report.dtls !== 'failed')) return;
        this.#sessions
          .get(owner)
          ?.outbox?.send('transport-failed', { transportId: report.transportId });
        return;
      }
      case 'scores': {
        if (report.node !== this.#visit.media?.node) return;
        const levels = this.#quality.update(this.#visit, report.producers);
        for (const session of this.#sessions.values()) this.#tellQuality(session, levels);
        this.#tellQueue();
        return;
      }
      case 'speaker': {
        if (report.node === this.#visit.media?.node) this.#speaks(this.#ownerOf(report.producerId));
        return;
      }
    }
  }

  /** Redis answers again: writes what is unwritten, and the visit anew in case Redis lost it. */
  async redisReturned(): Promise<void> {
    if (this.#closing || !this.#visit) return;
    void this.#expect(nextDeadline(this.#visit)).catch(() => {});
    await this.#writer.write(this.#visit, []).catch(() => {});
    this.#entry = undefined;
    this.#tellQueue();
  }

  /** Has what was due happened, whoever had the visit then. @throws BedsideError `state-unavailable` */
  async look(): Promise<void> {
    // What was due when it was opened is in the queue already.
    await this.#turn(() => this.#expect(this.#visit && nextDeadline(this.#visit)));
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
    const visit = this.#ensure(identity.tenant, identity.visit);
    const person = personOf(identity);
    const before = this.#sessions.get(person.id);
    if (!before && this.#sessions.size >= SESSION_LIMIT) throw new BedsideError('limit-reached');

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
    this.#cancelGrace(person.id);
    before?.outbox?.close('replaced');
    const session: Session =
      before?.hash === hash
        ? before
        : {
            hash,
            person,
            outbox,
            reconciled: false,
            speaker: null,
            requests: new RequestMemory(),
          };
    session.person = person;
    session.outbox = outbox;
    session.reconciled = false;
    session.speaker = null;
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
        visit: viewOf(this.#state, staff),
      },
      command: (name, request) =>
        this.#reported(name, () => {
          if (!isStaffCommand(name)) throw new BedsideError('forbidden');
          return requests.once(`${name} ${request.requestId}`, true, () =>
            this.#turn(() => this.#acts[name](by, request, `staff ${staff}`)).then(done),
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
      this.#relocation?.arrival.drop(id);
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

  readonly #acts: Acts = createActs({
    now: () => this.#now(),
    visit: () => this.#state,
    did: (command) => this.#apply(command).committed,
    inLine: () => this.#inLine(),
    mint: (guest) => this.#options.guests.mint(guest),
    said: (request) => this.#conversation.numberOf(request),
    canCall: () => this.#options.store.available,
  });

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
    relocate: (session, request) =>
      this.#turnOf(session, () => {
        const { arrival } = this.#relocation ?? {};
        const { id } = session.person;
        if (!findPresent(this.#state, id)?.endpoint) throw new BedsideError('not-joined');
        if (!arrival) throw new BedsideError('not-found');
        return arrival.open(this.#state, id, request);
      }),
    relocated: (session) =>
      this.#turnOf(session, () => {
        if (!this.#relocation) throw new BedsideError('not-found');
        this.#relocation.arrival.ready(session.person.id);
        this.#arriveIfReady();
        return {};
      }),
    produce: async (session, request) => {
      const { arrival } = this.#relocation ?? {};
      const { id } = session.person;
      if (arrival?.has(id, request.transportId)) {
        const producing = () => arrival.produce(this.#state, id, request);
        return { producerId: await this.#turnOf(session, producing) };
      }
      const { committed, producerId } = await this.#turnOf(session, () =>
        this.#produce(session, request),
      );
      await committed;
      return { producerId };
    },
    'pause-producer': async (session, request) => {
      const participant = session.person.id;
      const { paused } = request;
      const { committed } = await this.#turnOf(session, async () => {
        const producerId = this.#known(participant, request.producerId);
        const decision = this.#decide({
          type: 'pause-producer',
          now: this.#now(),
          participant,
          producer: producerId,
          paused,
        });
        await this.#media.call('pause-producer', { ...this.#media.scope, producerId, paused });
        // The node has done its part.
        const effects = decision.effects.filter((effect) => effect.type !== 'pause-producer');
        return this.#commit({ ...decision, effects });
      });
      await committed;
      return {};
    },
    'close-producer': async (session, request) => {
      const participant = session.person.id;
      const { committed } = await this.#turnOf(session, async () => {
        const producerId = this.#known(participant, request.producerId);
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
      const { committed } = await this.#turnOf(session, () => this.#end(session.person.id));
      await committed;
      return {};
    },
    mute: async (session, { participantId }) => {
      const { committed } = await this.#turnOf(session, async () => {
        const decision = this.#decide({
          type: 'mute',
          now: this.#now(),
          by: { participant: session.person.id },
          participant: participantId,
        });
        for (const effect of decision.effects)
          if (effect.type === 'pause-producer')
            await this.#media.call('pause-producer', {
              ...this.#media.scope,
              producerId: effect.producer,
              paused: true,
            });
        const effects = decision.effects.filter((effect) => effect.type !== 'pause-producer');
        return this.#commit({ ...decision, effects });
      });
      await Promise.all([committed, this.#relocation?.arrival.media.inLine()]);
      return {};
    },
    ...mapActs((name) => (session: Session, request) => {
      const by = { participant: session.person.id };
      return this.#turnOf(session, () => this.#acts[name](by, request, session.hash)).then(done);
    }),
    // These change nothing in the visit, so they don't wait for a turn.
    'connect-transport': (session, { transportId, dtlsParameters }) => {
      const media = this.#mediaOf(session, transportId);
      const { id: peer } = media.peerOf(session.person.id, transportId);
      return media.call('connect-transport', {
        ...media.scope,
        peer,
        transportId,
        dtlsParameters,
      });
    },
    'restart-ice': (session, { transportId }) => {
      const media = this.#mediaOf(session, transportId);
      const { id: peer } = media.peerOf(session.person.id, transportId);
      return media.call('restart-ice', { ...media.scope, peer, transportId });
    },
    'prefer-consumers': async (session, request) => {
      const { id } = session.person;
      const { arrival } = this.#relocation ?? {};
      const isThere = arrival?.endpoints.has(id) ?? false;
      const calls = [this.#media, ...(arrival && isThere ? [arrival.media] : [])].flatMap(
        (media) => {
          const { id: peer, consumers } = media.peerOf(id);
          // A consumer that closed while the page was asking is no fault of the page.
          const preferences = request.preferences.filter(({ consumerId }) =>
            consumers.has(consumerId),
          );
          if (preferences.length === 0) return [];
          return [media.call('prefer-consumers', { ...media.scope, peer, preferences })];
        },
      );
      if (calls.length === 0) throw new BedsideError('not-found', { field: 'preferences' });
      await Promise.all(calls);
      return {};
    },
  };

  async #join(session: Session, request: ClientRequest<'join'>) {
    if (this.#media.hasRebooted) this.#mediaLost();
    else this.#media.leave();
    const full: NodeId[] = [];
    for (;;) {
      const media = this.#state.media ?? this.#media.place(full);
      try {
        return await this.#joinAt(media, session, request);
      } catch (thrown) {
        // What is known here of a node's load is a while old: the node knows better.
        const isFull = !this.#state.media && toBedsideError(thrown).code === 'capacity';
        if (!isFull || full.push(media.node) >= PLACES_TRIED) throw thrown;
      }
    }
  }

  async #joinAt(
    media: Media,
    session: Session,
    { requestId, rtpCapabilities, messagesAfter = 0 }: ClientRequest<'join'>,
  ) {
    const { telemetry } = this.#options;
    const started = performance.now();
    const before = this.#state;
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

    if (this.#relocation) session.outbox?.send('relocating', {});
    // Where the visit is new the node may still have something of it: an owner before could not reach it.
    if (!before.media) this.#media.doubtNode();
    const { committed, visit } = this.#commit(decision);
    this.#media.told(id);
    session.reconciled = true;
    this.#tellLevels(session);
    return {
      committed,
      response: {
        ...opened,
        visit: viewOf(visit, id),
        messages: this.#conversation.after(messagesAfter, id),
      },
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
    this.#media.retell(id, has);
    if (this.#relocation) session.outbox?.send('relocating', {});
    this.#tellLevels(session);
    return {
      added: [...consumers.values()].filter(({ consumerId }) => !has.has(consumerId)),
      removed: request.consumerIds.filter((consumerId) => !consumers.has(consumerId)),
      visit: viewOf(this.#state, id),
      messages: this.#conversation.after(request.messagesAfter ?? 0, id),
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

  #end(by?: ParticipantId) {
    return this.#apply({ type: 'end', now: this.#now(), ...(by === undefined ? {} : { by }) });
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

  #ensure(tenant: TenantId, id: VisitId, as?: VisitPlan): Visit {
    if (this.#visit) return this.#visit;
    const visit = newVisit(tenant, id, this.#now(), as);
    this.#visit = visit;
    this.#options.census.moved(undefined, visit);
    this.#writer.write(visit, [{ type: 'visit-created', at: visit.createdAt }]).catch(() => {});
    this.#setAlarm();
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
    if (visit === before) {
      this.#carryOut(effects);
      return { visit, committed: Promise.resolve('written' as const) };
    }
    this.#visit = visit;
    this.#options.census.moved(before, visit);
    const said = effects.filter((effect) => effect.type === 'say');
    const committed = this.#writer.write(visit, events, said.map(saidBy));
    committed.catch(() => {});
    this.#broadcast(before, visit);
    this.#carryOut(effects);
    for (const participant of visit.participants) {
      const { id } = participant;
      if (findPresent(visit, id) || !findPresent(before, id)) continue;
      this.#cancelGrace(id);
      const outbox = this.#sessions.get(id)?.outbox;
      const sentAway = participant.leftReason === 'removed' || participant.leftReason === 'denied';
      if (sentAway) outbox?.close(participant.leftReason as 'removed' | 'denied');
      if (sentAway || !outbox) this.#sessions.delete(id);
    }
    this.#relocation?.arrival.changed(before, visit);
    if (visit.state === 'ended') this.#dismiss();
    this.#setAlarm();
    this.#tellQueue();
    this.#tellEngaged();
    if (visit.calls) this.#followCalls();
    if (this.#speaker !== null)
      for (const session of this.#sessions.values()) this.#tellSpeaker(session);
    this.#introduce(before);
    this.#media.changed(visit, replanned(before, visit));
    if (before.media) this.#media.tidy(effects, before.media);
    void this.#media.scheduleSync();
    this.#arriveIfReady();
    return { visit, committed };
  }

  // --- relocation

  /**
   * Has the media go to another node while it goes on at its own: nobody sees or hears it. Resolves with
   * whether it went; it stays where no other node takes it, or where nobody gets through to that one.
   */
  async relocate(): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    await this.#happen(() => {
      const from = this.#visit?.media;
      if (!from || this.#relocation) return resolve(false);
      let to: Media;
      try {
        to = this.#media.place([from.node]);
      } catch {
        return resolve(false);
      }
      const arrival = new Arrival(
        to,
        this.#mediaHost,
        () => void this.#happen(() => this.#stopRelocation()),
      );
      const cancel = this.#options.clock.after(
        RELOCATION_MS,
        () => void this.#happen(() => this.#hurryRelocation(arrival)),
      );
      const ended = (moved: boolean) => {
        cancel();
        resolve(moved);
      };
      this.#relocation = { arrival, ended };
      for (const { id, endpoint } of present(this.#state))
        if (endpoint) this.#sessions.get(id)?.outbox?.send('relocating', {});
      this.#arriveIfReady();
    });
    return this.#closing ? false : promise;
  }

  /** Once all who are connected play what comes from there. */
  #arriveIfReady(): void {
    const { arrival } = this.#relocation ?? {};
    if (!arrival || !this.#visit) return;
    const waitedFor = present(this.#visit).filter(
      ({ id, endpoint }) => endpoint && this.#sessions.get(id)?.outbox && !arrival.isReady(id),
    );
    if (waitedFor.length === 0) this.#arrive();
  }

  #arrive(): void {
    if (!this.#relocation) return;
    const { arrival, ended } = this.#relocation;
    const before = this.#state;
    this.#relocation = undefined;
    this.#media.stop();
    this.#media = arrival.media;
    arrival.settle();
    const { to: media, endpoints } = arrival;
    this.#apply({ type: 'relocate', now: this.#now(), media, endpoints });
    for (const id of endpoints.keys())
      this.#sessions.get(id)?.outbox?.send('relocation-ended', { moved: true });
    this.#tellMediaLost(before);
    ended(true);
  }

  /** Time is up. Where somebody got through the others are made to follow; where nobody did the way there is broken. */
  #hurryRelocation(arrival: Arrival): void {
    if (this.#relocation?.arrival !== arrival) return;
    const { size } = arrival.endpoints;
    const gotThrough = [...arrival.endpoints.keys()].some((id) => arrival.isReady(id));
    if (size === 0 || gotThrough) this.#arrive();
    else this.#stopRelocation();
  }

  /** The visit stays where it is. */
  #stopRelocation(): void {
    if (!this.#relocation) return;
    const { arrival, ended } = this.#relocation;
    this.#relocation = undefined;
    arrival.stop();
    this.#options.nodes.closeVisit(arrival.to, this.#media.scope);
    for (const id of arrival.endpoints.keys())
      this.#sessions.get(id)?.outbox?.send('relocation-ended', { moved: false });
    ended(false);
  }

  /** The media that has this transport. */
  #mediaOf(session: Session, transportId: TransportId): VisitMedia {
    const { arrival } = this.#relocation ?? {};
    return arrival?.has(session.person.id, transportId) ? arrival.media : this.#media;
  }

  /** What the visit knows a producer by, which a page may name by its id at the new node. */
  #known(participant: ParticipantId, producerId: ProducerId): ProducerId {
    return this.#relocation?.arrival.twinOf(this.#state, participant, producerId) ?? producerId;
  }

  /** Whether every node that has something of the visit does as the plan says. */
  async #inLine(): Promise<boolean> {
    const { arrival } = this.#relocation ?? {};
    const [here, there] = await Promise.all([this.#media.inLine(), arrival?.media.inLine()]);
    // What can't be kept private there is not there.
    if (there === false) await this.#happen(() => this.#stopRelocation());
    return here;
  }

  #broadcast(before: Visit, after: Visit): void {
    const shared = new Map<string, VisitChange[]>();
    for (const [id, { outbox }] of this.#sessions) {
      if (!outbox) continue;
      const [was, is] = [viewClass(before, id), viewClass(after, id)];
      const sharing = was !== undefined && is !== undefined ? `${was} ${is}` : undefined;
      const known = sharing === undefined ? undefined : shared.get(sharing);
      const changes = known ?? changesFor(before, after, id);
      if (sharing !== undefined) shared.set(sharing, changes);
      // An empty one, too, where others have some: numbers have no gaps.
      outbox.send('changed', { seq: after.seq, changes });
    }
  }

  /** What a decision has others told of. */
  #carryOut(effects: readonly Effect[]): void {
    for (const effect of effects) {
      if (effect.type === 'tell') {
        for (const id of effect.to)
          this.#sessions.get(id)?.outbox?.send(effect.event, effect.payload as never);
      } else if (effect.type === 'say') {
        this.#conversation.add(saidBy(effect));
        for (const id of effect.audience)
          this.#sessions.get(id)?.outbox?.send('message', effect.message);
      }
    }
  }

  /** Has the desk ring as the visit's calls say. */
  #followCalls(): void {
    const { tenant, visit, kind, policy, calls = [] } = this.#state;
    if (policy.clinic === undefined || calls === this.#calls) return;
    this.#calls = calls;
    const where = { tenant, clinic: policy.clinic, visit, key: this.#options.key, kind };
    const happen = (command: Command) => void this.#happen(() => void this.#apply(command));
    this.#options.calls.follow(where, calls, {
      accepted: (call, person) => happen({ type: 'call-accepted', now: this.#now(), call, person }),
      exhausted: (call, group) => happen({ type: 'call-exhausted', now: this.#now(), call, group }),
    });
  }

  /** The visit is over: everybody is told, and nothing is waited for. */
  #dismiss(): void {
    for (const { outbox } of this.#sessions.values()) outbox?.close('visit-ended');
    this.#sessions.clear();
    for (const cancel of this.#grace.values()) cancel();
    this.#grace.clear();
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
    return this.#options.store.expect(this.#options.key, at);
  }

  #tick(): void {
    void this.#happen(() => {
      this.#apply({ type: 'tick', now: tickAt(this.#state, this.#now()) });
      // It may have been early: the clock was set back, or the moment is further away than a timer goes.
      this.#setAlarm();
    });
  }

  /** The clinic's queue hears of who waits, where that changed. */
  #tellQueue(): void {
    const visit = this.#visit;
    if (visit?.policy.clinic === undefined) return;
    const entry = queueEntryOf(visit, (id) => this.#quality.of(id));
    if (isDeepStrictEqual(entry, this.#entry)) return;
    this.#entry = entry;
    const { clinics, key, lease } = this.#options;
    const where = { tenant: visit.tenant, clinic: visit.policy.clinic };
    clinics.entryChanged(where, key, entry, lease.epoch);
  }

  /** Nobody rings those who are in the visit. */
  #tellEngaged(): void {
    const { tenant, policy } = this.#state;
    if (policy.clinic === undefined) return;
    const engaged = engagedIn(this.#state);
    if (isDeepStrictEqual(engaged, this.#engaged)) return;
    this.#engaged = engaged;
    this.#options.calls.engage({ tenant, clinic: policy.clinic, key: this.#options.key }, engaged);
  }

  /** Who is heard how well, of those whom the page may see. */
  #tellQuality({ person, outbox }: Session, levels: ReturnType<Quality['all']>): void {
    if (!outbox || levels.length === 0 || !this.#isAdmitted(person.id)) return;
    const visible = visibleIds(this.#state, person.id);
    const participants = levels.filter(({ participantId }) => visible.has(participantId));
    if (participants.length > 0) outbox.send('quality', { participants });
  }

  /** Who waited and is in now learns what others know, and those learn of them. */
  #introduce(before: Visit): void {
    const waited = (id: ParticipantId) => findPresent(before, id)?.state === 'waiting';
    const entered = admitted(this.#state).flatMap(({ id }) => (waited(id) ? [id] : []));
    if (entered.length === 0) return;
    const all = this.#quality.all(this.#state);
    const levels = all.filter(({ participantId }) => entered.includes(participantId));
    for (const session of this.#sessions.values()) {
      if (entered.includes(session.person.id)) this.#tellLevels(session);
      else this.#tellQuality(session, levels);
    }
  }

  #isAdmitted(id: ParticipantId): boolean {
    return this.#visit !== undefined && findPresent(this.#visit, id)?.state === 'admitted';
  }

  /** What a page that comes in, or back, can't see in the visit: who is heard how well, and who speaks. */
  #tellLevels(session: Session): void {
    const { person, outbox } = session;
    if (!outbox || !this.#isAdmitted(person.id)) return;
    this.#tellQuality(session, this.#quality.all(this.#state));
    outbox.send('speaker', { participantId: session.speaker });
  }

  #speaks(participantId: ParticipantId | null): void {
    if (participantId === this.#speaker) return;
    this.#speaker = participantId;
    for (const session of this.#sessions.values()) this.#tellSpeaker(session);
  }

  /** Who speaks is told in the same place alone. */
  #tellSpeaker(session: Session): void {
    const speaks = this.#speaker === null ? undefined : findPresent(this.#state, this.#speaker);
    const listens = findPresent(this.#state, session.person.id);
    const heard = speaks?.state === 'admitted' && speaks.place === listens?.place;
    const participantId = heard && speaks.place !== HOLD ? speaks.id : null;
    if (participantId === session.speaker) return;
    session.speaker = participantId;
    if (listens?.state === 'admitted') session.outbox?.send('speaker', { participantId });
  }

  #ownerOf(producerId: ProducerId | null): ParticipantId | null {
    const owns = this.#visit?.participants.find(({ endpoint }) =>
      endpoint?.producers.some(({ id }) => id === producerId),
    );
    return owns?.id ?? null;
  }

  #mediaLost(): void {
    // Who is there already stays there.
    if (this.#relocation?.arrival.endpoints.size) {
      this.#arrive();
      return;
    }
    this.#stopRelocation();
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
    // What was due while nobody had the visit comes before whoever opens it.
    if ((nextDeadline(visit) ?? Number.POSITIVE_INFINITY) <= this.#now()) this.#tick();
    else this.#setAlarm();
    this.#tellQueue();
    this.#tellEngaged();
    if (visit.calls) this.#followCalls();
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
    this.#stopRelocation();
    this.#closing = true;
    this.#media.stop();
    this.#cancelAlarm();
    if (this.#calls || this.#engaged.length > 0) this.#options.calls.forget(this.#options.key);
    if (this.#entry) this.#options.clinics.forget(this.#options.key);
    for (const cancel of this.#grace.values()) cancel();
    this.#grace.clear();
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

const saidBy = ({ message, audience, request }: Extract<Effect, { type: 'say' }>): Said => ({
  message,
  audience: [...audience],
  ...(request === undefined ? {} : { request }),
});

function hashOf(sessionId: SessionId): string {
  return createHash('sha256').update(sessionId).digest('base64url');
}
