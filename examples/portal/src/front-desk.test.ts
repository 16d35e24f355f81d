import type { ParticipantId, VisitId } from '@bedside/protocol';
import { expect, test } from 'vitest';
import { type Colleague, FrontDesk } from './front-desk.ts';

const HOUR = 60 * 60_000;
const colleague = (person: string, role: Colleague['role']): Colleague => ({
  person: person as ParticipantId,
  role,
  name: `Dr. ${person}`,
});

test('who is on duty is so until their token expires, or they sign off', () => {
  let now = 0;
  const desk = new FrontDesk(() => now);
  const [a, b, c] = [
    colleague('a', 'provider'),
    colleague('b', 'provider'),
    colleague('c', 'interpreter'),
  ];
  for (const each of [a, b, c]) desk.signOn(each, 100);
  expect(desk.onDuty('provider')).toEqual([a, b]);
  desk.signOff(a.person);
  expect(desk.onDuty('provider')).toEqual([b]);
  now = 100;
  expect(desk.onDuty('provider')).toEqual([]);
});

test('a name is known for longer than somebody is on duty, and no longer than a day', () => {
  let now = 0;
  const desk = new FrontDesk(() => now);
  desk.signOn(colleague('a', 'provider'), 100);
  now = 23 * HOUR;
  expect(desk.nameOf('a' as ParticipantId)).toBe('Dr. a');
  now = 24 * HOUR;
  expect(desk.nameOf('a' as ParticipantId)).toBeUndefined();
});

test('an appointment is forgotten after a day', () => {
  let now = 0;
  const desk = new FrontDesk(() => now);
  desk.checkIn({ visit: 'v1' as VisitId, name: 'Ana', interpreter: true });
  now = 24 * HOUR - 1;
  expect(desk.appointment('v1' as VisitId)?.name).toBe('Ana');
  now += 1;
  expect(desk.appointment('v1' as VisitId)).toBeUndefined();
});
