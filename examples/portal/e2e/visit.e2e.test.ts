import { randomUUID } from 'node:crypto';
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../../../load-tests/lib/wait.ts';
import { launchChromium } from '../../../scripts/lib/chromium.mjs';
import { type Stack, startStack } from '../../../scripts/lib/stack.mjs';
import { PATIENCE_MS, Person } from './browser.ts';
import { TcpRelay } from './relay.ts';

const ROLES = ['patient', 'provider', 'interpreter', 'specialist'] as const;

describe('a visit in the demo portal', () => {
  let stack: Stack;
  let browser: Browser;
  const relay = new TcpRelay();
  let people: Person[] = [];

  beforeAll(async () => {
    await relay.listen();
    stack = await startStack({
      node22: process.execPath,
      workerBin: process.env.MEDIASOUP_WORKER_BIN ?? '',
      // One worker, so that the test that kills it kills the one that carries the visit.
      workers: 1,
      env: { portal: { PORTAL_GATEWAY_URL: `http://127.0.0.1:${relay.port}` } },
    });
    relay.target = stack.ports.gateway;
    browser = await launchChromium();
  });

  afterEach(async () => {
    await Promise.all(people.map((person) => person.close()));
    people = [];
  });

  afterAll(async () => {
    await browser?.close();
    await stack?.stop();
    await relay.close();
  });

  /** Joins one page a role into one visit, one after the other, as people do. */
  async function gather(roles: readonly string[], visit = randomUUID()): Promise<Person[]> {
    const joined: Person[] = [];
    for (const role of roles) {
      const person = await Person.join(browser, stack.urls.portal, visit, role);
      people.push(person);
      joined.push(person);
    }
    return joined;
  }

  async function pair(): Promise<{
    patient: Person;
    provider: Person;
    patientId: string;
    providerId: string;
  }> {
    const [patient, provider] = (await gather(['patient', 'provider'])) as [Person, Person];
    const [patientId, providerId] = await Promise.all([patient.id(), provider.id()]);
    await Promise.all([patient.seesAndHears(providerId), provider.seesAndHears(patientId)]);
    return { patient, provider, patientId, providerId };
  }

  /** Sound energy that arrives from a sender while this many of their pictures are decoded: no clock is needed. */
  async function heardOver(listener: Person, senderId: string, frames: number): Promise<number> {
    const before = (await listener.received())[senderId];
    if (!before) throw new Error('nothing has arrived from this sender');
    await listener.seesAndHears(senderId, { frames });
    const after = (await listener.received())[senderId];
    return (after?.audioEnergy ?? 0) - before.audioEnergy;
  }

  async function gatewayMetric(name: string): Promise<number> {
    const text = await (await fetch(`${stack.urls.gatewayOps}/metrics`)).text();
    const lines = text
      .split('\n')
      .filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`));
    expect(lines, name).not.toHaveLength(0);
    return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
  }

  it('carries each of the 12 pictures and 12 sounds between four roles', async () => {
    const four = await gather(ROLES);
    const ids = await Promise.all(four.map((person) => person.id()));
    expect(new Set(ids).size).toBe(4);
    const directions = four.flatMap((listener, l) =>
      ids.filter((_, s) => s !== l).map((senderId) => listener.seesAndHears(senderId)),
    );
    expect(directions).toHaveLength(12);
    await Promise.all(directions);
    for (const person of four) expect(person.complaints).toEqual([]);
  });

  it('mutes: the other side is told and the sound carries no more energy', async () => {
    const { patient, provider, patientId } = await pair();
    const loud = await heardOver(provider, patientId, 40);
    expect(loud).toBeGreaterThan(0);
    await patient.eval((visit) => visit.localParticipant.setMicrophoneEnabled(false));
    await provider.until(
      (visit, id) => visit.participants.get(id)?.tracks.get('microphone')?.muted === true,
      patientId,
    );
    // What was on its way is still heard, on a busy machine for a while. Then, over as many pictures as
    // carried a beep before, nothing is.
    await until(
      'silence',
      () => heardOver(provider, patientId, 40),
      (energy) => energy < 0.01 * loud,
    );
    await patient.eval((visit) => visit.localParticipant.setMicrophoneEnabled(true));
    await provider.seesAndHears(patientId);
  });

  it('turns the camera off and on: frames stop, then go on', async () => {
    const { patient, provider, patientId } = await pair();
    await patient.eval((visit) => visit.localParticipant.setCameraEnabled(false));
    await provider.until(
      (visit, id) => visit.participants.get(id)?.tracks.get('camera')?.muted === true,
      patientId,
    );
    await provider.seesAndHears(patientId, { audio: true });
    const off = (await provider.received())[patientId]?.framesDecoded;
    await provider.seesAndHears(patientId, { audio: true });
    expect((await provider.received())[patientId]?.framesDecoded).toBe(off);
    await patient.eval((visit) => visit.localParticipant.setCameraEnabled(true));
    await provider.seesAndHears(patientId);
  });

  it('leaves and comes back: the others see them go and see them again', async () => {
    const { patient, provider, patientId, providerId } = await pair();
    await patient.eval((visit) => visit.leave());
    await patient.state('disconnected');
    await provider.until((visit, id) => !visit.participants.has(id), patientId);
    await patient.eval((visit) => visit.connect());
    await patient.connected();
    await patient.seesAndHears(providerId);
    // The element asks for the devices again when the person joins; the page's own API leaves that to the page.
    await patient.eval(async (visit) => {
      await visit.localParticipant.setMicrophoneEnabled(true);
      await visit.localParticipant.setCameraEnabled(true);
    });
    await provider.seesAndHears(patientId);
  });

  it('reloads: the same participant is back with media, once', async () => {
    const { patient, provider, patientId, providerId } = await pair();
    await patient.page.reload();
    await patient.connected();
    expect(await patient.id()).toBe(patientId);
    await Promise.all([patient.seesAndHears(providerId), provider.seesAndHears(patientId)]);
    expect(await provider.eval((visit) => visit.participants.size)).toBe(1);
  });

  it('opens a second page of the same participant: the first is told that it was replaced', async () => {
    const { patient, provider, patientId } = await pair();
    const second = await Person.of(await patient.page.context().newPage(), 'patient');
    // A page opened from another has a copy of its session storage; so has a duplicated tab.
    const storage = await patient.page.evaluate(() => JSON.stringify(sessionStorage));
    await second.page.addInitScript((entries) => {
      for (const [key, value] of Object.entries(JSON.parse(entries) as Record<string, string>)) {
        sessionStorage.setItem(key, value);
      }
    }, storage);
    await second.page.goto(`${patient.page.url()}&auto=1`);
    await second.connected();
    expect(await second.id()).toBe(patientId);
    await patient.state('disconnected');
    expect(await patient.eval((visit) => visit.disconnectReason)).toBe('replaced');
    await provider.seesAndHears(patientId);
  });

  it('cuts every socket: the session resumes and media never stops', async () => {
    const { patient, provider, patientId, providerId } = await pair();
    const tracks = (id: string) =>
      patient.eval(
        (visit, sender) => visit.participants.get(sender)?.tracks.get('camera')?.track?.id,
        id,
      );
    const before = await tracks(providerId);
    expect(before).toBeTypeOf('string');
    expect(relay.cut()).toBeGreaterThan(0);
    await Promise.all([patient.seesAndHears(providerId), provider.seesAndHears(patientId)]);
    await Promise.all([patient.connected(), provider.connected()]);
    // Control is back: a command goes through. Media is the same: no new track took the old one's place.
    await patient.eval((visit) => visit.localParticipant.setMicrophoneEnabled(false));
    await provider.until(
      (visit, id) => visit.participants.get(id)?.tracks.get('microphone')?.muted === true,
      patientId,
    );
    expect(await tracks(providerId)).toBe(before);
  });

  it('restarts the gateway under a visit: media goes on, control comes back', async () => {
    const { patient, provider, patientId, providerId } = await pair();
    const track = () =>
      patient.eval(
        (visit, id) => visit.participants.get(id)?.tracks.get('camera')?.track?.id,
        providerId,
      );
    const before = await track();
    await stack.processes.gateway.restart('SIGKILL');
    await Promise.all([patient.seesAndHears(providerId), provider.seesAndHears(patientId)]);
    await Promise.all([patient.connected(), provider.connected()]);
    await patient.eval((visit) => visit.localParticipant.setCameraEnabled(false));
    await provider.until(
      (visit, id) => visit.participants.get(id)?.tracks.get('camera')?.muted === true,
      patientId,
    );
    expect(await track()).toBe(before);
  });

  it('kills the media worker: the visit recovers with new transports', async () => {
    const { patient, provider, patientId, providerId } = await pair();
    const nodePid = stack.processes.node.pid;
    const states = await patient.watchStates();
    const worker = await workerOf(nodePid);
    process.kill(worker, 'SIGKILL');
    await Promise.all([patient.seesAndHears(providerId), provider.seesAndHears(patientId)]);
    await Promise.all([patient.connected(), provider.connected()]);
    expect(await states()).toEqual(['reconnecting', 'connected']);
    expect(stack.processes.node.pid).toBe(nodePid);
  });

  it('ends for everybody when the provider ends it', async () => {
    const { patient, provider } = await pair();
    await provider.eval((visit) => visit.end());
    await Promise.all([patient.state('disconnected'), provider.state('disconnected')]);
    expect(await patient.eval((visit) => visit.disconnectReason)).toBe('visit-ended');
  });

  it('joins without a camera: the person hears, sees and is heard', async () => {
    const [provider] = (await gather(['provider'])) as [Person];
    const visit = new URL(provider.page.url()).searchParams.get('visit') ?? '';
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.addInitScript(() => {
      const devices = navigator.mediaDevices;
      const real = devices.getUserMedia.bind(devices);
      devices.getUserMedia = (constraints) =>
        constraints?.video
          ? Promise.reject(new DOMException('no camera', 'NotFoundError'))
          : real(constraints);
    });
    const patient = await Person.of(page, 'patient');
    people.push(patient);
    await page.goto(`${stack.urls.portal}/?visit=${visit}&role=patient&lang=en&auto=1`);
    await patient.connected();
    await patient.seesAndHears(await provider.id());
    await provider.seesAndHears(await patient.id(), { audio: true });
  });

  it('leaves nothing behind once everybody has gone', async () => {
    await expect
      .poll(() => gatewayMetric('bedside_gateway_sockets'), { timeout: PATIENCE_MS })
      .toBe(0);
  });
});

/** The process id of the node's first mediasoup worker. */
async function workerOf(nodePid: number | undefined): Promise<number> {
  const { readFile } = await import('node:fs/promises');
  const children = await readFile(`/proc/${nodePid}/task/${nodePid}/children`, 'utf8');
  const pid = Number(children.trim().split(' ')[0]);
  if (!Number.isInteger(pid) || pid <= 1) throw new Error('the node has no worker');
  return pid;
}
