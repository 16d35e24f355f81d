/** Names that both sides know, apart from the schemas: a browser loads neither schemas nor zod. */
import type { MediaKind, MediaSource } from './media.ts';
import type { Place } from './visit.ts';

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
