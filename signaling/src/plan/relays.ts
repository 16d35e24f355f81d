import type { ParticipantId } from '@bedside/protocol';

/** Somebody who interprets between all of their languages; `languages` are keys, as of `languageKey`. */
export interface Interpreter {
  id: ParticipantId;
  /** Whether what they say reaches this listener now. */
  reaches: (listener: ParticipantId) => boolean;
  languages: readonly string[];
}

/** Interpreters one after the other; the last one speaks the language that is asked for. */
export type Chain = readonly ParticipantId[];

/** The shortest chains from a language into every other that can be reached. */
export type Relays = (from: string) => ReadonlyMap<string, Chain>;

/** @param interpreters Who comes first is preferred. */
export function relaysOf(interpreters: readonly Interpreter[]): Relays {
  const known = new Map<string, ReadonlyMap<string, Chain>>();
  return (from) => {
    const chains = known.get(from) ?? chainsFrom(from, interpreters);
    known.set(from, chains);
    return chains;
  };
}

function chainsFrom(from: string, interpreters: readonly Interpreter[]): Map<string, Chain> {
  const chains = new Map<string, Chain>([[from, []]]);
  const unused = new Set(interpreters);
  // A map is walked in the order in which it grows: the shorter chains first.
  for (const [language, chain] of chains)
    for (const interpreter of unused) {
      if (!interpreter.languages.includes(language)) continue;
      unused.delete(interpreter);
      for (const into of interpreter.languages)
        if (!chains.has(into)) chains.set(into, [...chain, interpreter.id]);
    }
  return chains;
}
