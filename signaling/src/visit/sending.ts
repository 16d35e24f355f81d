import { KIND_OF_SOURCE, LIMITS, type ParticipantId, type ProducerId } from '@bedside/protocol';
import {
  change,
  type Decision,
  type Effect,
  type Of,
  refuse,
  swap,
  unchanged,
} from './decision.ts';
import { mayProduce, withoutEndpoint, withProducers } from './endpoint.ts';
import { isAt, withoutNode } from './nodes.ts';
import { findPresent, type LedgerEvent, type Producer, type Visit } from './state.ts';

/** What participants send, and what the node has of it. */

export function produce(visit: Visit, command: Of<'produce'>): Decision {
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

export function pauseProducer(
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

export function closeProducer(
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

export function mediaLost(visit: Visit, { now, node }: Of<'media-lost'>): Decision {
  if (!isAt(visit, node)) return unchanged(visit);
  const after = withoutNode(visit, node);
  const events: LedgerEvent[] = after.media
    ? visit.participants
        .filter(({ id, endpoint }) => endpoint && !findPresent(after, id)?.endpoint)
        .map(({ id, role }) => ({ type: 'media-lost', at: now, participant: id, role }))
    : [{ type: 'media-lost', at: now }];
  return change(after, {}, events);
}

export function endpointsLost(
  visit: Visit,
  { now, peers, producers }: Of<'endpoints-lost'>,
): Decision {
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

function ownProducer(visit: Visit, id: ParticipantId, producerId: ProducerId) {
  const participant = findPresent(visit, id);
  const producers = participant?.endpoint?.producers;
  if (!producers) return { ok: false, code: 'not-joined' } as const;
  const producer = producers.find((each) => each.id === producerId);
  return producer
    ? ({ ok: true, participant, producers, producer } as const)
    : ({ ok: false, code: 'not-found' } as const);
}
