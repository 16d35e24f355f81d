import { HOLD, MAIN_ROOM, type ParticipantId } from '@bedside/protocol';
import * as fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Cluster, type DrillGateway } from './cluster.ts';
import type { Visitor } from './visitor.ts';

let cluster: Cluster;
let gateway: DrillGateway;
let visits = 0;
let visit: string;

beforeAll(async () => {
  cluster = await Cluster.start();
  gateway = await cluster.startGateway('gateway-places');
});

afterAll(async () => {
  await cluster?.stop();
});

beforeEach(() => {
  visit = `places-${++visits}`;
});

const NAMES = ['patient', 'provider', 'interpreter', 'specialist'] as const;
type Name = (typeof NAMES)[number];
const id = (name: string) => name as ParticipantId;

async function enter(name: Name): Promise<Visitor> {
  const visitor = await cluster.visitor(gateway, visit, name, name);
  await visitor.join();
  return visitor;
}

/** Who is sent whose sound by the node now: "listener < speaker". */
async function flowing(senders: ReadonlyMap<string, string>): Promise<string[]> {
  const peers = await cluster.describe(visit);
  const speakerOf = (producerId: string) => senders.get(producerId) ?? 'somebody else';
  return peers
    .flatMap(({ producers, consumers }) => {
      const listener = speakerOf(producers[0]?.producerId ?? '');
      return consumers
        .filter(({ paused }) => !paused)
        .map(({ producerId }) => `${listener} < ${speakerOf(producerId)}`);
    })
    .toSorted();
}

/** Who should be sent whose sound, with everybody in these places. */
function expected(places: Readonly<Record<Name, string>>): string[] {
  return NAMES.flatMap((listener) =>
    NAMES.filter(
      (speaker) =>
        speaker !== listener && places[speaker] === places[listener] && places[speaker] !== HOLD,
    ).map((speaker) => `${listener} < ${speaker}`),
  ).toSorted();
}

const moves = fc.array(
  fc.record({
    who: fc.subarray([...NAMES], { minLength: 1 }),
    to: fc.constantFrom('main', 'hold', 'new room', 'some room'),
  }),
  { minLength: 8, maxLength: 12 },
);

describe('once a move is acknowledged', () => {
  test('the node sends exactly what the places allow, move after move', async () => {
    await fc.assert(
      fc.asyncProperty(moves, async (steps) => {
        visit = `places-${++visits}`;
        const visitors = new Map<Name, Visitor>();
        const senders = new Map<string, string>();
        for (const name of NAMES) {
          const visitor = await enter(name);
          visitors.set(name, visitor);
          const { producerId } = await visitor.talk();
          senders.set(producerId, name);
        }
        // Everybody has set up everybody: from here on only the plan changes.
        for (const [name, visitor] of visitors)
          for (const [producerId, speaker] of senders)
            if (speaker !== name) await visitor.receives(producerId as never);
        const places: Record<Name, string> = {
          patient: MAIN_ROOM,
          provider: MAIN_ROOM,
          interpreter: MAIN_ROOM,
          specialist: MAIN_ROOM,
        };
        for (const { who, to } of steps) {
          const room = Object.values(places).find((place) => place.startsWith('room.'));
          const target =
            to === 'new room' || (to === 'some room' && room === undefined)
              ? ({ type: 'room' } as const)
              : to === 'some room'
                ? ({ type: 'room', room: room ?? '' } as const)
                : to === 'hold'
                  ? ({ type: 'hold', audio: 'none' } as const)
                  : ({ type: 'main' } as const);
          const answer = await visitors
            .get('provider')
            ?.command('move', { participantIds: who.map(id), to: target });
          for (const name of who) places[name] = answer?.place ?? '';
          expect(await flowing(senders)).toEqual(expected(places));
        }
        // Not one consumer was closed or opened for it.
        for (const visitor of visitors.values())
          expect(visitor.heard('consumers')).toBeLessThanOrEqual(NAMES.length - 1);
        for (const visitor of visitors.values()) {
          await visitor.command('leave', {});
          visitor.close();
        }
      }),
      { numRuns: 4 },
    );
  });
});

describe('who waits', () => {
  test('is sent nothing and is not heard, until they are admitted', async () => {
    await cluster.create(gateway, { visit: visit as never, kind: 'visit', admission: 'on-admit' });
    const provider = await enter('provider');
    const fromProvider = await provider.talk();
    const patient = await enter('patient');
    const fromPatient = await patient.talk();
    expect(patient.joined.consumers).toEqual([]);
    expect(patient.joined.visit.participants.map(({ state }) => state)).toEqual(['waiting']);
    const senders = new Map<string, string>([
      [fromProvider.producerId, 'provider'],
      [fromPatient.producerId, 'patient'],
    ]);
    expect(await flowing(senders)).toEqual([]);
    await provider.command('admit', { participantIds: [id('patient')] });
    await patient.receives(fromProvider.producerId);
    await provider.receives(fromPatient.producerId);
    await provider.command('remove', { participantId: id('patient') });
    await patient.hear('closing', ({ reason }) => reason === 'removed');
    expect(await flowing(senders)).toEqual([]);
    provider.close();
    patient.close();
  });
});

describe('the portal', () => {
  test('shares the wait, and reads afterwards who was on hold and in private with whom', async () => {
    await cluster.create(gateway, { visit: visit as never, kind: 'visit', admission: 'on-admit' });
    const provider = await enter('provider');
    const patient = await enter('patient');
    await cluster.rest(gateway, 'PUT', `/v1/visits/${visit}/wait`, { ahead: 2 });
    await patient.hear('changed', ({ changes }) =>
      changes.some((change) => change.type === 'visit' && change.wait?.ahead === 2),
    );
    await provider.command('admit', {});
    const specialist = await cluster.visitor(gateway, visit, 'specialist', 'provider');
    await specialist.join();
    await provider.command('move', {
      participantIds: [id('patient')],
      to: { type: 'hold', audio: 'music', notice: 'One moment' },
    });
    await provider.command('move', {
      participantIds: [id('provider'), id('specialist')],
      to: { type: 'room' },
    });
    await provider.command('end', {});
    const { events } = (await cluster.rest(gateway, 'GET', `/v1/visits/${visit}/events`)) as {
      events: { type: string; participant?: string; participants?: string[]; by?: string }[];
    };
    const told = events
      .filter(({ type }) => /^(hold|privacy)-/.test(type))
      .map(({ type, participant, participants }) => [
        type,
        participant ?? participants?.toSorted(),
      ]);
    expect(told.toSorted()).toEqual([
      ['hold-ended', 'patient'],
      ['hold-started', 'patient'],
      ['privacy-ended', ['provider', 'specialist']],
      ['privacy-started', ['provider', 'specialist']],
    ]);
    expect(JSON.stringify(events)).not.toContain('One moment');
    const read = (await cluster.rest(gateway, 'GET', `/v1/visits/${visit}`)) as {
      state: string;
      participants: { participant: string; admittedAt?: string; leftAt?: string }[];
    };
    expect(read.state).toBe('ended');
    for (const { admittedAt, leftAt } of read.participants)
      expect(Date.parse(leftAt ?? '')).toBeGreaterThanOrEqual(Date.parse(admittedAt ?? ''));
    for (const visitor of [provider, patient, specialist]) visitor.close();
  });
});
