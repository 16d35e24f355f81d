import type { ProducerId } from '@bedside/protocol';

/** Who speaks, from mediasoup's two observers: one knows who dominates, the other when all are silent. */
export interface SpeakerState {
  readonly dominant: ProducerId | null;
  readonly silent: boolean;
}

export type SpeakerEvent =
  | { type: 'dominant'; producerId: ProducerId }
  | { type: 'sound'; loudest: ProducerId }
  | { type: 'silence' }
  | { type: 'closed'; producerId: ProducerId };

export const NOBODY_SPEAKS: SpeakerState = { dominant: null, silent: true };

/** mediasoup names a dominant speaker even while nobody makes a sound, so only sound ends silence. */
export function hear(state: SpeakerState, event: SpeakerEvent): SpeakerState {
  switch (event.type) {
    case 'dominant':
      return { ...state, dominant: event.producerId };
    case 'sound':
      return { dominant: state.dominant ?? event.loudest, silent: false };
    case 'silence':
      return { ...state, silent: true };
    case 'closed':
      return state.dominant === event.producerId ? { ...state, dominant: null } : state;
  }
}

/** The producer that listeners should see marked, or null for silence. */
export const speakerOf = (state: SpeakerState): ProducerId | null =>
  state.silent ? null : state.dominant;
