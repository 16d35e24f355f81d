import {
  type Flow,
  HOLD,
  isSigned,
  type MediaSource,
  type ParticipantId,
  type ProducerId,
  sameLanguage,
} from '@bedside/protocol';
import {
  hearsOf,
  mayAttend,
  type Participant,
  signsOf,
  speaksOf,
  type Visit,
} from '../visit/state.ts';
import { type Gains, gainsIn } from './languages.ts';

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

/** Consumer priorities: when bandwidth falls, the voice keeps its quality, then what is shown, then faces. */
const PRIORITY: Readonly<Record<MediaSource, number>> = {
  microphone: 250,
  'screen-audio': 200,
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
  const gains = new Map(
    [...places].flatMap(([place, together]) =>
      place === HOLD ? [] : [...gainsIn(visit, together)],
    ),
  );
  const previews = visit.policy.preview
    ? visit.participants.filter(({ state, endpoint }) => state === 'waiting' && endpoint)
    : [];
  return new Map(
    visit.participants
      .filter(({ state, endpoint }) => state !== 'left' && endpoint)
      .map((listener) => [
        listener.id,
        listener.state === 'admitted'
          ? [
              ...takingPart.flatMap((from) =>
                from === listener ? [] : flows(from, listener, gains),
              ),
              ...(mayAttend(listener) ? previews.flatMap((from) => preview(from)) : []),
            ]
          : [],
      ]),
  );
}

function flows(from: Participant, listener: Participant, gains: Gains): PlannedFlow[] {
  const together = from.place === listener.place && from.place !== HOLD;
  const gain = gains.get(listener.id)?.get(from.id) ?? 1;
  const signed = isSignedConversation(from, listener);
  return (from.endpoint?.producers ?? []).map((producer) => {
    const { source } = producer;
    const whispered =
      source === 'microphone' && from.whisperTo !== undefined && from.whisperTo !== listener.id;
    const guarded = signed && source === 'camera';
    return {
      producerId: producer.id,
      from: from.id,
      source,
      gain: source === 'microphone' ? gain : 1,
      protected: guarded,
      flow: {
        producerId: producer.id,
        paused: !together || whispered,
        priority: guarded ? PROTECTED_PRIORITY : PRIORITY[source],
        ...(guarded ? { protected: true } : {}),
      },
    };
  });
}

/** The picture, and no sound, of somebody who waits. */
function preview(from: Participant): PlannedFlow[] {
  return (from.endpoint?.producers ?? [])
    .filter(({ source }) => source === 'camera')
    .map(({ id, source }) => ({
      producerId: id,
      from: from.id,
      source,
      gain: 1,
      protected: false,
      flow: { producerId: id, paused: false, priority: PRIORITY[source] },
    }));
}

/** Between signers, and between a signer and an interpreter who signs their language. */
function isSignedConversation(one: Participant, other: Participant): boolean {
  const [first, second] = [signsOf(one), signsOf(other)];
  if (first && second) return true;
  if (!first && !second) return false;
  const [signer, listener] = first ? [one, other] : [other, one];
  if (!listener.grants.includes('interpret')) return false;
  const signed = speaksOf(listener).filter(isSigned);
  const own = [...speaksOf(signer), ...hearsOf(signer)].filter(isSigned);
  return own.length === 0
    ? signed.length > 0
    : signed.some((tag) => own.some((each) => sameLanguage(tag, each)));
}

/** The listeners who keep their endpoint and whose part of the plan differs. */
export function replanned(before: Visit, after: Visit): ParticipantId[] {
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
