import {
  type Flow,
  HOLD,
  type MediaSource,
  type ParticipantId,
  type ProducerId,
} from '@bedside/protocol';
import { areTogether, mayAttend, type Participant, type Visit } from '../visit/state.ts';
import { type Gains, gainsIn } from './languages.ts';
import { type SignedConversations, signedConversations } from './signing.ts';

/** One producer as one listener is to receive it. */
export interface PlannedFlow {
  producerId: ProducerId;
  /** Whose it is. */
  from: ParticipantId;
  source: MediaSource;
  /** Linear, 0 to 1: the listener's page applies it. */
  gain: number;
  /** A picture of a signed conversation: neither tile size nor bandwidth of other flows takes from it. */
  protected: boolean;
  flow: Flow;
}

/** Who receives what: one entry for every participant with an endpoint, empty for who receives nothing. */
export type MediaPlan = ReadonlyMap<ParticipantId, readonly PlannedFlow[]>;

/**
 * Consumer priorities: when bandwidth falls, the voice keeps its quality, then what is examined, then what
 * is shown, then faces.
 */
const PRIORITY: Readonly<Record<MediaSource, number>> = {
  microphone: 250,
  'screen-audio': 200,
  exam: 180,
  screen: 150,
  camera: 100,
};

/** Of a picture between signers, or between a signer and their interpreter: before every other flow. */
const PROTECTED_PRIORITY = 255;

/**
 * The media plan of a visit. Everybody who takes part receives everybody else in the same place, at the
 * gain that their languages ask for. What others in another place send is in the plan, too, but held
 * back: to bring people together is to resume, and no page sets anything up anew. Who waits receives
 * nothing, and is seen by who may admit where the clinic allows it.
 */
export function plan(visit: Visit): MediaPlan {
  const takingPart = visit.participants.filter(
    ({ state, endpoint }) => state === 'admitted' && endpoint,
  );
  const places = Map.groupBy(takingPart, ({ place }) => place);
  places.delete(HOLD);
  const gains: Gains = new Map(
    [...places.values()].flatMap((together) => [...gainsIn(visit, together)]),
  );
  const signed = signedConversations(takingPart);
  const previews = visit.policy.preview
    ? visit.participants.filter(({ state, endpoint }) => state === 'waiting' && endpoint)
    : [];
  const received = (listener: Participant): PlannedFlow[] => [
    ...takingPart.flatMap((from) =>
      from === listener ? [] : flows(from, listener, gains, signed),
    ),
    ...(mayAttend(listener) ? previews.flatMap((from) => preview(from, listener)) : []),
  ];
  return new Map(
    visit.participants
      .filter(({ state, endpoint }) => state !== 'left' && endpoint)
      .map((each) => [each.id, each.state === 'admitted' ? received(each) : []]),
  );
}

function flows(
  from: Participant,
  listener: Participant,
  gains: Gains,
  signed: SignedConversations,
): PlannedFlow[] {
  const together = areTogether(from, listener);
  const gain = gains.get(listener.id)?.get(from.id) ?? 1;
  const isSigned = signed.get(from.id)?.has(listener.id) ?? false;
  const whispersToAnother = from.whisperTo !== undefined && from.whisperTo !== listener.id;
  return (from.endpoint?.producers ?? []).map(({ id: producerId, source }) => {
    const isVoice = source === 'microphone';
    const guarded = isSigned && source === 'camera';
    return {
      producerId,
      from: from.id,
      source,
      gain: isVoice ? gain : 1,
      protected: guarded,
      flow: {
        producerId,
        paused: !together || (isVoice && whispersToAnother),
        priority: guarded ? PROTECTED_PRIORITY : PRIORITY[source],
        ...(guarded ? { protected: true } : {}),
      },
    };
  });
}

/** The picture, and no sound, of somebody who waits. */
function preview(from: Participant, listener: Participant): PlannedFlow[] {
  return (from.endpoint?.producers ?? [])
    .filter(({ source }) => source === 'camera')
    .map(({ id, source }) => ({
      producerId: id,
      from: from.id,
      source,
      gain: 1,
      protected: false,
      flow: { producerId: id, paused: listener.place === HOLD, priority: PRIORITY[source] },
    }));
}

/** The listeners who keep their endpoint and whose part of the plan differs. */
export function replanned(before: Visit, after: Visit): ParticipantId[] {
  // What a plan is made of; messages, for one, change none of it.
  if (
    before.participants === after.participants &&
    before.interpreting === after.interpreting &&
    before.turns === after.turns
  )
    return [];
  const old = plan(before);
  return [...plan(after)]
    .filter(([id, flows]) => !sameFlows(old.get(id) ?? [], flows))
    .map(([id]) => id);
}

function sameFlows(one: readonly PlannedFlow[], other: readonly PlannedFlow[]): boolean {
  return (
    one.length === other.length &&
    one.every((flow, index) => {
      const twin = other[index];
      return (
        twin !== undefined &&
        flow.producerId === twin.producerId &&
        flow.gain === twin.gain &&
        flow.protected === twin.protected &&
        flow.flow.paused === twin.flow.paused &&
        flow.flow.priority === twin.flow.priority &&
        flow.flow.maxSpatialLayer === twin.flow.maxSpatialLayer &&
        flow.flow.maxTemporalLayer === twin.flow.maxTemporalLayer
      );
    })
  );
}
