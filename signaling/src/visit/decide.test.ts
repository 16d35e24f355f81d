import type { ParticipantId, PeerId, ProducerId, RequestId } from '@bedside/protocol';
import { LIMITS } from '@bedside/protocol';
import { describe, expect, test } from 'vitest';
import { emptyVisit, NODE, personOf } from './arbitrary.ts';
import { type Command, decide } from './decide.ts';
import { DEPARTED_LIMIT, findPresent, type Person, present, type Visit } from './state.ts';
import { changesFor } from './view.ts';

const patient = personOf('patient-1', 'patient');
const provider = personOf('provider-1', 'provider');
const joining = (person: typeof patient, request = 'join-1'): Command => ({
  type: 'join',
  now: 2_000,
  person,
  session: `session-of-${person.id}`,
  request: request as RequestId,
  peer: `peer-of-${request}-${person.id}` as PeerId,
  media: NODE,
});
const producing = (
  participant: ParticipantId,
  source: 'camera' | 'microphone' | 'screen',
  request: string,
): Command => ({
  type: 'produce',
  now: 3_000,
  participant,
  request: request as RequestId,
  producer: `producer-of-${request}` as ProducerId,
  source,
  paused: false,
});

function after(...commands: Command[]): Visit {
  return commands.reduce<Visit>((visit, command) => {
    const decision = decide(visit, command);
    if (!decision.ok) throw new Error(decision.code);
    return decision.visit;
  }, emptyVisit());
}

describe('joining', () => {
  test('the first admitted participant makes an open visit active and places its media', () => {
    const decision = decide(emptyVisit(), joining(patient));
    expect(decision).toMatchObject({
      ok: true,
      visit: { state: 'active', startedAt: 2_000, media: NODE, seq: 1 },
      effects: [{ type: 'open-peer' }],
    });
    expect(decision.ok && decision.events.map(({ type }) => type)).toEqual([
      'media-placed',
      'visit-started',
      'participant-admitted',
    ]);
  });

  test('a second join opens a new peer and closes the old one', () => {
    const visit = after(joining(patient, 'join-1'));
    expect(decide(visit, joining(patient, 'join-2'))).toMatchObject({
      ok: true,
      effects: [
        { type: 'open-peer', peer: 'peer-of-join-2-patient-1' },
        { type: 'close-peer', peer: 'peer-of-join-1-patient-1' },
      ],
    });
  });

  test('a full visit refuses one more, and takes who is in it already', () => {
    const all = Array.from({ length: LIMITS.participantsPerVisit }, (_, n) =>
      personOf(`p${n}`, 'patient'),
    );
    const full = after(...all.map((person) => joining(person)));
    expect(decide(full, joining(patient))).toEqual({ ok: false, code: 'limit-reached' });
    expect(decide(full, joining(personOf('p0', 'patient'), 'join-2')).ok).toBe(true);
  });

  test('the list of those who left is bounded, the oldest fall out', () => {
    const many = Array.from({ length: DEPARTED_LIMIT + 10 }, (_, n) =>
      personOf(`p${n}`, 'patient'),
    );
    const visit = after(
      ...many.flatMap((person): Command[] => [
        joining(person),
        { type: 'leave', now: 4_000, participant: person.id },
      ]),
    );
    expect(visit.participants).toHaveLength(DEPARTED_LIMIT);
    expect(visit.participants.at(-1)?.id).toBe(many.at(-1)?.id);
  });
});

describe('sessions', () => {
  const joined = after(joining(patient), joining(provider));
  const session = 'session-of-patient-1';

  test('a page that comes back within its grace time keeps its media', () => {
    const visit = after(
      joining(patient),
      { type: 'disconnect', now: 3_000, participant: patient.id, session },
      { type: 'connect', now: 3_500, person: patient, session },
    );
    expect(findPresent(visit, patient.id)).toMatchObject({
      connection: 'connected',
      endpoint: { peer: 'peer-of-join-1-patient-1' },
    });
  });

  test('another page of the same participant closes the older page\u2019s peer', () => {
    const decision = decide(joined, {
      type: 'connect',
      now: 3_000,
      person: patient,
      session: 'other',
    });
    expect(decision).toMatchObject({
      ok: true,
      effects: [{ type: 'close-peer', peer: 'peer-of-join-1-patient-1' }],
    });
    expect(decision.ok && findPresent(decision.visit, patient.id)).toMatchObject({
      session: 'other',
    });
    expect(decision.ok && findPresent(decision.visit, patient.id)?.endpoint).toBeUndefined();
  });

  test('a socket of a replaced session does not disconnect the newer one', () => {
    const gone: Command = {
      type: 'disconnect',
      now: 3_000,
      participant: patient.id,
      session: 'old',
    };
    expect(decide(joined, gone)).toMatchObject({ ok: true, visit: joined });
  });

  test('grace time that ends after the page came back removes nobody', () => {
    const expire: Command = { type: 'expire', now: 9_000, participant: patient.id, session };
    expect(decide(joined, expire)).toMatchObject({ ok: true, visit: joined });
  });

  test('who does not come back has left with connection-lost', () => {
    const visit = after(
      joining(patient),
      joining(provider),
      { type: 'disconnect', now: 3_000, participant: patient.id, session },
      { type: 'expire', now: 9_000, participant: patient.id, session },
    );
    expect(visit.participants.find(({ id }) => id === patient.id)).toMatchObject({
      state: 'left',
      leftReason: 'connection-lost',
    });
  });
});

