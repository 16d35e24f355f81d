import type { ParticipantId, VisitId } from '@bedside/protocol';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Cluster, type DrillGateway } from './cluster.ts';
import type { QueueWatcher } from './queue-watcher.ts';
import type { Visitor } from './visitor.ts';

/** Shorter than a clinic would have it, so that it can be waited for. */
const LIFE = { BEDSIDE_QUEUE_ENTRY_LIFE_MS: '3000' };
const PATIENT = 'patient' as ParticipantId;

let cluster: Cluster;
let gateways = 0;
let one: DrillGateway;
let other: DrillGateway;
let visits = 0;
/** New for each test: a clinic and a visit of it. */
let clinic: string;
let visit: string;

const start = (more: Readonly<Record<string, string>> = LIFE) =>
  cluster.startGateway(`gateway-queue-${++gateways}`, undefined, more);

beforeAll(async () => {
  cluster = await Cluster.start();
  one = await start();
  other = await start();
});

afterAll(async () => {
  await cluster?.stop();
});

beforeEach(async () => {
  visits += 1;
  visit = `queue-${visits}`;
  clinic = `clinic-${visits}`;
});

const doctor = (person = 'doctor') => ({ clinic, person, role: 'provider' as const });

/** A visit of the clinic at that gateway, whose patient waits. */
async function waitIn(at: DrillGateway, id = visit): Promise<Visitor> {
  await cluster.create(at, {
    visit: id as VisitId,
    kind: 'visit',
    admission: 'on-admit',
    clinic: clinic as never,
  });
  const patient = await cluster.visitor(at, id, PATIENT, 'patient');
  await patient.join();
  return patient;
}

const admitted = (patient: Visitor) =>
  patient.hear('changed', ({ changes }) =>
    changes.some(
      (change) => change.type === 'participant' && change.participant.state === 'admitted',
    ),
  );

const ids = (watcher: QueueWatcher) => watcher.entries.map((entry) => entry.visit as string);

describe('who waits', () => {
  test('stands in the queue at every gateway, and no more once they were admitted', async () => {
    const watchers = [
      await cluster.watcher(one, doctor()),
      await cluster.watcher(other, doctor('nurse')),
    ];
    const patient = await waitIn(one);
    for (const watcher of watchers) {
      const entry = await watcher.sees(visit);
      expect(entry).toMatchObject({ kind: 'visit', state: 'open', attended: false });
      expect(entry.waiting).toMatchObject([{ participantId: PATIENT, role: 'patient' }]);
    }
    const attendant = await cluster.attendant(one, visit, doctor());
    await attendant.command('admit', { participantIds: [PATIENT] });
    await admitted(patient);
    for (const watcher of watchers) await watcher.misses(visit);
  });

  test('comes before who came later, whichever gateway their visits are at', async () => {
    await waitIn(one, `${visit}-z`);
    await waitIn(other, `${visit}-a`);
    await waitIn(one, `${visit}-m`);
    const watcher = await cluster.watcher(other, doctor());
    for (const last of ['z', 'a', 'm']) await watcher.sees(`${visit}-${last}`);
    expect(ids(watcher)).toEqual([`${visit}-z`, `${visit}-a`, `${visit}-m`]);
  });

  test('hears what the clinic writes, and is sent away by it', async () => {
    const patient = await waitIn(one);
    const watcher = await cluster.watcher(other, doctor());
    await watcher.sees(visit);
    const attendant = await cluster.attendant(one, visit, doctor());
    await attendant.command('send-message', {
      to: { type: 'participant', participantId: PATIENT },
      kind: 'chat',
      text: 'Ten minutes late.',
    });
    expect(await patient.hear('message')).toMatchObject({ text: 'Ten minutes late.' });
    await attendant.command('remove', { participantId: PATIENT });
    expect((await patient.hear('closing')).reason).toBe('denied');
    await watcher.misses(visit);
  });

  test('is offered to a colleague, who takes them over', async () => {
    await waitIn(one);
    const watcher = await cluster.watcher(other, doctor());
    await watcher.sees(visit);
    const [from, to] = [
      await cluster.attendant(one, visit, doctor()),
      await cluster.attendant(one, visit, doctor('colleague')),
    ];
    await from.command('reassign', { to: 'colleague' as ParticipantId });
    await watcher.sees(visit, ({ offeredTo }) => offeredTo === 'colleague');
    await to.command('answer-reassign', { accept: true });
    await watcher.sees(
      visit,
      ({ provider, offeredTo }) => provider === 'colleague' && offeredTo === undefined,
    );
  });
});

