import { randomUUID } from 'node:crypto';
import {
  BedsideError,
  type ClientRequest,
  type ClientResponse,
  type PeerId,
  type ProducerId,
  toBedsideError,
} from '@bedside/protocol';
import type { VisitCommandName, VisitTelemetry } from '../ports.ts';
import type { Command, Decision, Effect } from '../visit/decide.ts';
import { nodeOfPeer, nodesLeft } from '../visit/nodes.ts';
import { findPresent, type Media, type Visit } from '../visit/state.ts';
import { type Act, nameOf } from './acts.ts';
import type { Conversation } from './conversation.ts';
import { RESYNC_MIN_MS, type VisitMedia } from './media.ts';
import type { News } from './news.ts';
import type { PlaceForOne } from './places.ts';
import type { Relocation } from './relocation.ts';
import type { Session } from './sessions.ts';

type Decided = Extract<Decision, { ok: true }>;

export interface CommandHost {
  readonly telemetry: VisitTelemetry;
  readonly conversation: Conversation;
  readonly news: News;
  readonly relocation: Relocation;
  media(): VisitMedia;
  visit(): Visit;
  now(): number;
  /** @throws BedsideError */
  decide(command: Command, request?: string): Decided;
  commit(decision: Decided): { visit: Visit; committed: Promise<unknown> };
  /** To Redis and back with what was committed, up to now. */
  roundTrips(): number;
  /** A page's turn. @throws BedsideError where it speaks for its participant no more */
  turnOf<Result>(session: Session, task: () => Result | Promise<Result>): Promise<Result>;
}

/** Of pages, but for what the visit decides by itself. */
export type PageCommands = {
  [Name in Exclude<VisitCommandName, Act>]: (
    session: Session,
    request: ClientRequest<Name>,
  ) => Promise<ClientResponse<Name>>;
};

