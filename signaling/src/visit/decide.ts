import { isDeepStrictEqual } from 'node:util';
import {
  type ErrorCode,
  KIND_OF_SOURCE,
  type LeaveReason,
  LIMITS,
  MAIN_ROOM,
  type MediaSource,
  type ParticipantId,
  type PeerId,
  type ProducerId,
  type RequestId,
} from '@bedside/protocol';
import { AUTO_ADMIT, GRANT_OF_SOURCE } from './grants.ts';
import {
  DEPARTED_LIMIT,
  findPresent,
  type LedgerEvent,
  type Media,
  type Participant,
  type Person,
  type Producer,
  present,
  type Visit,
} from './state.ts';

/**
 * Everything that can happen to a visit. Time and new ids come with the command, so that the same
 * history always gives the same visit. `session` is the hash of a session id.
 */
export type Command =
  /** A page's socket opened: its session goes on, or takes the place of the participant's older one. */
  | { type: 'connect'; now: number; person: Person; session: string }
  /** A page renewed its token: who they are and what they may do is what this one says. */
  | { type: 'identify'; now: number; person: Person }
  /** A page's socket is gone. */
  | { type: 'disconnect'; now: number; participant: ParticipantId; session: string }
  /** The grace time of a page without a socket is over. */
  | { type: 'expire'; now: number; participant: ParticipantId; session: string }
  /** `media` is where the visit goes if it is nowhere yet; `peer` is new. */
  | {
      type: 'join';
      now: number;
      person: Person;
      session: string;
      request: RequestId;
      peer: PeerId;
      media: Media;
    }
  | {
      type: 'produce';
      now: number;
      participant: ParticipantId;
      request: RequestId;
      producer: ProducerId;
      source: MediaSource;
      paused: boolean;
    }
  | {
      type: 'pause-producer';
      now: number;
      participant: ParticipantId;
      producer: ProducerId;
      paused: boolean;
    }
  | { type: 'close-producer'; now: number; participant: ParticipantId; producer: ProducerId }
  | { type: 'leave'; now: number; participant: ParticipantId }
  /** `by` is absent where the portal's server ends the visit. */
  | { type: 'end'; now: number; by?: Person }
  /** Another gateway opened the visit from Redis: nobody is connected to it yet. */
  | { type: 'recover'; now: number }
  /** The node has nothing of the visit any more. */
  | { type: 'media-lost'; now: number }
  /** The node has the visit, but not these. */
  | {
      type: 'endpoints-lost';
      now: number;
      peers: readonly PeerId[];
      producers: readonly ProducerId[];
    };

/** What the node is to do. What a page asks of its producers, and `open-*`, must succeed for the change to count; all other closes are tidying. */
export type Effect =
  | { type: 'open-peer'; peer: PeerId }
  | { type: 'open-producer'; peer: PeerId; producer: ProducerId }
  | { type: 'pause-producer'; producer: ProducerId; paused: boolean }
  | { type: 'close-producer'; producer: ProducerId }
  | { type: 'close-peer'; peer: PeerId }
  | { type: 'close-visit' };

export type Decision =
  | { ok: true; visit: Visit; events: readonly LedgerEvent[]; effects: readonly Effect[] }
  | { ok: false; code: ErrorCode };

const refuse = (code: ErrorCode): Decision => ({ ok: false, code });

const unchanged = (visit: Visit, ...effects: Effect[]): Decision => ({
  ok: true,
  visit,
  events: [],
  effects,
});

const change = (
  visit: Visit,
  patch: Partial<Visit>,
  events: readonly LedgerEvent[],
  effects: readonly Effect[] = [],
): Decision => ({ ok: true, visit: { ...visit, ...patch, seq: visit.seq + 1 }, events, effects });

/** The visit after a command, with what to record and what to do; the same visit where nothing changes. */
export function decide(visit: Visit, command: Command): Decision {
  switch (command.type) {
    case 'connect':
      return connect(visit, command);
    case 'identify':
      return identify(visit, command);
    case 'disconnect':
      return disconnect(visit, command);
    case 'expire':
      return expire(visit, command);
    case 'join':
      return join(visit, command);
    case 'produce':
      return produce(visit, command);
    case 'pause-producer':
      return pauseProducer(visit, command);
    case 'close-producer':
      return closeProducer(visit, command);
    case 'leave':
      return findPresent(visit, command.participant)
        ? depart(visit, command.participant, 'left', command.now)
        : unchanged(visit);
    case 'end':
      return end(visit, command);
    case 'recover':
      return recover(visit);
    case 'media-lost':
      return mediaLost(visit, command.now);
    case 'endpoints-lost':
      return endpointsLost(visit, command);
  }
}

