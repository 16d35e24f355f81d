import { HOLD, isSigned, MAIN_ROOM, type MediaSource, type Role } from '@bedside/protocol';
import type { Texts } from '../texts/index.ts';
import type { Participant, TrackPublication, VisitApi } from '../types.ts';
import type { Fit } from './layout.ts';

/** Who comes first: the patient looks for the provider; those who only watch come last. */
const ORDER: readonly Role[] = [
  'provider',
  'patient',
  'interpreter',
  'specialist',
  'caregiver',
  'moderator',
  'device',
  'observer',
];

/** In the order in which they are shown. Equal roles keep the order in which they came. */
export const inOrder = (participants: Iterable<Participant>): Participant[] =>
  [...participants].sort((a, b) => ORDER.indexOf(a.role) - ORDER.indexOf(b.role));

/** The others that are seen: those who are where oneself is. */
export const shown = (participants: Iterable<Participant>): Participant[] =>
  inOrder(participants).filter(({ isLocal, isHere }) => !isLocal && isHere);

/** Those who wait to be admitted, who came first first. */
export const waiting = ({ participants }: VisitApi): Participant[] =>
  [...participants.values()]
    .filter(({ state }) => state === 'waiting')
    .sort((a, b) => (a.waitingSince ?? 0) - (b.waitingSince ?? 0));

/** Those who raised a hand, who did so first first. */
export const handsRaised = ({ participants }: VisitApi): Participant[] =>
  [...participants.values()]
    .filter(({ handRaisedAt }) => handRaisedAt !== undefined)
    .sort((a, b) => (a.handRaisedAt ?? 0) - (b.handRaisedAt ?? 0));

/** In a private room, apart from the main one and from hold. */
export const isPrivate = ({ state, place }: Participant): boolean =>
  state === 'admitted' && place !== MAIN_ROOM && place !== HOLD;

/** What a participant is called: the name, else the role. */
export const nameOf = (participant: Participant, texts: Texts): string =>
  participant.name?.trim() || texts.roles[participant.role];

/** One or two letters for the avatar: of the first and last word, as the locale writes capitals. */
export function initials(name: string): string {
  const words = name
    .split(/[\s.\-_]+/u)
    .filter((word) => /^\p{L}/u.test(word) && !TITLES.has(word.toLowerCase()));
  const letter = (word: string | undefined): string =>
    [...(word ?? '')][0]?.toLocaleUpperCase() ?? '';
  return letter(words[0]) + (words.length > 1 ? letter(words.at(-1)) : '');
}
const TITLES = new Set(['dr', 'dra', 'prof', 'mr', 'mrs', 'ms', 'sr', 'sra']);

export const publication = (
  participant: Participant,
  source: MediaSource,
): TrackPublication | undefined => participant.tracks.get(source);

/** Whether a picture of this source is meant to be seen: published and not paused by its sender. */
export function isSending(participant: Participant, source: MediaSource): boolean {
  const found = publication(participant, source);
  return found !== undefined && !found.muted;
}

/** Hands and face both carry what a signer or an interpreter says. */
export const fitFor = ({ role, signs, speaks }: Participant): Fit =>
  signs || role === 'interpreter' || speaks.some(isSigned) ? 'whole' : 'fill';

/** Whether a picture has to be large: that of a signed conversation. */
export const isPinned = (participant: Participant): boolean =>
  publication(participant, 'camera')?.isProtected === true;