describe('two providers', () => {
  test('who admit the same patient at once: one does, the other is told', async () => {
    const patient = await waitIn(one);
    const attendants = await Promise.all(
      ['a', 'b'].map((person) => cluster.attendant(one, visit, doctor(person))),
    );
    const outcomes = await Promise.all(
      attendants.map((attendant) =>
        attendant.command('admit', { participantIds: [PATIENT] }).then(
          () => 'admitted',
          (error: { code?: string }) => error.code,
        ),
      ),
    );
    expect(outcomes.toSorted()).toEqual(['admitted', 'already-admitted']);
    await admitted(patient);
  });
});

describe('an attendant', () => {
  test('of another clinic is not let in, whether the visit is there or not', async () => {
    await waitIn(one);
    const stranger = { ...doctor(), clinic: 'another-clinic' };
    for (const id of [visit, 'no-such-visit'])
      await expect(cluster.attendant(one, id, stranger)).rejects.toThrow('unauthorized');
  });

  test('takes no part: they can neither join nor end the visit', async () => {
    await waitIn(one);
    const attendant = await cluster.attendant(one, visit, doctor());
    await expect(attendant.join()).rejects.toMatchObject({ code: 'forbidden' });
    await expect(attendant.command('end', {})).rejects.toMatchObject({ code: 'forbidden' });
  });
});

describe('when the gateway of the visit is killed', () => {
  test('who comes back at another stands where they stood', async () => {
    const killed = await start({});
    const early = await waitIn(killed);
    const watcher = await cluster.watcher(other, doctor());
    const before = await watcher.sees(visit);
    await waitIn(one, `${visit}-later`);
    await watcher.sees(`${visit}-later`);
    await killed.kill();
    const fresh = await cluster.watcher(one, doctor());
    expect(ids(fresh)).toEqual([visit, `${visit}-later`]);
    await early.reconnect(other);
    await early.resume();
    await watcher.sees(visit, ({ waiting }) => waiting[0]?.connection === 'connected');
    expect(ids(watcher)).toEqual([visit, `${visit}-later`]);
    const after = await watcher.sees(visit);
    expect(after.waiting[0]?.since).toBe(before.waiting[0]?.since);

    const attendant = await cluster.attendant(other, visit, doctor());
    await attendant.command('admit', { participantIds: [PATIENT] });
    await admitted(early);
    await watcher.misses(visit);
  });

  test('who does not come back is gone from the queue after a while', async () => {
    const killed = await start();
    await waitIn(killed);
    const watcher = await cluster.watcher(other, doctor());
    await watcher.sees(visit);
    await waitIn(one, `${visit}-there`);
    await killed.kill();
    const fresh = await cluster.watcher(one, doctor());
    expect(ids(fresh)).toContain(visit);
    await watcher.misses(visit);
    await fresh.misses(visit);
    expect(ids(watcher)).toEqual([`${visit}-there`]);
  });
});

describe('while Redis is away', () => {
  test('the queue stands still and says so; what changed comes when it is back', async () => {
    const patient = await waitIn(one);
    const watcher = await cluster.watcher(one, doctor());
    await watcher.sees(visit);
    one.redisWay.cut();
    await watcher.becomes({ stale: true });
    const attendant = await cluster.attendant(one, visit, doctor());
    await attendant.command('admit', { participantIds: [PATIENT] });
    await admitted(patient);
    expect(ids(watcher)).toEqual([visit]);
    one.redisWay.restore();
    await watcher.misses(visit);
    await watcher.becomes({ stale: false });
  });
});