describe('producing', () => {
  test('needs a join, the grant of the source, and a source that is free', () => {
    const observer = personOf('observer-1', 'observer');
    const visit = after(joining(patient), joining(observer), producing(patient.id, 'camera', 'r1'));
    expect(decide(visit, producing(provider.id, 'camera', 'r2'))).toMatchObject({
      code: 'not-joined',
    });
    expect(decide(visit, producing(observer.id, 'camera', 'r2'))).toMatchObject({
      code: 'forbidden',
    });
    expect(decide(visit, producing(patient.id, 'camera', 'r2'))).toMatchObject({
      code: 'conflict',
    });
    expect(decide(visit, producing(patient.id, 'microphone', 'r2')).ok).toBe(true);
  });

  test('nobody pauses or closes a producer of somebody else', () => {
    const visit = after(joining(patient), joining(provider), producing(patient.id, 'camera', 'r1'));
    const producer = 'producer-of-r1' as ProducerId;
    for (const command of [
      { type: 'close-producer', now: 4_000, participant: provider.id, producer },
      { type: 'pause-producer', now: 4_000, participant: provider.id, producer, paused: true },
    ] as const) {
      expect(decide(visit, command)).toEqual({ ok: false, code: 'not-found' });
    }
  });
});

describe('a token', () => {
  const session = 'session-of-patient-1';
  const sending = after(
    joining(patient),
    joining(provider),
    producing(patient.id, 'camera', 'r1'),
    producing(patient.id, 'microphone', 'r2'),
  );
  const soundOnly: Person = personOf(patient.id, 'patient', ['publish-audio']);
  const gone: Command = { type: 'disconnect', now: 3_000, participant: patient.id, session };
  const comesBack: Command = { type: 'connect', now: 5_000, person: soundOnly, session };
  const away = decide(sending, gone);
  if (!away.ok) throw new Error(away.code);

  test.each<[string, Visit, Command]>([
    ['that is renewed', sending, { type: 'identify', now: 5_000, person: soundOnly }],
    ['with which the page comes back', away.visit, comesBack],
    ['with which it comes back before its old socket is noticed', sending, comesBack],
  ])('%s withdraws what it does not grant, and closes what was sent by it', (_, visit, command) => {
    const decision = decide(visit, command);
    expect(decision).toMatchObject({
      ok: true,
      effects: [{ type: 'close-producer', producer: 'producer-of-r1' }],
    });
    if (!decision.ok) return;
    expect(decision.events).toContainEqual({
      type: 'producer-closed',
      at: 5_000,
      participant: patient.id,
      source: 'camera',
    });
    expect(findPresent(decision.visit, patient.id)).toMatchObject({
      grants: ['publish-audio'],
      connection: 'connected',
      endpoint: { producers: [{ source: 'microphone' }] },
    });
    expect(changesFor(visit, decision.visit, provider.id)).toMatchObject([
      { participant: { participantId: patient.id, producers: [{ source: 'microphone' }] } },
    ]);
    expect(decide(decision.visit, producing(patient.id, 'camera', 'r3'))).toEqual({
      ok: false,
      code: 'forbidden',
    });
  });

  test('of another role does not resume the session: its media is closed', () => {
    const person = personOf(patient.id, 'provider');
    const decision = decide(sending, { type: 'connect', now: 5_000, person, session });
    expect(decision).toMatchObject({
      ok: true,
      events: [{ type: 'participant-replaced', role: 'provider' }],
      effects: [{ type: 'close-peer' }],
    });
    expect(decision.ok && findPresent(decision.visit, patient.id)?.endpoint).toBeUndefined();
  });

  test('that was never renewed in the visit counts for nothing there', () => {
    const command: Command = { type: 'end', now: 5_000, by: patient.id };
    expect(decide(sending, command)).toEqual({ ok: false, code: 'forbidden' });
    const person = { ...provider, grants: [] };
    const without = decide(sending, { type: 'identify', now: 5_000, person });
    if (!without.ok) throw new Error(without.code);
    expect(decide(without.visit, { type: 'end', now: 6_000, by: provider.id })).toEqual({
      ok: false,
      code: 'forbidden',
    });
  });
});

describe('ending', () => {
  test('is for who takes part', () => {
    const visit = after(joining(patient));
    expect(decide(visit, { type: 'end', now: 5_000, by: provider.id })).toEqual({
      ok: false,
      code: 'not-joined',
    });
  });

  test('needs the grant, makes everybody leave and closes the media', () => {
    const visit = after(joining(patient), joining(provider));
    expect(decide(visit, { type: 'end', now: 5_000, by: patient.id })).toEqual({
      ok: false,
      code: 'forbidden',
    });
    const ended = decide(visit, { type: 'end', now: 5_000, by: provider.id });
    expect(ended).toMatchObject({
      ok: true,
      visit: { state: 'ended' },
      effects: [{ type: 'close-visit' }],
    });
    expect(ended.ok && present(ended.visit)).toEqual([]);
  });

  test('an ended visit can be neither connected to nor joined', () => {
    const ended = after(joining(provider), { type: 'end', now: 5_000 });
    expect(decide(ended, joining(patient))).toEqual({ ok: false, code: 'visit-ended' });
    const connect: Command = { type: 'connect', now: 6_000, person: patient, session: 's' };
    expect(decide(ended, connect)).toEqual({ ok: false, code: 'visit-ended' });
  });

  test('the media goes with the last participant, the visit stays open', () => {
    const visit = after(joining(patient), joining(provider), {
      type: 'leave',
      now: 4_000,
      participant: patient.id,
    });
    const last = decide(visit, { type: 'leave', now: 5_000, participant: provider.id });
    expect(last).toMatchObject({
      ok: true,
      visit: { state: 'active' },
      effects: [{ type: 'close-visit' }],
    });
    expect(last.ok && last.visit.media).toBeUndefined();
  });
});
