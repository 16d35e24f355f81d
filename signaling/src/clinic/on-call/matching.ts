import type { LanguageTag, Need, ParticipantId, Role, Skills, Tag } from '@bedside/protocol';
import type { Call } from '../../visit/call.ts';

/** Somebody who is on call, by one of their sockets. */
export interface OnCallPerson {
  person: ParticipantId;
  role: Role;
  skills: Skills;
  /** When they signed on, milliseconds since 1970. */
  since: number;
  busy: boolean;
}

/** Somebody whom a call rings, and the need that they fit. */
export interface Rung {
  person: ParticipantId;
  need: Need;
}

/** People whom one call rings at a time; more would not make it quicker. */
export const RUNG_LIMIT = 64;

/** Whether somebody has everything that a need names. `role`: that in which they would come. */
export function fits(
  need: Need,
  role: Role,
  person: Pick<OnCallPerson, 'role' | 'skills'>,
): boolean {
  const { specialties, languages, regions } = person.skills;
  return (
    person.role === (need.role ?? role) &&
    (need.specialty === undefined || hasTag(specialties, need.specialty)) &&
    (need.region === undefined || hasTag(regions, need.region)) &&
    (need.language === undefined ||
      languages.some((language) => includesLanguage(need.language as LanguageTag, language)))
  );
}

/** Tags are the portal's, but people type them: case does not count. */
function hasTag(tags: readonly Tag[], tag: Tag): boolean {
  return tags.some((each) => each.toLowerCase() === tag.toLowerCase());
}

/** Whether the second is the first, or a narrower one: `es` includes `es-MX` (RFC 4647, basic filtering). */
export function includesLanguage(range: LanguageTag, language: LanguageTag): boolean {
  const [wide, narrow] = [canonical(range), canonical(language)];
  return narrow === wide || narrow.startsWith(`${wide}-`);
}

/** One tag for one language, where there are several: `sgn-US` is `ase`. */
function canonical(tag: LanguageTag): string {
  try {
    return (Intl.getCanonicalLocales(tag)[0] ?? tag).toLowerCase();
  } catch {
    return tag.toLowerCase();
  }
}

/**
 * Whom a call rings now: those who fit a group that was reached, are free and have not declined. The
 * present group comes first, and who has been on call for longest.
 */
export function whomToRing(
  { groups, index, role, by }: Pick<Call, 'groups' | 'index' | 'role' | 'by'>,
  people: readonly OnCallPerson[],
  declined: ReadonlySet<ParticipantId>,
): Rung[] {
  const busy = new Set(people.filter((each) => each.busy).map(({ person }) => person));
  const reached = groups.slice(0, index + 1);
  const found = new Map<ParticipantId, { need: Need; group: number }>();
  for (const each of people.toSorted((one, other) => one.since - other.since)) {
    const { person } = each;
    if (person === by || busy.has(person) || declined.has(person) || found.has(person)) continue;
    const group = reached.findIndex((need) => fits(need, role, each));
    if (group >= 0) found.set(person, { need: reached[group] as Need, group });
  }
  return [...found]
    .toSorted(([, one], [, other]) => other.group - one.group)
    .slice(0, RUNG_LIMIT)
    .map(([person, { need }]) => ({ person, need }));
}

/** Whether nobody of the group is left to ask. A group that adds nobody to those who were rung for the one before is not waited for. */
export function isExhausted(
  index: number,
  rung: readonly Rung[],
  before: { index: number; people: ReadonlySet<ParticipantId> } | undefined,
): boolean {
  const addsNobody =
    before !== undefined &&
    before.index < index &&
    rung.every(({ person }) => before.people.has(person));
  return rung.length === 0 || addsNobody;
}
