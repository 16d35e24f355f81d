import { type LanguageTag, languageKey, type ParticipantId, sameLanguage } from '@bedside/protocol';
import * as fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { emptyVisit, onHistories } from '../visit/arbitrary.ts';
import { grantsOf } from '../visit/grants.ts';
import { hearsOf, type Participant, speaksOf, type Visit } from '../visit/state.ts';
import { plan } from './plan.ts';

// Many histories, also where the machine has other things to do.
vi.setConfig({ testTimeout: 60_000 });

/** Speaks, and where it differs hears, what is written: 'en', 'en es'. */
interface Person {
  speaks: string;
  hears?: string;
  interprets?: boolean;
  whisperTo?: string;
  muted?: boolean;
  duckDb?: number;
}

const tags = (text: string): LanguageTag[] => text.split(' ').filter((tag) => tag !== '');

function participant(id: string, person: Person): Participant {
  const { speaks, hears, interprets, whisperTo, muted = false, duckDb } = person;
  const role = interprets ? 'interpreter' : 'patient';
  return {
    id: id as ParticipantId,
    role,
    grants: [...grantsOf(role, undefined), 'whisper'],
    state: 'admitted',
    connection: 'connected',
    place: 'main',
    speaks: tags(speaks),
    ...(hears === undefined ? {} : { hears: tags(hears) }),
    ...(whisperTo === undefined ? {} : { whisperTo: whisperTo as ParticipantId }),
    ...(duckDb === undefined ? {} : { duckDb }),
    tokens: [],
    session: id,
    joinedAt: 1_000,
    admittedAt: 1_000,
    endpoint: {
      peer: `peer-${id}` as never,
      request: `join-${id}` as never,
      producers: [
        {
          id: `voice-${id}` as never,
          kind: 'audio',
          source: 'microphone',
          paused: muted,
          request: `produce-${id}` as never,
        },
      ],
    },
  };
}

const visitOf = (people: Record<string, Person>, rest: Partial<Visit> = {}): Visit => ({
  ...emptyVisit(),
  state: 'active',
  participants: Object.entries(people).map(([id, person]) => participant(id, person)),
  ...rest,
});

/** Who hears whom how loud, in dB; silence is -Infinity. */
function heard(visit: Visit, listener: string): Record<string, number> {
  const flows = plan(visit).get(listener as ParticipantId) ?? [];
  return Object.fromEntries(
    flows
      .filter(({ source, flow }) => source === 'microphone' && !flow.paused)
      .map(({ from, gain }) => [from, Math.round(20 * Math.log10(gain))]),
  );
}
const OFF = Number.NEGATIVE_INFINITY;

describe('one interpreter', () => {
  const people = {
    provider: { speaks: 'en' },
    patient: { speaks: 'es-MX' },
    interpreter: { speaks: 'en es', interprets: true },
    nurse: { speaks: 'en es' },
  };

  test('is heard at full level over the original, which is turned down by 15 dB, by who does not follow it', () => {
    expect(heard(visitOf(people), 'patient')).toEqual({
      provider: -15,
      interpreter: 0,
      nurse: -15,
    });
    expect(heard(visitOf(people), 'provider')).toEqual({ patient: -15, interpreter: 0, nurse: 0 });
  });

  test('is not heard by who follows the original, and hears all of it', () => {
    expect(heard(visitOf(people), 'nurse')).toEqual({ provider: 0, patient: 0, interpreter: OFF });
    expect(heard(visitOf(people), 'interpreter')).toEqual({ provider: 0, patient: 0, nurse: 0 });
  });

  test.each([
    [-30, -30],
    [0, 0],
  ])('turns the original down as the listener wants it: %d dB', (duckDb, level) => {
    const visit = visitOf({ ...people, patient: { speaks: 'es', duckDb } });
    expect(heard(visit, 'patient')).toMatchObject({ provider: level, interpreter: 0 });
  });

  test('turns down nobody in consecutive mode', () => {
    const visit = visitOf(people, { interpreting: 'consecutive' });
    for (const id of Object.keys(people))
      expect(new Set(Object.values(heard(visit, id)))).toEqual(new Set([0]));
  });

  test('of other languages is one like all', () => {
    const visit = visitOf({ ...people, interpreter: { speaks: 'fr de', interprets: true } });
    expect(heard(visit, 'patient')).toEqual({ provider: 0, nurse: 0, interpreter: 0 });
  });

  test('who whispers to one is nothing to the others: they hear the original as it is', () => {
    const visit = visitOf({
      ...people,
      interpreter: { speaks: 'en es', interprets: true, whisperTo: 'patient' },
    });
    expect(heard(visit, 'patient')).toEqual({ provider: -15, interpreter: 0, nurse: -15 });
    expect(heard(visit, 'provider')).toEqual({ patient: 0, nurse: 0 });
  });

  test('who is muted turns nobody down', () => {
    const visit = visitOf({
      ...people,
      interpreter: { speaks: 'en es', interprets: true, muted: true },
    });
    expect(heard(visit, 'patient')).toMatchObject({ provider: 0, nurse: 0 });
  });

  test('whose languages are not known is heard by all', () => {
    const visit = visitOf({ ...people, second: { speaks: '', interprets: true } });
    for (const id of Object.keys(people)) expect(heard(visit, id)).toMatchObject({ second: 0 });
  });

  test('is heard by who has not said what they follow, beside the original', () => {
    const visit = visitOf({ ...people, guest: { speaks: '' } });
    expect(heard(visit, 'guest')).toEqual({ provider: 0, patient: 0, interpreter: 0, nurse: 0 });
  });
});