/** Commands in which the node has a part: it must have done it for the change to count. */
export function createPageCommands(host: CommandHost): PageCommands {
  const { relocation, telemetry, turnOf } = host;

  /** Decides, and commits what needs nothing of the node but tidying; resolves once it is on record. */
  const does = async (session: Session, command: () => Command): Promise<Record<string, never>> => {
    const { committed } = await turnOf(session, () => host.commit(host.decide(command())));
    await committed;
    return {};
  };

  /** Has the node pause what the decision says. What it has done need not be tidied. */
  const pausing = async (decision: Decided) => {
    const media = host.media();
    for (const effect of decision.effects)
      if (effect.type === 'pause-producer') {
        const { producer: producerId, paused } = effect;
        await media.call('pause-producer', { ...media.scope, producerId, paused });
      }
    const effects = decision.effects.filter(({ type }) => type !== 'pause-producer');
    return host.commit({ ...decision, effects });
  };

  return {
    join: async (session, request) => {
      const started = performance.now();
      const { committed, response, roundTrips } = await turnOf(session, () =>
        join(host, session, request),
      );
      const joined = performance.now();
      await committed;
      telemetry.joined(session.roundTrips + host.roundTrips() - roundTrips);
      session.roundTrips = 0;
      telemetry.joinPhase('commit', (performance.now() - joined) / 1000);
      telemetry.joinPhase('total', (performance.now() - started) / 1000);
      return response;
    },
    resume: (session, request) => turnOf(session, () => resume(host, session, request)),
    relocate: (session, request) =>
      turnOf(session, () => relocation.open(host.visit(), session.person.id, request)),
    relocated: (session) =>
      turnOf(session, () => {
        relocation.ready(session.person.id);
        return {};
      }),
    produce: async (session, request) => {
      const { id } = session.person;
      const { committed, producerId } = await turnOf(session, async () => {
        const { arrival } = relocation;
        if (!arrival?.has(id, request.transportId)) return produce(host, session, request);
        return {
          committed: Promise.resolve(),
          producerId: await arrival.produce(host.visit(), id, request),
        };
      });
      await committed;
      return { producerId };
    },
    'pause-producer': async (session, { requestId, producerId, paused }) => {
      const participant = session.person.id;
      const { committed } = await turnOf(session, async () => {
        const producer = relocation.known(host.visit(), participant, producerId);
        const decision = host.decide(
          { type: 'pause-producer', now: host.now(), participant, producer, paused },
          nameOf(session.hash, 'pause-producer', requestId),
        );
        const media = host.media();
        // Also where the visit has it so: an earlier call that got no answer may still arrive. Not where
        // this very request was done: somebody may have muted them since.
        if (decision.effects.length > 0)
          await media.call('pause-producer', { ...media.scope, producerId: producer, paused });
        const effects = decision.effects.filter(({ type }) => type !== 'pause-producer');
        return host.commit({ ...decision, effects });
      });
      await committed;
      return {};
    },
    'close-producer': async (session, { producerId }) => {
      const participant = session.person.id;
      const { committed } = await turnOf(session, async () => {
        const producer = relocation.known(host.visit(), participant, producerId);
        const decision = host.decide({
          type: 'close-producer',
          now: host.now(),
          participant,
          producer,
        });
        const media = host.media();
        await media.call('close-producer', { ...media.scope, producerId: producer });
        // The node has done its part: nothing to tidy.
        return host.commit({ ...decision, effects: [] });
      });
      await committed;
      return {};
    },
    leave: (session) =>
      does(session, () => ({ type: 'leave', now: host.now(), participant: session.person.id })),
    end: (session) =>
      does(session, () => ({ type: 'end', now: host.now(), by: session.person.id })),
    mute: async (session, { requestId, participantId: participant }) => {
      const by = { participant: session.person.id };
      const name = nameOf(session.hash, 'mute', requestId);
      const { committed } = await turnOf(session, () =>
        pausing(host.decide({ type: 'mute', now: host.now(), by, participant }, name)),
      );
      await Promise.all([committed, relocation.inLine()]);
      return {};
    },
    // These change nothing in the visit, so they don't wait for a turn.
    'connect-transport': (session, { transportId, dtlsParameters }) => {
      const media = relocation.mediaOf(session.person.id, transportId);
      const { id: peer } = media.peerOf(session.person.id, transportId);
      return media.call('connect-transport', { ...media.scope, peer, transportId, dtlsParameters });
    },
    'restart-ice': (session, { transportId }) => {
      const media = relocation.mediaOf(session.person.id, transportId);
      const { id: peer } = media.peerOf(session.person.id, transportId);
      return media.call('restart-ice', { ...media.scope, peer, transportId });
    },
    'prefer-consumers': async (session, request) => {
      const { id } = session.person;
      const calls = relocation.mediasOf(id).flatMap((media) => {
        const { id: peer, consumers } = media.peerOf(id);
        // A consumer that closed while the page was asking is no fault of the page.
        const preferences = request.preferences.filter(({ consumerId }) =>
          consumers.has(consumerId),
        );
        if (preferences.length === 0) return [];
        return [media.call('prefer-consumers', { ...media.scope, peer, preferences })];
      });
      if (calls.length === 0) throw new BedsideError('not-found', { field: 'preferences' });
      await Promise.all(calls);
      return {};
    },
  };
}

async function join(host: CommandHost, session: Session, request: ClientRequest<'join'>) {
  host.relocation.drop(session.person.id);
  host.media().leaveRebooted();
  host.media().leave();
  const there = repeated(host, session, request);
  if (there) return joinAt(host, { media: there, lastResort: true }, session, request);
  const media = host.media();
  const visit = host.visit();
  const peer = findPresent(visit, session.person.id)?.endpoint?.peer;
  const failed = request.unreachable && peer ? nodeOfPeer(visit, peer)?.node : undefined;
  const { arrival } = host.relocation;
  const arriving = arrival ? [arrival.to.node] : [];
  let refusal = new BedsideError('capacity', { retryAfterMs: 1_000 });
  for (const place of media.places.forOne(media.nodes, arriving, failed)) {
    try {
      return await joinAt(host, place, session, request);
    } catch (thrown) {
      // What is known here of a node's load is a while old: the node knows better.
      refusal = toBedsideError(thrown);
      if (refusal.code !== 'capacity') throw thrown;
    }
  }
  throw refusal;
}

/** Where the answer of this very `join` is, which may have been lost. */
function repeated(
  host: CommandHost,
  session: Session,
  { requestId }: ClientRequest<'join'>,
): Media | undefined {
  const visit = host.visit();
  const endpoint = findPresent(visit, session.person.id)?.endpoint;
  return endpoint?.request === requestId ? nodeOfPeer(visit, endpoint.peer) : undefined;
}