type Of<Type extends Command['type']> = Extract<Command, { type: Type }>;

function connect(visit: Visit, { now, person, session }: Of<'connect'>): Decision {
  if (visit.state === 'ended') return refuse('visit-ended');
  const participant = findPresent(visit, person.id);
  // Who has not joined yet has no part in the visit; their session lives in the shell until `join`.
  if (!participant) return unchanged(visit);
  const event = { at: now, participant: person.id, role: person.role };
  const { identified, events, effects } = withIdentity(participant, person, now);
  // A session is one of a role: under another one it is not resumed.
  if (participant.session === session && participant.role === person.role) {
    if (participant.connection === 'connected') return identify(visit, { now, person });
    return change(
      visit,
      { participants: swap(visit, { ...identified, connection: 'connected' }) },
      [{ type: 'participant-reconnected', ...event }, ...events],
      effects,
    );
  }
  const { endpoint } = participant;
  const replaced: Participant = {
    ...withoutEndpoint(identified),
    session,
    connection: 'connected',
  };
  return change(
    visit,
    { participants: swap(visit, replaced) },
    [{ type: 'participant-replaced', ...event }],
    endpoint ? [{ type: 'close-peer', peer: endpoint.peer }] : [],
  );
}

function identify(visit: Visit, { now, person }: Omit<Of<'identify'>, 'type'>): Decision {
  const participant = findPresent(visit, person.id);
  if (!participant) return unchanged(visit);
  const { identified, events, effects } = withIdentity(participant, person, now);
  return identified === participant
    ? unchanged(visit)
    : change(visit, { participants: swap(visit, identified) }, events, effects);
}

function disconnect(visit: Visit, { now, participant: id, session }: Of<'disconnect'>): Decision {
  const participant = findPresent(visit, id);
  if (
    !participant ||
    participant.session !== session ||
    participant.connection === 'reconnecting'
  ) {
    return unchanged(visit);
  }
  return change(
    visit,
    { participants: swap(visit, { ...participant, connection: 'reconnecting' }) },
    [{ type: 'participant-reconnecting', at: now, participant: id, role: participant.role }],
  );
}

function expire(visit: Visit, { now, participant: id, session }: Of<'expire'>): Decision {
  const participant = findPresent(visit, id);
  if (!participant || participant.session !== session || participant.connection === 'connected') {
    return unchanged(visit);
  }
  return depart(visit, id, 'connection-lost', now);
}

function join(visit: Visit, { now, person, session, request, peer, media }: Of<'join'>): Decision {
  if (visit.state === 'ended') return refuse('visit-ended');
  const before = findPresent(visit, person.id);
  if (before?.endpoint?.request === request) {
    return unchanged(visit, { type: 'open-peer', peer: before.endpoint.peer });
  }
  if (!before && present(visit).length >= LIMITS.participantsPerVisit)
    return refuse('limit-reached');

  const participant: Participant = {
    ...identityOf(person),
    id: person.id,
    state: before?.state ?? AUTO_ADMIT[person.role],
    connection: 'connected',
    place: before?.place ?? MAIN_ROOM,
    session,
    endpoint: { peer, request, producers: [] },
    joinedAt: before?.joinedAt ?? now,
  };
  const starts = visit.state === 'open' && participant.state === 'admitted';
  const events: LedgerEvent[] = [];
  if (!visit.media) events.push({ type: 'media-placed', at: now });
  if (starts) events.push({ type: 'visit-started', at: now });
  if (!before) {
    const type = participant.state === 'admitted' ? 'participant-admitted' : 'participant-waiting';
    events.push({ type, at: now, participant: person.id, role: person.role });
  }
  const effects: Effect[] = [{ type: 'open-peer', peer }];
  if (before?.endpoint) effects.push({ type: 'close-peer', peer: before.endpoint.peer });
  return change(
    visit,
    {
      participants: swap(visit, participant),
      media: visit.media ?? media,
      ...(starts ? { state: 'active', startedAt: now } : {}),
    },
    events,
    effects,
  );
}

