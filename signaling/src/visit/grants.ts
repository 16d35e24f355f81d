import type { Grant, MediaSource, ParticipantState, Role } from '@bedside/protocol';

const SPEAKS: readonly Grant[] = ['publish-audio', 'publish-video'];
const TREATS: readonly Grant[] = [...SPEAKS, 'publish-screen', 'admit', 'remove', 'end'];

/** What a role may do where its token names no grants. */
export const GRANTS_OF_ROLE: Readonly<Record<Role, readonly Grant[]>> = {
  patient: [...SPEAKS, 'publish-screen'],
  provider: TREATS,
  interpreter: SPEAKS,
  specialist: [...SPEAKS, 'publish-screen'],
  caregiver: SPEAKS,
  observer: [],
  moderator: TREATS,
  device: SPEAKS,
};

/** The grant that each source needs. */
export const GRANT_OF_SOURCE: Readonly<Record<MediaSource, Grant>> = {
  microphone: 'publish-audio',
  camera: 'publish-video',
  screen: 'publish-screen',
  'screen-audio': 'publish-screen',
};

/** The admission policy `auto-admit`: the state in which a role starts when it joins. */
export const AUTO_ADMIT: Readonly<Record<Role, Exclude<ParticipantState, 'left'>>> = {
  patient: 'admitted',
  provider: 'admitted',
  interpreter: 'admitted',
  specialist: 'admitted',
  caregiver: 'admitted',
  observer: 'admitted',
  moderator: 'admitted',
  device: 'admitted',
};

/** The token's grants where it names any, else those of the role. */
export function grantsOf(role: Role, override: readonly Grant[] | undefined): readonly Grant[] {
  return override ?? GRANTS_OF_ROLE[role];
}