describe('a relay', () => {
  const people = {
    deaf: { speaks: 'ase' },
    provider: { speaks: 'en' },
    patient: { speaks: 'so' },
    signing: { speaks: 'ase en', interprets: true },
    somali: { speaks: 'en so', interprets: true },
  };

  test('goes through two interpreters where none has the pair: the last is heard, all before are turned down', () => {
    expect(heard(visitOf(people), 'patient')).toEqual({
      deaf: -15,
      provider: -15,
      signing: -15,
      somali: 0,
    });
  });

  test('lets the second interpreter hear the first, and the floor', () => {
    expect(heard(visitOf(people), 'somali')).toEqual({
      deaf: -15,
      provider: 0,
      patient: 0,
      signing: 0,
    });
  });

  test('is not used by who has a direct interpreter, or none at all', () => {
    const visit = visitOf({ ...people, direct: { speaks: 'ase so', interprets: true } });
    expect(heard(visit, 'patient')).toMatchObject({ deaf: -15, direct: 0, signing: OFF });
    const alone = visitOf({ ...people, signing: { speaks: 'fr en', interprets: true } });
    expect(heard(alone, 'patient')).toMatchObject({ deaf: 0, provider: -15, somali: 0 });
  });
});

describe('two interpreters of one pair', () => {
  const people = {
    provider: { speaks: 'en' },
    patient: { speaks: 'es' },
    first: { speaks: 'en es', interprets: true },
    second: { speaks: 'es en', interprets: true },
  };

  test('take turns: only the one whose turn it is is heard', () => {
    expect(heard(visitOf(people), 'patient')).toEqual({ provider: -15, first: 0, second: OFF });
    const turns = ['second' as ParticipantId];
    expect(heard(visitOf(people, { turns }), 'patient')).toEqual({
      provider: -15,
      first: OFF,
      second: 0,
    });
    expect(heard(visitOf(people, { turns }), 'provider')).toEqual({
      patient: -15,
      first: OFF,
      second: 0,
    });
  });

  test('are both heard while nobody needs one', () => {
    const visit = visitOf({ ...people, patient: { speaks: 'en' } });
    expect(heard(visit, 'patient')).toEqual({ provider: 0, first: 0, second: 0 });
  });

  test('stand in for each other while one is muted', () => {
    const visit = visitOf({ ...people, first: { speaks: 'en es', interprets: true, muted: true } });
    expect(heard(visit, 'patient')).toMatchObject({ provider: -15, second: 0 });
  });

  test('serve both sides while one of them whispers', () => {
    const whispering = { speaks: 'en es', interprets: true, whisperTo: 'patient' };
    const visit = visitOf({ ...people, first: whispering });
    expect(heard(visit, 'patient')).toMatchObject({ provider: -15, first: 0 });
    expect(heard(visit, 'provider')).toEqual({ patient: -15, second: 0 });
  });
});

/** Languages of which one is known to both. */
const share = (some: readonly LanguageTag[], others: readonly LanguageTag[]) =>
  some.some((one) => others.some((other) => sameLanguage(one, other)));

const sharePair = (one: Participant, other: Participant) =>
  one !== other &&
  new Set(
    speaksOf(one)
      .filter((tag) => share([tag], speaksOf(other)))
      .map(languageKey),
  ).size > 1;

const isSpeaking = (each: Participant) =>
  each.endpoint?.producers.some(({ source, paused }) => source === 'microphone' && !paused);

const isInterpreter = (each: Participant) =>
  each.grants.includes('interpret') &&
  speaksOf(each).some((one) => speaksOf(each).some((other) => !sameLanguage(one, other)));

