import { type LanguageTag, languageKey, type ParticipantId } from '@bedside/protocol';
import { isAudience } from '../visit/audience.ts';
import { hearsOf, type Participant, speaksOf, type Visit } from '../visit/state.ts';
import { type Interpreter, type Relays, relaysOf } from './relays.ts';

/**
 * Language channels: who hears whose voice how loud, among those in one place. Everybody needs each other
 * speaker either in a language that they follow, or through an interpreter into one; where no interpreter
 * has the pair, through a chain of them (relay).
 */

/** By how much an original is turned down under an interpreter, in dB, where the listener says nothing. */
const DUCK_DB = -15;

/** Decibels as a linear gain: 10^(dB/20). */
const linear = (db: number): number => 10 ** (db / 20);

/** The linear gain at which a listener hears each voice that is not heard as it is sent. */
export type Gains = ReadonlyMap<ParticipantId, ReadonlyMap<ParticipantId, number>>;

/** @param together Those who are in one place, in a stable order. */
export function gainsIn(visit: Visit, together: readonly Participant[]): Gains {
  const interpreters = byTurn(visit, together.flatMap(asInterpreter));
  if (interpreters.length === 0 || visit.interpreting === 'consecutive') return new Map();
  // Nobody hears the audience of a lecture, so that nobody needs an interpreter for them.
  const heard = together.filter((each) => !isAudience(visit, each));
  const voices = voicesOf(heard, interpreters);
  const relaysFor = audibleRelays(interpreters);
  const channels = new Map(
    together.map((listener) => [listener, channelOf(listener, voices, relaysFor(listener.id))]),
  );
  const working = new Set([...channels.values()].flatMap(({ through }) => [...through]));
  // Of several with the same pair only the one who works is heard.
  const resting = interpreters.filter(
    (each) =>
      !working.has(each.id) &&
      interpreters.some((other) => working.has(other.id) && sharePair(each, other)),
  );
  return new Map(
    [...channels].map(([listener, { originals, through }]) => {
      const gains = new Map<ParticipantId, number>(resting.map(({ id }) => [id, 0]));
      // Who works is not for who follows the original; what others follow is not known.
      if (followsOf(listener).length > 0) for (const id of working) gains.set(id, 0);
      for (const id of originals) gains.set(id, linear(listener.duckDb ?? DUCK_DB));
      for (const id of through) gains.delete(id);
      return [listener.id, gains];
    }),
  );
}

/** What one listener hears otherwise than as it is sent. */
interface Channel {
  /** Whom they do not follow, and in a relay the interpreters before the last. */
  originals: ReadonlySet<ParticipantId>;
  /** The interpreters whom they hear instead. */
  through: ReadonlySet<ParticipantId>;
}

/** Speakers by the language that they prefer. */
type Voices = ReadonlyMap<string, readonly ParticipantId[]>;

function channelOf(listener: Participant, voices: Voices, relays: Relays): Channel {
  const originals = new Set<ParticipantId>();
  const through = new Set<ParticipantId>();
  const follows = keysOf(followsOf(listener));
  for (const [spoken, speakers] of voices) {
    const others = speakers.filter((speaker) => speaker !== listener.id);
    if (others.length === 0 || follows.includes(spoken)) continue;
    const chains = relays(spoken);
    const [chain] = follows
      .map((language) => chains.get(language))
      .filter((each) => each !== undefined)
      .sort((one, other) => one.length - other.length);
    const last = chain?.at(-1);
    if (!chain || last === undefined) continue;
    through.add(last);
    for (const each of [...others, ...chain.slice(0, -1)]) originals.add(each);
  }
  return { originals, through };
}

/** Who interprets from a language follows it. */
const followsOf = (listener: Participant): readonly LanguageTag[] =>
  listener.grants.includes('interpret')
    ? [...hearsOf(listener), ...speaksOf(listener)]
    : hearsOf(listener);

const keysOf = (tags: readonly LanguageTag[]): string[] => [...new Set(tags.map(languageKey))];

/** Who has two languages to interpret between; anybody else with that grant is a speaker as all are. */
function asInterpreter(participant: Participant): Interpreter[] {
  const { id, grants, whisperTo, endpoint } = participant;
  const languages = keysOf(speaksOf(participant));
  if (!grants.includes('interpret') || languages.length < 2) return [];
  const speaks =
    endpoint?.producers.some(({ source, paused }) => source === 'microphone' && !paused) ?? false;
  const reaches: Interpreter['reaches'] = (listener) =>
    speaks && (whisperTo === undefined || whisperTo === listener);
  return [{ id, languages, reaches }];
}

function voicesOf(together: readonly Participant[], interpreters: readonly Interpreter[]): Voices {
  const voices = new Map<string, ParticipantId[]>();
  for (const speaker of together) {
    const [spoken] = keysOf(speaksOf(speaker));
    if (spoken === undefined || interpreters.some(({ id }) => id === speaker.id)) continue;
    voices.set(spoken, [...(voices.get(spoken) ?? []), speaker.id]);
  }
  return voices;
}

/** Who took the turn last comes first, then who came first. */
function byTurn({ turns = [] }: Visit, interpreters: readonly Interpreter[]): Interpreter[] {
  const turn = ({ id }: Interpreter) => (turns.includes(id) ? turns.indexOf(id) : turns.length);
  return interpreters.toSorted((one, other) => turn(one) - turn(other));
}

const sharePair = (one: Interpreter, other: Interpreter): boolean =>
  one.languages.filter((language) => other.languages.includes(language)).length > 1;

/** For each listener the chains of those who are not themselves, and whom they hear: nobody is turned down for a voice that is not there. */
function audibleRelays(interpreters: readonly Interpreter[]) {
  const known = new Map<string, Relays>();
  return (listener: ParticipantId): Relays => {
    const audible = interpreters.filter(({ id, reaches }) => id !== listener && reaches(listener));
    const key = audible.map(({ id }) => id).join(' ');
    const relays = known.get(key) ?? relaysOf(audible);
    known.set(key, relays);
    return relays;
  };
}
