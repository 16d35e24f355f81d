import { randomUUID } from 'node:crypto';
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { launchChromium } from '../../../scripts/lib/chromium.mjs';
import { type Stack, startStack } from '../../../scripts/lib/stack.mjs';
import { Person } from './browser.ts';
import { TcpRelay, UdpRelay } from './relay.ts';

/** Pages are told to send media here; the relays pass it on to the worker, or do not. */
const RELAY_ADDRESS = '127.0.0.2';

describe('a visit over a bad network', () => {
  let stack: Stack;
  let browser: Browser;
  let udp: UdpRelay;
  const tcp = new TcpRelay();
  let people: Person[] = [];

  beforeAll(async () => {
    stack = await startStack({
      node22: process.execPath,
      workerBin: process.env.MEDIASOUP_WORKER_BIN ?? '',
      workers: 1,
      env: { node: { BEDSIDE_MEDIA_ANNOUNCED_ADDRESS: RELAY_ADDRESS } },
    });
    const { media } = stack.ports;
    udp = new UdpRelay(media);
    tcp.target = media;
    await Promise.all([udp.listen(media, RELAY_ADDRESS), tcp.listen(media, RELAY_ADDRESS)]);
    browser = await launchChromium();
  });

  afterEach(async () => {
    udp.lossy = false;
    await Promise.all(people.map((person) => person.close()));
    people = [];
  });

  afterAll(async () => {
    await browser?.close();
    await stack?.stop();
    udp?.close();
    await tcp.close();
  });

  async function pair() {
    const visit = randomUUID();
    const patient = await Person.join(browser, stack.urls.portal, visit, 'patient');
    people.push(patient);
    const provider = await Person.join(browser, stack.urls.portal, visit, 'provider');
    people.push(provider);
    const [patientId, providerId] = await Promise.all([patient.id(), provider.id()]);
    const media = () =>
      Promise.all([patient.seesAndHears(providerId), provider.seesAndHears(patientId)]);
    const cameraOfProvider = () =>
      patient.eval(
        (visit, id) => visit.participants.get(id)?.tracks.get('camera')?.track?.id,
        providerId,
      );
    await media();
    return { patient, provider, media, cameraOfProvider };
  }

  it('loses every packet until the browser gives the path up: ICE restarts and the same tracks go on', async () => {
    const { patient, provider, media, cameraOfProvider } = await pair();
    const track = await cameraOfProvider();
    expect(track).toBeTypeOf('string');
    const states = await patient.watchStates();
    const before = await restarts();
    udp.lossy = true;
    // The pages find it out by themselves and ask for new credentials; nothing tells them.
    await expect.poll(restarts, { timeout: 60_000 }).toBeGreaterThan(before);
    udp.lossy = false;
    await media();
    expect(await cameraOfProvider()).toBe(track);
    // The visit was never left: media went away and came back under it.
    expect(await states()).toEqual([]);
    expect(await provider.eval((visit) => visit.state)).toBe('connected');
  });

  it('comes from another port in mid-visit, as after a change of network: media goes on', async () => {
    const { media, cameraOfProvider } = await pair();
    const track = await cameraOfProvider();
    udp.forgetMappings();
    await media();
    expect(await cameraOfProvider()).toBe(track);
  });

  it('has no UDP at all, as behind a hospital\u2019s firewall: media goes over TCP', async () => {
    udp.lossy = true;
    const passed = udp.passed;
    await pair();
    expect(udp.passed).toBe(passed);
  });

  /** ICE restarts that the gateway has answered. */
  async function restarts(): Promise<number> {
    const text = await (await fetch(`${stack.urls.gatewayOps}/metrics`)).text();
    return text
      .split('\n')
      .filter((line) => /^bedside_gateway_commands_total\{.*command="restart-ice"/.test(line))
      .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
  }
});
