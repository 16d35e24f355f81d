import {
  type Flow,
  HOLD,
  type MediaSource,
  type ParticipantId,
  type ProducerId,
} from '@bedside/protocol';
import { isAudience } from '../visit/audience.ts';
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

/** The plan of each visit that was asked for: a change needs those before and after it, and so does the next. */
const plans = new WeakMap<Visit, MediaPlan>();

/**
 * The media plan of a visit. Everybody who takes part receives everybody else in the same place, at the
 * gain that their languages ask for. What others in another place send is in the plan, too, but held
 * back: to bring people together is to resume, and no page sets anything up anew. Who waits receives
 * nothing, and is seen by who may admit where the clinic allows it.
 */
export function plan(visit: Visit): MediaPlan {
  const planned = plans.get(visit) ?? made(visit);
  plans.set(visit, planned);
  return planned;
}

function made(visit: Visit): MediaPlan {
  const there = visit.participants.filter(
    ({ state, endpoint }) => state === 'admitted' && endpoint,
  );
  const alike = audienceAlike(visit, there);
  const takingPart = there.filter((each) => (alike.get(each) ?? each) === each);
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
  const planned = new Map(takingPart.map((each) => [each, received(each)]));
  return new Map(
    visit.participants
      .filter(({ state, endpoint }) => state !== 'left' && endpoint)
      .map((each) => [each.id, planned.get(alike.get(each) ?? each) ?? []]),
  );
}

/**
 * Each of a lecture's audience with the first of them who is to hear the same: nobody hears them, so that
 * they differ by where they are and by what they follow, and all who are alike share one part of the plan.
 */
function audienceAlike(
  visit: Visit,
  there: readonly Participant[],
): ReadonlyMap<Participant, Participant> {
  const whisperedTo = new Set(there.map(({ whisperTo }) => whisperTo));
  const firsts = new Map<string, Participant>();
  const alike = new Map<Participant, Participant>();
  for (const each of there) {
    if (!isAudience(visit, each)) continue;
    const { id, place, lang, speaks, hears, signs, duckDb } = each;
    const own = whisperedTo.has(id) ? id : null;
    const key = JSON.stringify([place, lang, speaks, hears, signs, duckDb, own]);
    const first = firsts.get(key) ?? each;
    firsts.set(key, first);
    alike.set(each, first);
  }
  return alike;
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
  const isSame = remembering(sameFlows);
  return [...plan(after)]
    .filter(([id, flows]) => !isSame(old.get(id) ?? NOTHING, flows))
    .map(([id]) => id);
}

const NOTHING: readonly PlannedFlow[] = [];

/** Many listeners share one list of flows: two lists are compared once. */
function remembering(same: typeof sameFlows): typeof sameFlows {
  const known = new Map<readonly PlannedFlow[], Map<readonly PlannedFlow[], boolean>>();
  return (one, other) => {
    const compared = known.get(one) ?? new Map<readonly PlannedFlow[], boolean>();
    const is = compared.get(other) ?? same(one, other);
    known.set(one, compared.set(other, is));
    return is;
  };
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