async function joinAt(
  host: CommandHost,
  place: PlaceForOne,
  session: Session,
  { requestId, rtpCapabilities, messagesAfter = 0 }: ClientRequest<'join'>,
) {
  const { conversation, news, relocation, telemetry } = host;
  const media = host.media();
  const { media: at } = place;
  const started = performance.now();
  const before = host.visit();
  const { id } = session.person;
  const decision = host.decide({
    type: 'join',
    now: host.now(),
    person: session.person,
    session: session.hash,
    request: requestId,
    peer: randomUUID() as PeerId,
    media: at,
  });
  const peer = findPresent(decision.visit, id)?.endpoint?.peer;
  if (!peer) throw new BedsideError('internal');
  const decided = performance.now();
  telemetry.joinPhase('decide', (decided - started) / 1000);

  const isNewNode = nodesLeft(decision.visit, before).length > 0;
  let opened: Awaited<ReturnType<VisitMedia['open']>>;
  try {
    opened = await media.open(place, id, peer, rtpCapabilities, decision.visit);
  } catch (thrown) {
    // An answer that is late may still be a peer at the node.
    if (decision.visit !== before) {
      const effect: Effect = isNewNode
        ? { type: 'close-visit', media: at }
        : { type: 'close-peer', peer };
      media.tidy([effect], decision.visit);
    }
    throw thrown;
  }
  telemetry.joinPhase('node', (performance.now() - decided) / 1000);

  // Where the visit is new the node may still have something of it: an owner before could not reach it.
  if (isNewNode) media.doubtNode(at.node);
  const roundTrips = host.roundTrips();
  const { committed, visit } = host.commit(decision);
  media.told(id);
  session.reconciled = true;
  relocation.invite(id);
  news.tellLevels(session);
  return {
    committed,
    roundTrips,
    response: {
      ...opened,
      visit: news.viewFor(session, visit),
      messages: conversation.after(messagesAfter, id, visit),
    },
  };
}

async function resume(
  host: CommandHost,
  session: Session,
  request: ClientRequest<'resume'>,
): Promise<ClientResponse<'resume'>> {
  const { conversation, news, relocation } = host;
  const { id } = session.person;
  if (!findPresent(host.visit(), id)) throw new BedsideError('not-joined');
  host.media().doubt(id);
  const inLine = await host.media().trySync();
  if (!findPresent(host.visit(), id)?.endpoint) throw new BedsideError('media-lost');
  if (!inLine) throw new BedsideError('media-unavailable', { retryAfterMs: RESYNC_MIN_MS });
  const media = host.media();
  const { id: peer, consumers, recvTransportId } = media.peerOf(id);
  // What the page has is of a join that another gateway answered, and that did not last.
  if ((request.recvTransportId ?? recvTransportId) !== recvTransportId)
    throw new BedsideError('media-lost');
  const has = new Set(request.consumerIds);
  session.reconciled = true;
  // All of them: the page may have acknowledged one to a gateway that is gone.
  media.start(peer, [...consumers.keys()]);
  media.retell(id, has);
  relocation.invite(id);
  news.tellLevels(session);
  return {
    added: [...consumers.values()].filter(({ consumerId }) => !has.has(consumerId)),
    removed: request.consumerIds.filter((consumerId) => !consumers.has(consumerId)),
    visit: news.viewFor(session, host.visit()),
    messages: conversation.after(request.messagesAfter ?? 0, id, host.visit()),
  };
}

async function produce(
  host: CommandHost,
  session: Session,
  request: ClientRequest<'produce'>,
): Promise<{ committed: Promise<unknown>; producerId: ProducerId }> {
  const media = host.media();
  const { id } = session.person;
  const { requestId, transportId, source, paused, rtpParameters } = request;
  const { id: peer, at, sendTransportId } = media.peerOf(id, transportId);
  if (transportId !== sendTransportId)
    throw new BedsideError('not-found', { field: 'transportId' });
  const decision = host.decide({
    type: 'produce',
    now: host.now(),
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
    await media.call('produce', {
      ...media.scope,
      peer,
      producerId,
      kind,
      rtpParameters,
      paused,
      observed,
    });
  } catch (thrown) {
    // An answer that is late may still be a producer at the node.
    if (decision.visit !== host.visit())
      media.callAt(at, 'close-producer', { ...media.scope, producerId }).catch(() => {});
    throw thrown;
  }
  const { committed } = host.commit(decision);
  return { committed, producerId };
}