function produce(visit: Visit, command: Of<'produce'>): Decision {
  const { now, participant: id, request, source, paused } = command;
  const participant = findPresent(visit, id);
  const endpoint = participant?.endpoint;
  if (!endpoint) return refuse('not-joined');
  const opened = endpoint.producers.find((producer) => producer.request === request);
  if (opened)
    return unchanged(visit, { type: 'open-producer', peer: endpoint.peer, producer: opened.id });
  if (!mayProduce(participant, source)) return refuse('forbidden');
  if (endpoint.producers.some((producer) => producer.source === source)) return refuse('conflict');
  if (endpoint.producers.length >= LIMITS.producersPerParticipant) return refuse('limit-reached');
  const producer: Producer = {
    id: command.producer,
    kind: KIND_OF_SOURCE[source],
    source,
    paused,
    request,
  };
  return change(
    visit,
    { participants: swap(visit, withProducers(participant, [...endpoint.producers, producer])) },
    [{ type: 'producer-opened', at: now, participant: id, source }],
    [{ type: 'open-producer', peer: endpoint.peer, producer: producer.id }],
  );
}

function pauseProducer(
  visit: Visit,
  { now, participant: id, producer: producerId, paused }: Of<'pause-producer'>,
) {
  const owned = ownProducer(visit, id, producerId);
  if (!owned.ok) return refuse(owned.code);
  const { participant, producers, producer } = owned;
  const effect: Effect = { type: 'pause-producer', producer: producerId, paused };
  if (producer.paused === paused) return unchanged(visit, effect);
  const after = producers.map((each) => (each === producer ? { ...each, paused } : each));
  return change(
    visit,
    { participants: swap(visit, withProducers(participant, after)) },
    [
      {
        type: paused ? 'producer-paused' : 'producer-resumed',
        at: now,
        participant: id,
        source: producer.source,
      },
    ],
    [effect],
  );
}

function closeProducer(
  visit: Visit,
  { now, participant: id, producer: producerId }: Of<'close-producer'>,
): Decision {
  const owned = ownProducer(visit, id, producerId);
  if (!owned.ok) return refuse(owned.code);
  const { participant, producers, producer } = owned;
  return change(
    visit,
    {
      participants: swap(
        visit,
        withProducers(
          participant,
          producers.filter((each) => each !== producer),
        ),
      ),
    },
    [{ type: 'producer-closed', at: now, participant: id, source: producer.source }],
    [{ type: 'close-producer', producer: producerId }],
  );
}

function end(visit: Visit, { now, by }: Of<'end'>): Decision {
  // What who takes part may do stands in the visit, and nowhere else.
  const ender = by && (findPresent(visit, by.id) ?? by);
  if (ender && !ender.grants.includes('end')) return refuse('forbidden');
  if (visit.state === 'ended') return unchanged(visit);
  const { media, ...rest } = visit;
  const leaving = present(visit);
  return change(
    rest,
    {
      state: 'ended',
      endedAt: now,
      participants: visit.participants.map((each) =>
        each.state === 'left' ? each : left(each, 'visit-ended', now),
      ),
    },
    [
      ...leaving.map((each): LedgerEvent => leftEvent(each, 'visit-ended', now)),
      {
        type: 'visit-ended',
        at: now,
        ...(ender ? { participant: ender.id, role: ender.role } : {}),
      },
    ],
    media ? [{ type: 'close-visit' }] : [],
  );
}

function recover(visit: Visit): Decision {
  if (
    !visit.participants.some((each) => each.state !== 'left' && each.connection === 'connected')
  ) {
    return unchanged(visit);
  }
  const participants = visit.participants.map((each) =>
    each.state === 'left' ? each : { ...each, connection: 'reconnecting' as const },
  );
  // No ledger event: the participants lost nothing, it is the gateway that is new.
  return change(visit, { participants }, []);
}

function mediaLost(visit: Visit, now: number): Decision {
  if (!visit.media) return unchanged(visit);
  const { media, ...rest } = visit;
  // A peer that was opened while the news was on its way is part of nothing any more.
  return change(
    rest,
    { participants: visit.participants.map(withoutEndpoint) },
    [{ type: 'media-lost', at: now }],
    [{ type: 'close-visit' }],
  );
}

