import type { ParticipantId } from '@bedside/protocol';
import { change, type Decision, type Of, unchanged } from './decision.ts';
import { withoutEndpoint } from './endpoint.ts';
import type { Endpoint, Media, Visit } from './state.ts';

/**
 * The visit as it is at the node that it goes to: the same people in the same places, with what they have
 * there. Whoever is muted here is muted there, and what is not sent here any more counts for nothing there.
 */
export function arriving(
  visit: Visit,
  media: Media,
  endpoints: ReadonlyMap<ParticipantId, Endpoint>,
): Visit {
  const participants = visit.participants.map((participant) => {
    const endpoint = endpoints.get(participant.id);
    const { endpoint: now, state } = participant;
    if (!endpoint || !now || state === 'left') return withoutEndpoint(participant);
    const producers = endpoint.producers.flatMap((producer) => {
      const twin = now.producers.find(({ source }) => source === producer.source);
      return twin ? [{ ...producer, paused: twin.paused }] : [];
    });
    return { ...participant, endpoint: { ...endpoint, producers } };
  });
  return { ...visit, media, participants };
}

/**
 * Where the media is about to go, or that it does not. On record before anything is there, so that the next
 * owner, if there is one meanwhile, closes it there.
 */
export function relocating(visit: Visit, { media }: Of<'relocating'>): Decision {
  const { arriving: before, ...rest } = visit;
  if (!media) return before ? change(rest, {}, []) : unchanged(visit);
  if (visit.state === 'ended' || !visit.media) return unchanged(visit);
  return change(visit, { arriving: media }, []);
}

/** From now on the media is at the other node. Who has nothing there joins again. */
export function relocate(visit: Visit, { now, endpoints }: Of<'relocate'>): Decision {
  const { arriving: media, ...rest } = visit;
  if (visit.state === 'ended' || !visit.media || !media) return unchanged(visit);
  const { participants } = arriving(visit, media, endpoints);
  return change(rest, { media, participants }, [{ type: 'media-placed', at: now }]);
}
