import { randomUUID } from 'node:crypto';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Cluster, type DrillNode } from '../../load-tests/drills/cluster.ts';
import { servePage } from '../../load-tests/lib/browser-page.ts';
import { until } from '../../load-tests/lib/wait.ts';
import type { BedsideVisitElement } from './element/bedside-visit.ts';
import { felt, feltSoFar, perform, timesAsked, watch } from './testing/continuity.ts';
import { launchRecordable, type TestWindow } from './testing/pages.ts';

/** Frames of the picture for which a page is watched before, and after. */
const FRAMES = 80;
const EMPTY_DEADLINE_MS = 40_000;

interface ContinuityWindow extends TestWindow {
  /** Of the connection, since the page is in the visit. */
  states: string[];
}

/** Ana sends a picture and a tone; Ben has the element, which shows and plays them. */
describe('what a page sees and hears of the other', () => {
  let cluster: Cluster;
  let browser: Browser;
  let server: Awaited<ReturnType<typeof servePage>>;
  const contexts: BrowserContext[] = [];

  beforeAll(async () => {
    server = await servePage();
    browser = await launchRecordable();
    cluster = await Cluster.start({
      nodes: 2,
      gateways: 1,
      balancer: false,
      env: { gateway: { BEDSIDE_ALLOWED_ORIGINS: server.origin } },
    });
  });
  afterEach(async () => {
    await Promise.all(contexts.splice(0).map((context) => context.close()));
    await Promise.all(cluster.nodes.map((node) => cluster.drain(node, false)));
  });
  afterAll(async () => {
    await browser?.close();
    await cluster?.stop();
    server?.close();
  });

  async function open(): Promise<Page> {
    const context = await browser.newContext({ permissions: ['camera', 'microphone'] });
    contexts.push(context);
    const page = await context.newPage();
    await page.goto(server.origin);
    // As text: the test runner rewrites an import() that it sees.
    await page.evaluate("import('/bedside.mjs').then((sdk) => { globalThis.sdk = sdk; })");
    return page;
  }

  async function meet() {
    const visit = randomUUID();
    const [ana, ben] = [await open(), await open()];
    const access = async (participant: string, role: 'provider' | 'observer') =>
      [cluster.gateways[0]?.url ?? '', await cluster.token({ visit, participant, role })] as const;
    await perform(ana);
    await ana.evaluate(
      async ([url, token]) => {
        const window = globalThis as unknown as ContinuityWindow;
        window.visit = new window.sdk.Visit({ url, token });
        await window.visit.connect();
        await window.visit.localParticipant.setMicrophoneEnabled(true);
        await window.visit.localParticipant.setCameraEnabled(true);
      },
      await access('ana', 'provider'),
    );
    await watch(ben);
    await ben.evaluate(
      ([url, token]) => {
        const window = globalThis as unknown as ContinuityWindow;
        window.sdk.defineBedsideVisit();
        const element = document.createElement('bedside-visit') as BedsideVisitElement;
        Object.assign(element.style, { position: 'fixed', inset: 0 });
        Object.assign(element, { url, token, auto: true });
        document.body.append(element);
      },
      await access('ben', 'observer'),
    );
    await frames(ben, FRAMES);
    for (const page of [ana, ben])
      await page.evaluate(() => {
        const window = globalThis as unknown as ContinuityWindow;
        window.visit ??= document.querySelector<BedsideVisitElement>('bedside-visit')
          ?.visit as never;
        window.states = [];
        window.visit.on('connectionStateChanged', (state) => window.states.push(state));
      });
    await felt(ben);
    await frames(ben, FRAMES);
    return { ana, ben, before: await felt(ben) };
  }

  /** So many more of the picture. */
  async function frames(page: Page, count: number): Promise<void> {
    const before = (await feltSoFar(page)).frames;
    await until(
      `${count} frames`,
      async () => (await feltSoFar(page)).frames,
      (shown) => shown >= before + count,
    );
  }

  const states = (page: Page) =>
    page.evaluate(() => (globalThis as unknown as ContinuityWindow).states);

  /** What Ben's page knows of Ana. */
  const seenOfAna = (ben: Page) =>
    ben.evaluate(() => {
      const { visit } = globalThis as unknown as ContinuityWindow;
      const tracks = [...visit.participants.values()][0]?.tracks;
      const [camera, microphone] = [tracks?.get('camera'), tracks?.get('microphone')];
      return {
        place: visit.localParticipant.place,
        shown: !!camera?.track,
        muted: microphone?.muted,
      };
    });

  async function nodeInUse(): Promise<DrillNode> {
    for (const node of cluster.nodes) if ((await node.counts()).transports > 0) return node;
    throw new Error('no node has media');
  }

  async function drain(): Promise<void> {
    const node = await nodeInUse();
    await cluster.drain(node, true);
    await until(
      'the node to be empty',
      async () => (await node.counts()).transports,
      (left) => left === 0,
      EMPTY_DEADLINE_MS,
    );
  }

  it('goes on as before while their node is drained', async () => {
    const { ana, ben, before } = await meet();
    await drain();
    await frames(ben, FRAMES);
    const during = await felt(ben);
    console.info('drained', { before, during });
    // Sound is measured to 3 ms, and has no longest gap of its own; frames are 50 ms apart.
    expect(during.silence).toBeLessThan(before.gap / 2);
    expect(during.gap).toBeLessThan(before.gap * 2);
    expect([during.black, during.noticed]).toEqual([0, false]);
    expect([await states(ana), await states(ben)]).toEqual([[], []]);
    expect(await timesAsked(ana)).toBe(2);
  });

  it('goes neither on for who is on hold nor for who is muted while their node is drained', async () => {
    const { ana, ben } = await meet();
    await ana.evaluate(async () => {
      const { visit } = globalThis as unknown as ContinuityWindow;
      await visit.localParticipant.setMicrophoneEnabled(false);
      await visit.moveTo([...visit.participants.keys()], { type: 'hold', audio: 'none' });
    });
    const held = { place: 'hold', shown: false, muted: true };
    await until(
      'Ben is on hold',
      () => seenOfAna(ben),
      (seen) => seen.place === 'hold' && !seen.shown,
    );
    await felt(ben);
    await drain();
    expect(await seenOfAna(ben)).toEqual(held);
    expect((await felt(ben)).frames).toBe(0);
    await ana.evaluate(async () => {
      const { visit } = globalThis as unknown as ContinuityWindow;
      await visit.moveTo([...visit.participants.keys()], { type: 'main' });
    });
    await frames(ben, FRAMES);
    expect(await seenOfAna(ben)).toEqual({ place: 'main', shown: true, muted: true });
    const { silence } = await felt(ben);
    await frames(ben, FRAMES);
    // Still the same one.
    expect((await felt(ben)).silence).toBeGreaterThan(silence);
    await ana.evaluate(() =>
      (globalThis as unknown as ContinuityWindow).visit.localParticipant.setMicrophoneEnabled(true),
    );
    await until(
      'Ben knows of it',
      () => seenOfAna(ben),
      ({ muted }) => muted === false,
    );
    await until(
      'Ben hears Ana',
      () => felt(ben),
      (heard) => heard.silence === 0,
    );
    expect([await states(ana), await states(ben)]).toEqual([[], []]);
  });

  it('is back after a moment when the worker is killed, and the last picture stands meanwhile', async () => {
    const { ana, ben, before } = await meet();
    (await nodeInUse()).signalWorkers('SIGKILL');
    await until(
      'media to be back',
      () => feltSoFar(ben),
      (now) => now.noticed && now.frames >= FRAMES,
    );
    const during = await felt(ben);
    console.info('killed', { before, during });
    expect(during.black).toBe(0);
    await until(
      'the notice to go',
      () => felt(ben),
      ({ noticed }) => !noticed,
    );
    expect([await states(ana), await states(ben)]).toEqual([
      ['reconnecting', 'connected'],
      ['reconnecting', 'connected'],
    ]);
    expect(await timesAsked(ana)).toBe(2);
  });
});
