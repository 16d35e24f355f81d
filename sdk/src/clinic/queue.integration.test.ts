import type { ParticipantId, VisitId } from '@bedside/protocol';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Cluster, type DrillGateway } from '../../../load-tests/drills/cluster.ts';
import type { Visitor } from '../../../load-tests/drills/visitor.ts';
import { TcpProxy } from '../../../load-tests/lib/tcp-proxy.ts';
import { Queue } from './queue.ts';
import type { ClinicOptions } from './types.ts';

const PATIENT = 'patient' as ParticipantId;

let cluster: Cluster;
let one: DrillGateway;
let other: DrillGateway;
/** Stands for the load balancer: leads to gateway `one` at first. */
let balancer: TcpProxy;
let tests = 0;
/** New for each test. */
let clinic: string;
let visit: VisitId;
const queues: Queue[] = [];

const addressOf = ({ url }: DrillGateway): [port: number, host: string] => {
  const { port, hostname } = new URL(url);
  return [Number(port), hostname];
};

beforeAll(async () => {
  cluster = await Cluster.start();
  one = await cluster.startGateway('gateway-sdk-1');
  other = await cluster.startGateway('gateway-sdk-2');
});

afterAll(async () => {
  await cluster?.stop();
});

beforeEach(async () => {
  tests += 1;
  clinic = `clinic-${tests}`;
  visit = `visit-${tests}` as VisitId;
  balancer = await TcpProxy.to(...addressOf(one));
});

afterEach(async () => {
  for (const queue of queues.splice(0)) queue.close();
  await balancer.close();
});

function queueOf(person = 'doctor', more: Partial<ClinicOptions> = {}): Queue {
  const tokenProvider = () => cluster.clinicToken({ clinic, person, role: 'provider' });
  const queue = new Queue({
    url: `http://127.0.0.1:${balancer.port}`,
    clinic,
    tokenProvider,
    ...more,
  });
  queues.push(queue);
  return queue;
}

async function connected(person?: string): Promise<Queue> {
  const queue = queueOf(person);
  await queue.connect();
  return queue;
}

/** Resolves once it is so; the test's own time limit is the deadline. */
function until(queue: Queue, right: (queue: Queue) => boolean): Promise<void> {
  return new Promise((resolve) => {
    const look = () => right(queue) && resolve();
    queue.on('changed', look).on('connectionStateChanged', look);
    look();
  });
}

const ids = ({ entries }: Queue) => entries.map((entry) => entry.visit as string);
const shows = (queue: Queue, ...visits: string[]) =>
  until(queue, () => JSON.stringify(ids(queue)) === JSON.stringify(visits));

async function waitIn(id: VisitId = visit, at = one): Promise<Visitor> {
  const admission = 'on-admit';
  await cluster.create(at, { visit: id, kind: 'visit', admission, clinic: clinic as never });
  const patient = await cluster.visitor(at, id, PATIENT, 'patient');
  await patient.join();
  return patient;
}

describe('Queue', () => {
  it('shows who waits, the longest first, and lets them in', async () => {
    const queue = await connected();
    expect([queue.state, queue.entries, queue.isStale]).toEqual(['connected', [], false]);
    await waitIn();
    const second = `${visit}-a` as VisitId;
    await waitIn(second, other);
    await shows(queue, visit, second);
    const [entry] = queue.entries;
    expect(entry?.waiting[0]).toMatchObject({ participantId: PATIENT, role: 'patient' });
    expect(queue.now - (entry?.waiting[0]?.since ?? 0)).toBeGreaterThanOrEqual(0);
    await queue.admit(entry as never);
    await shows(queue, second);
  });

  it('tells who was slower that a colleague has admitted the patient', async () => {
    const [fast, slow] = [await connected('fast'), await connected('slow')];
    await waitIn();
    await Promise.all([shows(fast, visit), shows(slow, visit)]);
    await fast.admit(visit, [PATIENT]);
    await expect(slow.admit(visit, [PATIENT])).rejects.toMatchObject({ code: 'already-admitted' });
  });

  it('writes to who waits, and sends them away', async () => {
    const queue = await connected();
    const patient = await waitIn();
    await queue.sendMessage(visit, PATIENT, 'Ten minutes late.');
    expect(await patient.hear('message')).toMatchObject({ text: 'Ten minutes late.' });
    await queue.remove(visit, PATIENT);
    expect((await patient.hear('closing')).reason).toBe('denied');
    await shows(queue);
  });

  it('hands who waits over to a colleague who wants it', async () => {
    const [from, to] = [await connected('doctor'), await connected('colleague')];
    await waitIn();
    await from.reassign(visit, 'colleague' as ParticipantId);
    await until(to, ({ entries }) => entries[0]?.offeredTo === 'colleague');
    await to.answerReassign(visit, true);
    await until(from, ({ entries }) => entries[0]?.provider === 'colleague');
    expect(from.entries[0]?.offeredTo).toBeUndefined();
  });

  it('comes back after its gateway was killed, and misses nothing of what happened meanwhile', async () => {
    const killed = await cluster.startGateway('gateway-sdk-killed');
    balancer.restore(...addressOf(killed));
    const queue = await connected();
    await waitIn(visit, other);
    await shows(queue, visit);
    const states: string[] = [];
    queue.on('connectionStateChanged', (state) => states.push(state));
    balancer.cut();
    await killed.kill();
    await until(queue, ({ state, isStale }) => state === 'reconnecting' && isStale);
    expect(ids(queue)).toEqual([visit]);
    const second = `${visit}-a` as VisitId;
    await waitIn(second, other);
    balancer.restore(...addressOf(other));
    await until(queue, ({ state, isStale }) => state === 'connected' && !isStale);
    expect(ids(queue)).toEqual([visit, second]);
    expect(states).toEqual(['reconnecting', 'connected']);
    await queue.admit(visit);
    await shows(queue, second);
  });

  it('is refused with a token of another clinic, or of a visit', async () => {
    const elsewhere = await cluster.clinicToken({
      clinic: 'elsewhere',
      person: 'doctor',
      role: 'provider',
    });
    const ofVisit = await cluster.token({ visit, participant: 'doctor', role: 'provider' });
    for (const token of [elsewhere, ofVisit]) {
      const queue = queueOf('doctor', { token, tokenProvider: undefined as never });
      await expect(queue.connect()).rejects.toMatchObject({ code: 'unauthorized' });
      expect([queue.state, queue.disconnectReason, queue.error?.code]).toEqual([
        'disconnected',
        'failed',
        'unauthorized',
      ]);
    }
  });

  it('is refused to who lacks the grant', async () => {
    const tokenProvider = () =>
      cluster.clinicToken({ clinic, person: 'interpreter', role: 'interpreter' });
    await expect(queueOf('interpreter', { tokenProvider }).connect()).rejects.toMatchObject({
      code: 'forbidden',
    });
  });

  it('acts on no visit of another clinic', async () => {
    await waitIn();
    const queue = await connected();
    const elsewhere = `${visit}-elsewhere` as VisitId;
    clinic = 'another-clinic';
    await waitIn(elsewhere);
    await expect(queue.admit(elsewhere)).rejects.toMatchObject({ code: 'unauthorized' });
    await queue.admit(visit);
  });

  it('ends with close(), and can be connected again', async () => {
    const queue = await connected();
    queue.close();
    expect([queue.state, queue.disconnectReason, queue.isStale]).toEqual([
      'disconnected',
      'left',
      true,
    ]);
    await queue.connect();
    await waitIn();
    await shows(queue, visit);
  });
});
