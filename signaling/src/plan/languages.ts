import { type LanguageTag, type ParticipantId, sameLanguage } from '@bedside/protocol';
import { hearsOf, type Participant, speaksOf, type Visit } from '../visit/state.ts';

/**
 * Language channels: who hears whose voice how loud, among those in one place. Everybody needs each other
 * speaker either in a language that they follow, or through an interpreter into one; where no interpreter
 * has the pair, through a chain of them (relay).
 */

/** By how much an original is turned down under an interpreter, in dB, where the listener says nothing. */
export const DUCK_DB = -15;

/** Decibels as a linear gain: 10^(dB/20). */
export const linear = (db: number): number => 10 ** (db / 20);

const shares = (some: readonly LanguageTag[], others: readonly LanguageTag[]): boolean =>
  some.some((one) => others.some((other) => sameLanguage(one, other)));

/** The linear gain at which a listener hears each voice that differs from 1. */
export type Gains = ReadonlyMap<ParticipantId, ReadonlyMap<ParticipantId, number>>;

/** @param together Those who are in one place, in a stable order. */
export function gainsIn(visit: Visit, together: readonly Participant[]): Gains {
  const interpreters = together.filter(({ grants }) => grants.includes('interpret'));
  if (interpreters.length === 0 || visit.interpreting === 'consecutive') return new Map();
  const active = withTurns(visit, interpreters);
  const needs = new Map<ParticipantId, Need>();
  const route = routes(active);
  for (const listener of together) needs.set(listener.id, needOf(listener, together, route));
  const working = new Set([...needs.values()].flatMap(({ through }) => [...through]));
  return new Map(
    together.map((listener) => {
      const { originals, through } = needs.get(listener.id) ?? NOTHING;
      const gains = new Map<ParticipantId, number>();
      const ducked = linear(listener.duckDb ?? DUCK_DB);
      for (const id of originals) gains.set(id, ducked);
      for (const { id } of interpreters) {
        if (id === listener.id || through.has(id) || originals.has(id)) continue;
        // Who works for others is not for who follows the original; who does not work is one like all.
        const waits = !active.some((each) => each.id === id) && working.size > 0;
        if (working.has(id) || waits) gains.set(id, 0);
      }
      return [listener.id, gains];
    }),
  );
}

interface Need {
  /** Whom the listener does not follow. */
  originals: Set<ParticipantId>;
  /** The interpreters whom they hear instead. */
  through: Set<ParticipantId>;
}
const NOTHING: Need = { originals: new Set(), through: new Set() };

/** The interpreters at work: one for each set of languages, by turn, else who came first. */
export function withTurns(visit: Visit, interpreters: readonly Participant[]): Participant[] {
  const turn = ({ id }: Participant) => {
    const at = visit.turns?.indexOf(id) ?? -1;
    return at === -1 ? Number.POSITIVE_INFINITY : at;
  };
  const chosen: Participant[] = [];
  const byTurn = [...interpreters].sort((a, b) => (turn(a) === turn(b) ? 0 : turn(a) - turn(b)));
  for (const each of byTurn) {
    const twin = chosen.some((other) => coversAll(speaksOf(other), speaksOf(each)));
    if (!twin) chosen.push(each);
  }
  return chosen;
}

const coversAll = (some: readonly LanguageTag[], others: readonly LanguageTag[]): boolean =>
  others.every((other) => some.some((one) => sameLanguage(one, other)));

type Route = (from: LanguageTag, listener: Participant) => readonly Participant[] | undefined;

/** The shortest chain of interpreters from a language to one that the listener follows; never through the listener. */
function routes(active: readonly Participant[]): Route {
  return (from, listener) => {
    const into = hearsOf(listener);
    let fringe: { languages: readonly LanguageTag[]; chain: readonly Participant[] }[] = [
      { languages: [from], chain: [] },
    ];
    const used = new Set<ParticipantId>([listener.id]);
    while (fringe.length > 0) {
      const next: typeof fringe = [];
      for (const { languages, chain } of fringe)
        for (const interpreter of active) {
          const spoken = speaksOf(interpreter);
          if (used.has(interpreter.id) || !shares(spoken, languages)) continue;
          used.add(interpreter.id);
          const longer = [...chain, interpreter];
          if (shares(spoken, into)) return longer;
          next.push({ languages: spoken, chain: longer });
        }
      fringe = next;
    }
    return undefined;
  };
}

function needOf(listener: Participant, together: readonly Participant[], route: Route): Need {
  const originals = new Set<ParticipantId>();
  const through = new Set<ParticipantId>();
  const follows = hearsOf(listener);
  for (const speaker of together) {
    const [spoken] = speaksOf(speaker);
    if (speaker.id === listener.id || speaker.grants.includes('interpret')) continue;
    if (spoken === undefined || follows.length === 0) continue;
    if (shares([spoken], follows)) continue;
    const chain = route(spoken, listener);
    const last = chain?.at(-1);
    if (!chain || !last) continue;
    originals.add(speaker.id);
    through.add(last.id);
    // In a relay the interpreters before are originals, too.
    for (const each of chain.slice(0, -1)) originals.add(each.id);
  }
  for (const id of through) originals.delete(id);
  return { originals, through };
}