function endpointsLost(visit: Visit, { now, peers, producers }: Of<'endpoints-lost'>): Decision {
  const events: LedgerEvent[] = [];
  const participants = visit.participants.map((each) => {
    if (!each.endpoint) return each;
    if (peers.includes(each.endpoint.peer)) {
      events.push({ type: 'media-lost', at: now, participant: each.id, role: each.role });
      return withoutEndpoint(each);
    }
    const gone = each.endpoint.producers.filter((producer) => producers.includes(producer.id));
    if (gone.length === 0) return each;
    for (const { source } of gone)
      events.push({ type: 'producer-closed', at: now, participant: each.id, source });
    return withProducers(
      each,
      each.endpoint.producers.filter((producer) => !gone.includes(producer)),
    );
  });
  return events.length === 0 ? unchanged(visit) : change(visit, { participants }, events);
}

/** A participant goes. With the last one the media goes too; the visit stays open for whoever comes back. */
function depart(visit: Visit, id: ParticipantId, reason: LeaveReason, now: number): Decision {
  const participant = findPresent(visit, id);
  if (!participant) return unchanged(visit);
  const participants = swap(visit, left(participant, reason, now));
  const events = [leftEvent(participant, reason, now)];
  if (present(visit).length === 1) {
    const { media, ...rest } = visit;
    return change(rest, { participants }, events, media ? [{ type: 'close-visit' }] : []);
  }
  const { endpoint } = participant;
  return change(
    visit,
    { participants },
    events,
    endpoint ? [{ type: 'close-peer', peer: endpoint.peer }] : [],
  );
}

function left(participant: Participant, reason: LeaveReason, now: number): Participant {
  return { ...withoutEndpoint(participant), state: 'left', leftAt: now, leftReason: reason };
}

function leftEvent(participant: Participant, reason: LeaveReason, now: number): LedgerEvent {
  return {
    type: 'participant-left',
    at: now,
    participant: participant.id,
    role: participant.role,
    reason,
  };
}

function withoutEndpoint(participant: Participant): Participant {
  if (!participant.endpoint) return participant;
  const { endpoint, ...rest } = participant;
  return rest;
}

function withProducers(participant: Participant, producers: Producer[]): Participant {
  return participant.endpoint
    ? { ...participant, endpoint: { ...participant.endpoint, producers } }
    : participant;
}

function ownProducer(visit: Visit, id: ParticipantId, producerId: ProducerId) {
  const participant = findPresent(visit, id);
  const producers = participant?.endpoint?.producers;
  if (!producers) return { ok: false, code: 'not-joined' } as const;
  const producer = producers.find((each) => each.id === producerId);
  return producer
    ? ({ ok: true, participant, producers, producer } as const)
    : ({ ok: false, code: 'not-found' } as const);
}

const mayProduce = ({ grants }: Pick<Person, 'grants'>, source: MediaSource): boolean =>
  grants.includes(GRANT_OF_SOURCE[source]);

/**
 * The participant as the latest token has them, without the producers that it does not grant; the same
 * one where nothing differs.
 */
function withIdentity(
  participant: Participant,
  person: Person,
  now: number,
): { identified: Participant; events: LedgerEvent[]; effects: Effect[] } {
  const producers = participant.endpoint?.producers ?? [];
  const withdrawn = producers.filter(({ source }) => !mayProduce(person, source));
  if (withdrawn.length === 0 && isDeepStrictEqual(identityOf(participant), identityOf(person)))
    return { identified: participant, events: [], effects: [] };
  // The new token may be without a name or a language.
  const { name, lang, ...rest } = participant;
  return {
    identified: withProducers(
      { ...rest, ...identityOf(person) },
      producers.filter((producer) => !withdrawn.includes(producer)),
    ),
    events: withdrawn.map(({ source }) => ({
      type: 'producer-closed',
      at: now,
      participant: participant.id,
      source,
    })),
    effects: withdrawn.map(({ id: producer }) => ({ type: 'close-producer', producer })),
  };
}

function identityOf(person: Person): Pick<Participant, 'role' | 'grants' | 'name' | 'lang'> {
  return {
    role: person.role,
    grants: [...person.grants],
    ...(person.name === undefined ? {} : { name: person.name }),
    ...(person.lang === undefined ? {} : { lang: person.lang }),
  };
}

/** The list with this participant in its place, or at its end; the oldest of those who left fall out. */
function swap(visit: Visit, participant: Participant): Participant[] {
  const known = visit.participants.some((each) => each.id === participant.id);
  const participants = known
    ? visit.participants.map((each) => (each.id === participant.id ? participant : each))
    : [...visit.participants, participant];
  let surplus = participants.filter((each) => each.state === 'left').length - DEPARTED_LIMIT;
  return surplus > 0
    ? participants.filter((each) => each.state !== 'left' || surplus-- <= 0)
    : participants;
}
