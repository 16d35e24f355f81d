import type { MediaSource } from '@bedside/protocol';
import { GRANT_OF_SOURCE } from './grants.ts';
import type { Participant, Person, Producer } from './state.ts';

export function withoutEndpoint(participant: Participant): Participant {
  if (!participant.endpoint) return participant;
  const { endpoint, ...rest } = participant;
  return rest;
}

export function withProducers(participant: Participant, producers: Producer[]): Participant {
  return participant.endpoint
    ? { ...participant, endpoint: { ...participant.endpoint, producers } }
    : participant;
}

export const microphoneOf = ({ endpoint }: Pick<Participant, 'endpoint'>): Producer | undefined =>
  endpoint?.producers.find(({ source }) => source === 'microphone');

export function withMicrophonePaused(participant: Participant): Participant {
  const producers = participant.endpoint?.producers ?? [];
  return withProducers(
    participant,
    producers.map((each) => (each.source === 'microphone' ? { ...each, paused: true } : each)),
  );
}

export const mayProduce = ({ grants }: Pick<Person, 'grants'>, source: MediaSource): boolean =>
  grants.includes(GRANT_OF_SOURCE[source]);
