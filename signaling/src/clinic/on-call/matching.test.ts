import type { Need, ParticipantId, Role, Skills } from '@bedside/protocol';
import { describe, expect, test } from 'vitest';
import {
  fits,
  includesLanguage,
  isExhausted,
  type OnCallPerson,
  RUNG_LIMIT,
  whomToRing,
} from './matching.ts';

const skills = (more: Partial<Skills> = {}): Skills => ({
  specialties: [],
  languages: [],
  regions: [],
  ...more,
});
const id = (name: string) => name as ParticipantId;

describe('who is on call fits a need', () => {
  const cardiologist = {
    role: 'specialist' as const,
    skills: skills({ specialties: ['cardiology'], languages: ['es-MX', 'ase'], regions: ['ny'] }),
  };

  test.each<[string, Need, boolean]>([
    ['anything', {}, true],
    ['their specialty', { specialty: 'cardiology' }, true],
    ['their specialty, typed by a person', { specialty: 'Cardiology' }, true],
    ['another specialty', { specialty: 'neurology' }, false],
    ['part of a specialty', { specialty: 'cardio' }, false],
    ['their language in general', { language: 'es' }, true],
    ['a signed language', { language: 'ase' }, true],
    ['another language', { language: 'fr' }, false],
    ['their region', { region: 'ny' }, true],
    ['another region', { region: 'ca' }, false],
    ['all at once', { specialty: 'cardiology', language: 'es-MX', region: 'ny' }, true],
    ['all but one', { specialty: 'cardiology', language: 'es-MX', region: 'ca' }, false],
    ['their role', { role: 'specialist' }, true],
    ['another role', { role: 'provider' }, false],
  ])('that asks for %s: %j %s', (_name, need, expected) => {
    expect(fits(need, 'specialist', cardiologist)).toBe(expected);
  });

  test.each<[Role, Need, boolean]>([
    ['interpreter', { language: 'es' }, false],
    ['interpreter', { language: 'es', role: 'specialist' }, true],
  ])('in the role of a %s: %j %s', (role, need, expected) => {
    expect(fits(need, role, cardiologist)).toBe(expected);
  });
});

test.each<[string, string, boolean]>([
  ['es', 'es', true],
  ['es', 'es-MX', true],
  ['ES', 'es-mx', true],
  ['es-MX', 'es', false],
  ['es-MX', 'es-ES', false],
  ['es', 'est', false],
  ['zh-Hant', 'zh-Hant-HK', true],
  ['ase', 'ase', true],
  ['ase', 'bfi', false],
  ['ase', 'sgn-US', true],
  ['en', 'ase', false],
  ['en-1', 'EN-1', true],
])('a need for %s is met by %s: %s', (need, language, expected) => {
  expect(includesLanguage(need, language)).toBe(expected);
});

const person = (name: string, more: Partial<OnCallPerson> = {}): OnCallPerson => ({
  person: id(name),
  role: 'interpreter',
  skills: skills({ languages: ['es'] }),
  since: 1,
  busy: false,
  ...more,
});
const SPANISH: Need = { language: 'es' };
const CLOSE: Need = { language: 'es', region: 'ny' };
const call = (index: number, groups = [CLOSE, SPANISH]) => ({
  groups,
  index,
  role: 'interpreter' as const,
  by: id('provider'),
});
const none = new Set<ParticipantId>();
const near = { skills: skills({ languages: ['es'], regions: ['ny'] }) };

describe('a call rings', () => {
  const names = (index: number, people: OnCallPerson[], declined = none) =>
    whomToRing(call(index), people, declined).map(({ person: name }) => name);

  test('the group that was reached, and those before it', () => {
    const people = [person('ana', near), person('ben')];
    expect(names(0, people)).toEqual(['ana']);
    expect(whomToRing(call(1), people, none)).toEqual([
      { person: 'ben', need: SPANISH },
      { person: 'ana', need: CLOSE },
    ]);
  });

  test('nobody who is busy in any window, has declined, or called', () => {
    const people = [
      person('ana', near),
      person('ana', { ...near, busy: true }),
      person('ben', near),
      person('provider', near),
      person('cleo', near),
    ];
    expect(names(0, people, new Set([id('ben')]))).toEqual(['cleo']);
  });

  test('everybody once, who is on call for longest first', () => {
    const people = [
      person('ana', { ...near, since: 3 }),
      person('ben', { ...near, since: 2 }),
      person('ana', { ...near, since: 1 }),
    ];
    expect(names(0, people)).toEqual(['ana', 'ben']);
  });

  test('who fits by the skills of one window only', () => {
    expect(names(0, [person('ana', { skills: skills() }), person('ana', near)])).toEqual(['ana']);
  });

  test('so many at the most, the present group before those who were rung already', () => {
    const before = Array.from({ length: RUNG_LIMIT }, (_, i) => person(`old-${i}`, near));
    const rung = names(1, [...before, person('new', { since: 2 })]);
    expect(rung).toHaveLength(RUNG_LIMIT);
    expect(rung[0]).toBe('new');
  });
});

describe('nobody of a group is left to ask', () => {
  const rung = (...people: string[]) => people.map((name) => ({ person: id(name), need: {} }));
  const before = (index: number, ...people: string[]) => ({
    index,
    people: new Set(people.map(id)),
  });

  test.each<[string, boolean, Parameters<typeof isExhausted>]>([
    ['when nobody fits', true, [0, [], undefined]],
    ['when all are gone', true, [0, [], before(0, 'ana')]],
    ['when it adds nobody to the one before', true, [1, rung('ana'), before(0, 'ana', 'ben')]],
    ['but not when it adds somebody', false, [1, rung('ana', 'cleo'), before(0, 'ana')]],
    ['but not while it rings', false, [1, rung('ana'), before(1, 'ana')]],
    ['but not where the one before is not known', false, [1, rung('ana'), undefined]],
  ])('%s: %s', (_name, expected, args) => {
    expect(isExhausted(...args)).toBe(expected);
  });
});
