import type { Grant, MediaSource, Role } from '@bedside/protocol';

const SPEAKS: readonly Grant[] = ['publish-audio', 'publish-video', 'chat'];
const TREATS: readonly Grant[] = [
  ...SPEAKS,
  'publish-screen',
  'publish-exam',
  'admit',
  'remove',
  'mute',
  'hold',
  'private-room',
  'invite',
  'hand-over',
  'end',
  'see-roster',
];

/**
 * What a role may do where its token names no grants. An exam camera is for who examines, and for who is
 * examined: at home, or beside a room cart.
 */
export const GRANTS_OF_ROLE: Readonly<Record<Role, readonly Grant[]>> = {
  patient: [...SPEAKS, 'publish-screen', 'publish-exam'],
  provider: TREATS,
  interpreter: [...SPEAKS, 'interpret', 'see-roster'],
  specialist: [...SPEAKS, 'publish-screen', 'publish-exam', 'see-roster'],
  caregiver: SPEAKS,
  observer: ['chat'],
  moderator: TREATS,
  device: ['publish-audio', 'publish-video', 'publish-screen', 'publish-exam'],
};

/** Grants over others: who invites can give none of them that they lack. */
export const OVER_OTHERS: ReadonlySet<Grant> = new Set<Grant>([
  'admit',
  'remove',
  'mute',
  'hold',
  'private-room',
  'invite',
  'hand-over',
  'end',
]);

/** The grant that each source needs. */
export const GRANT_OF_SOURCE: Readonly<Record<MediaSource, Grant>> = {
  microphone: 'publish-audio',
  camera: 'publish-video',
  screen: 'publish-screen',
  'screen-audio': 'publish-screen',
  exam: 'publish-exam',
};

/** The token's grants where it names any, else those of the role. */
export function grantsOf(role: Role, override: readonly Grant[] | undefined): readonly Grant[] {
  return override ?? GRANTS_OF_ROLE[role];
}
