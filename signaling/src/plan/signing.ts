import { isSigned, languageKey, type ParticipantId } from '@bedside/protocol';
import { hearsOf, type Participant, signsOf, speaksOf } from '../visit/state.ts';

/** Who converses in a signed language with whom: both ways. */
export type SignedConversations = ReadonlyMap<ParticipantId, ReadonlySet<ParticipantId>>;

/** Between signers, and between a signer and each interpreter who signs a language of theirs. */
export function signedConversations(people: readonly Participant[]): SignedConversations {
  const signers = people.filter(signsOf);
  const partners = new Map<ParticipantId, Set<ParticipantId>>();
  const join = (one: ParticipantId, other: ParticipantId) =>
    partners.set(one, (partners.get(one) ?? new Set()).add(other));
  for (const signer of signers) {
    const own = signedKeys([...speaksOf(signer), ...hearsOf(signer)]);
    for (const other of people) {
      if (other === signer || !(signsOf(other) || interpretsFor(other, own))) continue;
      join(signer.id, other.id);
      join(other.id, signer.id);
    }
  }
  return partners;
}

/** Whoever signs may be it, where it is not known what the signer signs. */
function interpretsFor(other: Participant, own: ReadonlySet<string>): boolean {
  if (!other.grants.includes('interpret')) return false;
  const signed = signedKeys(speaksOf(other));
  return own.size === 0 ? signed.size > 0 : [...signed].some((key) => own.has(key));
}

const signedKeys = (tags: readonly string[]): ReadonlySet<string> =>
  new Set(tags.filter(isSigned).map(languageKey));
