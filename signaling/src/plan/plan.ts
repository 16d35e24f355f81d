import {
  type Flow,
  HOLD,
  type MediaSource,
  type ParticipantId,
  type ProducerId,
} from '@bedside/protocol';
import type { Participant, Producer, Visit } from '../visit/state.ts';

/** One producer as one listener is to receive it. */
export interface PlannedFlow {
  producerId: ProducerId;
  /** Whose it is. */
  from: ParticipantId;
  source: MediaSource;
  /** Linear, 0 to 1: the listener's page applies it. */
  gain: number;
  flow: Flow;
}

/** Who receives what: one entry for every participant with an endpoint, empty for who receives nothing. */
export type MediaPlan = ReadonlyMap<ParticipantId, readonly PlannedFlow[]>;

/** Consumer priorities: when bandwidth falls, the voice keeps its quality, then what is shown, then faces. */
const PRIORITY: Readonly<Record<MediaSource, number>> = {
  microphone: 255,
  'screen-audio': 200,
  screen: 150,
  camera: 100,
};

/** The media plan of a visit: everybody admitted receives everybody else who is in the same place. */
export function plan(visit: Visit): MediaPlan {
  const takingPart = visit.participants.filter(
    ({ state, place, endpoint }) => state === 'admitted' && place !== HOLD && endpoint,
  );
  return new Map(
    visit.participants
      .filter(({ state, endpoint }) => state !== 'left' && endpoint)
      .map((listener) => [
        listener.id,
        takingPart.includes(listener)
          ? takingPart
              .filter((from) => from !== listener && from.place === listener.place)
              .flatMap((from) =>
                (from.endpoint?.producers ?? []).map((producer) => flowOf(from, producer)),
              )
          : [],
      ]),
  );
}

function flowOf(from: Participant, producer: Producer): PlannedFlow {
  return {
    producerId: producer.id,
    from: from.id,
    source: producer.source,
    gain: 1,
    flow: { producerId: producer.id, paused: false, priority: PRIORITY[producer.source] },
  };
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
        flow.flow.paused === twin.flow.paused &&
        flow.flow.priority === twin.flow.priority &&
        flow.flow.maxSpatialLayer === twin.flow.maxSpatialLayer &&
        flow.flow.maxTemporalLayer === twin.flow.maxTemporalLayer
      );
    })
  );
}