const followsOf = (each: Participant) =>
  each.grants.includes('interpret') ? [...hearsOf(each), ...speaksOf(each)] : hearsOf(each);

/** Every shortest chain from a language to a listener, by trying all. */
function shortestChains(
  from: LanguageTag,
  listener: Participant,
  interpreters: readonly Participant[],
): Participant[][] {
  let chains: Participant[][] = [[]];
  for (let length = 1; length <= interpreters.length; length++) {
    chains = chains.flatMap((chain) => {
      const known = chain.at(-1);
      return interpreters
        .filter((next) => !chain.includes(next))
        .filter((next) => share(known ? speaksOf(known) : [from], speaksOf(next)))
        .map((next) => [...chain, next]);
    });
    const arrived = chains.filter((chain) =>
      share(speaksOf(chain.at(-1) ?? listener), followsOf(listener)),
    );
    if (arrived.length > 0) return arrived;
  }
  return [];
}

function checkLanguages(visit: Visit): void {
  const flows = plan(visit);
  for (const listener of visit.participants) {
    const voices = (flows.get(listener.id) ?? []).filter(
      ({ source, flow }) => source === 'microphone' && !flow.paused,
    );
    const level = new Map(voices.map(({ from, gain }) => [from, gain]));
    const place = visit.participants.filter(
      ({ state, place: where, endpoint }) =>
        state === 'admitted' && where === listener.place && endpoint,
    );
    const ducked = 10 ** ((listener.duckDb ?? -15) / 20);
    if (visit.interpreting === 'consecutive') {
      expect(voices.filter(({ gain }) => gain !== 1)).toEqual([]);
      continue;
    }
    const interpreters = place.filter(
      (each) =>
        each !== listener &&
        isInterpreter(each) &&
        isSpeaking(each) &&
        (each.whisperTo === undefined || each.whisperTo === listener.id),
    );
    const follows = followsOf(listener);
    for (const speaker of place) {
      const gain = level.get(speaker.id);
      if (gain === undefined || isInterpreter(speaker)) continue;
      const [spoken] = speaksOf(speaker);
      const chains =
        spoken === undefined || follows.length === 0 || share([spoken], follows)
          ? []
          : shortestChains(spoken, listener, interpreters);
      // The original alone where it is followed, or nobody interprets it.
      expect(gain).toBeCloseTo(chains.length > 0 ? ducked : 1);
      if (spoken === undefined || chains.length === 0) continue;
      // At full level the last interpreter of one of the shortest chains, and of one alone.
      const last = new Set(chains.flatMap((chain) => chain.at(-1) ?? []));
      const audible = [...last].filter(({ id }) => level.get(id) === 1);
      // With the same pair of languages, or else they may be there for something else.
      const rivals = audible.filter((each) => audible.some((other) => sharePair(each, other)));
      const others = place.filter(
        (other) =>
          other !== listener &&
          other !== speaker &&
          !isInterpreter(other) &&
          !share(speaksOf(other).slice(0, 1), [spoken]),
      );
      expect(audible.length).toBeGreaterThan(0);
      // Another of them may be heard as the one through whom somebody else is, or who works for nobody
      // while one with another pair does.
      if (others.length === 0 && rivals.length === audible.length) expect(rivals).toEqual([]);
    }
  }
}

test('on any history who does not follow a speaker hears the last interpreter of a shortest chain over the original', () => {
  onHistories((moments) => {
    for (const { before, after } of moments)
      if (before.participants !== after.participants) checkLanguages(after);
  });
});

test('in any company who does not follow a speaker hears the last interpreter of a shortest chain over the original', () => {
  const spoken = fc.subarray(['en', 'es', 'ase', 'so', 'fr'], { minLength: 1, maxLength: 3 });
  const person = fc.record(
    {
      speaks: spoken.map((some) => some.join(' ')),
      hears: spoken.map((some) => some.join(' ')),
      interprets: fc.boolean(),
      whisperTo: fc.constantFrom('person-0', 'person-1'),
    },
    { requiredKeys: ['speaks', 'interprets'] },
  );
  fc.assert(
    fc.property(
      fc.array(person, { minLength: 2, maxLength: 7 }),
      fc.shuffledSubarray([0, 1, 2, 3, 4, 5, 6]),
      (company, turns) => {
        const people = Object.fromEntries(company.map((each, at) => [`person-${at}`, each]));
        const ids = turns.map((at) => `person-${at}` as ParticipantId);
        checkLanguages(visitOf(people, { turns: ids }));
      },
    ),
    { numRuns: 400 },
  );
});
