import type { MediaSource, Role } from '@bedside/protocol';
import type { Texts } from '../texts/index.ts';
import type { Participant, TrackPublication } from '../types.ts';
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

/** The others that are shown, in their order. Equal roles keep the order in which they came. */
export function shown(participants: Iterable<Participant>): Participant[] {
  return [...participants]
    .filter((participant) => !participant.isLocal && participant.state === 'admitted')
    .sort((a, b) => ORDER.indexOf(a.role) - ORDER.indexOf(b.role));
}

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

/** Sign languages by their ISO 639-3 codes, those of America and Europe and the larger others; `sgn-…` is any. */
const SIGNED = new Set(
  'ase asf asq bfi bqn bzs aed csc cse csf csg csl csn doq dse dsl ecs esn eso fcs fse fsl fss gsg gsm gss hds hks hsh icl ils ins isr ise jsl kvk lls lsl lsp mfs ncs nsl nzs prl psl pso psr rms rsl sfb sfs sgg sgn slf ssp ssr svk swl tsm tsq tss ukl vgt vsl'.split(
    ' ',
  ),
);

/** Hands and face both carry what a signer or an interpreter says. */
export function fitFor({ role, lang }: Participant): Fit {
  const signs = SIGNED.has(lang?.toLowerCase().split('-')[0] ?? '');
  return signs || role === 'interpreter' ? 'whole' : 'fill';
}
