import { randomUUID } from 'node:crypto';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cluster } from '../../load-tests/drills/cluster.ts';
import { servePage } from '../../load-tests/lib/browser-page.ts';
import { until } from '../../load-tests/lib/wait.ts';
import { felt, feltSoFar, perform, watch } from './testing/continuity.ts';
import { launchRecordable, type TestWindow } from './testing/pages.ts';

const FRAMES = 40;

/** Gateways reach every node, and the pages do not reach the one that has their visit. */
describe('two pages that nothing comes to from their node', () => {
  let cluster: Cluster;
  let browser: Browser;
  let server: Awaited<ReturnType<typeof servePage>>;

  beforeAll(async () => {
    server = await servePage();
    browser = await launchRecordable();
    cluster = await Cluster.start({
      nodes: 2,
      gateways: 1,
      balancer: false,
      ways: ['media'],
      env: { gateway: { BEDSIDE_ALLOWED_ORIGINS: server.origin } },
    });
  });
  afterAll(async () => {
    await browser?.close();
    await cluster?.stop();
    server?.close();
  });

  /** A page whose media goes by the ways that the test can cut, and by no other. */
  async function open(): Promise<Page> {
    const context = await browser.newContext({ permissions: ['camera', 'microphone'] });
    const page = await context.newPage();
    await page.addInitScript((detours) => {
      const { prototype } = RTCPeerConnection;
      const { setRemoteDescription } = prototype;
      prototype.setRemoteDescription = function (description: RTCSessionDescriptionInit) {
        const lines = description.sdp
          ?.split('\r\n')
          .filter((line) => !/^a=candidate.* tcp /.test(line));
        const sdp = lines?.map((line) => {
          const detour = detours.find(({ from }) => line.includes(` ${from} typ `));
          return detour ? line.replace(detour.from, detour.to) : line;
        });
        return (setRemoteDescription as (to: RTCSessionDescriptionInit) => Promise<void>).call(
          this,
          {
            ...description,
            sdp: sdp?.join('\r\n') ?? '',
          },
        );
      };
    }, cluster.detours);
    await page.goto(server.origin);
    // As text: the test runner rewrites an import() that it sees.
    await page.evaluate("import('/bedside.mjs').then((sdk) => { globalThis.sdk = sdk; })");
    return page;
  }

  const access = async (visit: string, participant: string, role: 'provider' | 'observer') =>
    [cluster.gateways[0]?.url ?? '', await cluster.token({ visit, participant, role })] as const;

  /** Ana sends a picture and a tone; Ben has the element, which shows and plays them. */
  async function meet(visit: string): Promise<{ ana: Page; ben: Page }> {
    const [ana, ben] = [await open(), await open()];
    await perform(ana);
    await ana.evaluate(
      async ([url, token]) => {
        const window = globalThis as unknown as TestWindow;
        window.visit = new window.sdk.Visit({ url, token });
        await window.visit.connect();
        await window.visit.localParticipant.setMicrophoneEnabled(true);
        await window.visit.localParticipant.setCameraEnabled(true);
      },
      await access(visit, 'ana', 'provider'),
    );
    await watch(ben);
    await ben.evaluate(
      ([url, token]) => {
        (globalThis as unknown as TestWindow).sdk.defineBedsideVisit();
        const element = document.createElement('bedside-visit');
        Object.assign(element.style, { position: 'fixed', inset: 0 });
        Object.assign(element, { url, token, auto: true });
        document.body.append(element);
      },
      await access(visit, 'ben', 'observer'),
    );
    return { ana, ben };
  }

  it('go on at another node, and the visit with them', async () => {
    const visit = randomUUID();
    const { ben } = await meet(visit);
    const more = async () => {
      const { frames } = await feltSoFar(ben);
      await until(
        'more frames',
        () => feltSoFar(ben),
        (now) => now.frames >= frames + FRAMES,
      );
    };
    await more();
    await felt(ben);
    const peersAt = () =>
      Promise.all(cluster.nodes.map(async (node) => (await cluster.describe(visit, node)).length));
    const counts = await peersAt();
    const node = cluster.nodes[counts.indexOf(2)];
    expect(node).toBeDefined();
    await node?.lineTo('clients').cut();
    await until('both to be elsewhere', peersAt, (now) => now[counts.indexOf(0)] === 2);
    await more();
    console.info('cut off', await felt(ben));
    expect(await peersAt()).toEqual(counts.toReversed());
  });
});
