/** Names that both sides know, apart from the schemas: a browser loads neither schemas nor zod. */
import type { MediaKind, MediaSource } from './media.ts';
import type { Grant, Place, VisitKind } from './visit.ts';

/** The kind that each source has. */
export const KIND_OF_SOURCE: Readonly<Record<MediaSource, MediaKind>> = {
  camera: 'video',
  microphone: 'audio',
  screen: 'video',
  'screen-audio': 'audio',
  exam: 'video',
};

/** Where participants are to begin with. */
export const MAIN_ROOM: Place = 'main';
/** Nobody hears or is heard from here. */
export const HOLD: Place = 'hold';

/** Socket.IO namespace of the clinics. */
export const CLINIC_NAMESPACE = '/clinic';

const OF_AUDIENCE: readonly Grant[] = ['chat', 'see-roster'];

/** Whether who has these grants is of a lecture's audience: who takes part in it has another one. */
export const listensOnly = (kind: VisitKind, grants: readonly Grant[]): boolean =>
  kind === 'lecture' && grants.every((grant) => OF_AUDIENCE.includes(grant));
