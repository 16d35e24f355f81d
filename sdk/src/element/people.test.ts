import type { ParticipantId, Role } from '@bedside/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { en } from '../texts/en.ts';
import type { Participant, VisitApi } from '../types.ts';
import { fitFor, handsRaised, initials, isSending, nameOf, shown, waiting } from './people.ts';
import { fakeParticipant, publicationOf } from './testing/fake-visit.ts';

const person = (id: string, role: Role, more: Partial<Participant> = {}): Participant => ({
  ...fakeParticipant({ id, role, camera: false }),
  tracks: new Map(),
  ...more,
});
const roles = Object.keys(en.roles) as Role[];

describe('shown()', () => {
  it('begins with the provider, ends with who only watches', () => {
    const everybody = shown(roles.map((role) => person(role, role)));
    expect(everybody.map(({ role }) => role)).toEqual([
      'provider',
      'patient',
      'interpreter',
      'specialist',
      'caregiver',
      'moderator',
      'device',
      'observer',
    ]);
  });

  it('leaves out oneself, and who is elsewhere: waiting, on hold or in a private room', () => {
    const out = [
      person('a', 'provider', { isLocal: true }),
      person('b', 'patient', { isHere: false }),
    ];
    expect(shown([...out, person('d', 'patient')]).map(({ id }) => id)).toEqual(['d']);
  });

  it('keeps the order of arrival among equal roles', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...roles)), (arrivals) => {
        const people = arrivals.map((role, index) => person(String(index), role));
        const order = shown(people);
        expect(order).toHaveLength(people.length);
        for (const role of roles) {
          const ids = order.filter((one) => one.role === role).map(({ id }) => Number(id));
          expect(ids).toEqual(ids.toSorted((a, b) => a - b));
        }
      }),
    );
  });
});

describe('nameOf()', () => {
  it('is the name, else the role in the language of the page', () => {
    expect(nameOf(person('a', 'patient', { name: ' Ana López ' }), en)).toBe('Ana López');
    expect(nameOf(person('a', 'patient', { name: '  ' }), en)).toBe('Patient');
    expect(nameOf(person('a', 'provider'), en)).toBe('Provider');
  });
});

describe('initials()', () => {
  it.each([
    ['Ana López', 'AL'],
    ['Dr. Elena Marsh', 'EM'],
    ['Prof. Amara Okafor-Lindqvist', 'AL'],
    ['María de la Cruz', 'MC'],
    ['cher', 'C'],
    ['Ψ', 'Ψ'],
    ['李 小龍', '李小'],
    ['محمد علي', 'مع'],
    ['Dr.', ''],
    ['42', ''],
    ['', ''],
  ])('of %o are %o', (name, letters) => expect(initials(name)).toBe(letters));

  it('are two letters at most, whatever the name', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (name) => {
        // A capital may be longer than its letter: ß becomes SS.
        expect([...initials(name.replace(/[^\p{Lu}\s]/gu, ''))].length).toBeLessThanOrEqual(2);
      }),
    );
  });
});

describe('waiting() and handsRaised()', () => {
  const participants = new Map<ParticipantId, Participant>();
  const visit = { participants } as unknown as VisitApi;
  for (const one of [
    person('late', 'patient', { state: 'waiting', waitingSince: 20 }),
    person('second', 'patient', { handRaisedAt: 9 }),
    person('early', 'caregiver', { state: 'waiting', waitingSince: 10 }),
    person('first', 'provider', { handRaisedAt: 8 }),
  ])
    participants.set(one.id, one);

  it('name those who do, who came first first', () => {
    expect(waiting(visit).map(({ id }) => id)).toEqual(['early', 'late']);
    expect(handsRaised(visit).map(({ id }) => id)).toEqual(['first', 'second']);
  });
});

describe('fitFor()', () => {
  it.each([
    ['interpreter', [], false, 'whole'],
    ['patient', ['ase'], false, 'whole'],
    ['patient', [], true, 'whole'],
    ['provider', ['es-MX', 'BFI'], false, 'whole'],
    ['provider', ['es-MX'], false, 'fill'],
    ['patient', [], false, 'fill'],
  ] as const)('a %s who speaks %j, signs %j: %s', (role, speaks, signs, fit) =>
    expect(fitFor(person('a', role, { speaks, signs }))).toBe(fit),
  );
});

describe('isSending()', () => {
  it('is true for what is published and not muted', () => {
    const one = person('a', 'patient', {
      tracks: new Map([
        ['camera', publicationOf('camera', undefined)],
        ['microphone', publicationOf('microphone', undefined, true)],
      ]),
    });
    expect(isSending(one, 'camera')).toBe(true);
    expect(isSending(one, 'microphone')).toBe(false);
    expect(isSending(one, 'screen')).toBe(false);
  });
});
