import { randomUUID } from 'node:crypto';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { mintToken } from '../../load-tests/lib/token.ts';
import { until } from '../../load-tests/lib/wait.ts';
import { launchChromium } from '../../scripts/lib/chromium.mjs';
import { Pages, type TestWindow } from './testing/pages.ts';

/** A page with a user interface of its own: it uses the core, without the element. */
describe('the core in a page of one\u2019s own', () => {
  let pages: Pages;

  beforeAll(async () => {
    pages = await Pages.start(() =>
      launchChromium([
        // Of three, the second one's pixel format is none that Chromium encodes.
        '--use-fake-device-for-media-stream=device-count=3',
        '--auto-select-desktop-capture-source=Entire screen',
      ]),
    );
  });
  afterEach(() => pages.close());
  afterAll(() => pages?.stop());

  const open = () => pages.open();
  const join = (...args: Parameters<Pages['join']>) => pages.join(...args);

  /** What arrives of one source, or undefined while nothing does. */
  const inbound = (page: Page, source: string) =>
    page.evaluate(async (source) => {
      const { visit } = globalThis as unknown as TestWindow;
      return (await visit.getStats()).inbound.find((stream) => stream.source === source);
    }, source);

  const frames = async (page: Page, source: string) =>
    (await inbound(page, source))?.framesDecoded ?? 0;

  async function framesAdvance(page: Page, source: string): Promise<void> {
    const before = await frames(page, source);
    await until(
      `${source} advances`,
      () => frames(page, source),
      (now) => now >= before + 5,
    );
  }

  /** The code with which connect() rejects. */
  const refusal = (page: Page, options: { url: string; token?: string }) =>
    page.evaluate(async (options) => {
      const { sdk } = globalThis as unknown as TestWindow;
      const visit = new sdk.Visit(options as never);
      try {
        await visit.connect();
        return 'connected';
      } catch (error) {
        return {
          code: (error as { code?: string }).code,
          isBedsideError: error instanceof sdk.BedsideError,
          state: visit.state,
          reason: visit.disconnectReason,
          sameAsError: visit.error === error,
        };
      }
    }, options);

  it('renews its token through tokenProvider and outlives the first one', async () => {
    const visit = randomUUID();
    const page = await open();
    const asked: number[] = [];
    const lifetimeSeconds = 7;
    await page.exposeFunction('nextToken', () => {
      asked.push(Date.now());
      return pages.token({ visit, participant: 'p', role: 'patient' }, lifetimeSeconds);
    });
    await page.evaluate(async (url) => {
      const window = globalThis as unknown as TestWindow;
      window.visit = new window.sdk.Visit({ url, tokenProvider: () => window.nextToken() });
      await window.visit.connect();
    }, pages.url);
    expect(asked).toHaveLength(1);
    const renewals = async () => {
      const text = await (await fetch(`${pages.stack.urls.gatewayOps}/metrics`)).text();
      const line = /^bedside_gateway_commands_total\{command="renew-token",outcome="ok"\} (\d+)$/m;
      return Number(line.exec(text)?.[1] ?? 0);
    };
    await until('two renewals', renewals, (count) => count >= 2);
    expect(asked.length).toBeGreaterThanOrEqual(3);
    expect(await page.evaluate(() => (globalThis as unknown as TestWindow).visit.state)).toBe(
      'connected',
    );
  });

  it('refuses by a typed error that connect(), `error` and `disconnectReason` agree on', async () => {
    const page = await open();
    const url = pages.url;
    const participant = { visit: randomUUID(), participant: 'p', role: 'patient' } as const;
    const failed = {
      isBedsideError: true,
      state: 'disconnected',
      reason: 'failed',
      sameAsError: true,
    };
    const expired = await pages.token(participant, -3600);
    expect(await refusal(page, { url, token: expired })).toEqual({
      ...failed,
      code: 'unauthorized',
    });
    const forged = await mintToken(
      { ...pages.stack.secrets.tenant, secret: 'x'.repeat(43) },
      participant,
    );
    expect(await refusal(page, { url, token: forged })).toEqual({
      ...failed,
      code: 'unauthorized',
    });
    expect(await refusal(page, { url })).toEqual({ ...failed, code: 'token-unavailable' });
  });

  it('tells who comes after the end that the visit has ended', async () => {
    const visit = randomUUID();
    const provider = await join(visit, 'provider');
    await provider.evaluate(() => (globalThis as unknown as TestWindow).visit.end());
    const token = await pages.token({
      visit,
      participant: 'late',
      role: 'patient',
    });
    expect(await refusal(await open(), { url: pages.url, token })).toMatchObject({
      code: 'visit-ended',
      reason: 'visit-ended',
    });
  });

  it('receives no more than the tile needs: nothing while hidden, a small picture for a small tile', async () => {
    const visit = randomUUID();
    const provider = await join(visit, 'provider');
    const patient = await join(visit, 'patient');
    const show = (width: number, height: number) =>
      patient.evaluate(
        ([width, height]) => {
          const { visit } = globalThis as unknown as TestWindow;
          const [other] = visit.participants.values();
          if (other) visit.setVideoSize(other.id, 'camera', width, height);
        },
        [width, height] as const,
      );
    await framesAdvance(patient, 'camera');
    await show(1280, 720);
    const width = async () => (await inbound(patient, 'camera'))?.frameWidth ?? 0;
    const large = await until('a large picture', width, (now) => now >= 640);
    await show(160, 90);
    await until('a small picture', width, (now) => now > 0 && now < large);
    await show(0, 0);
    await until(
      'no more pictures',
      async () => {
        const before = await frames(patient, 'camera');
        // The other direction is the clock.
        await framesAdvance(provider, 'camera');
        return (await frames(patient, 'camera')) - before;
      },
      (arrived) => arrived === 0,
    );
    await show(320, 180);
    await framesAdvance(patient, 'camera');
  });

  it('changes camera and microphone in mid-visit: the other side goes on seeing and hearing', async () => {
    const visit = randomUUID();
    const provider = await join(visit, 'provider');
    const patient = await join(visit, 'patient');
    await framesAdvance(provider, 'camera');
    for (const kind of ['videoinput', 'audioinput'] as const) {
      const used = await patient.evaluate(async (kind) => {
        const { visit } = globalThis as unknown as TestWindow;
        const before = visit.activeDevice(kind);
        const other = (await visit.getDevices(kind)).at(-1);
        if (!other) throw new Error(`no ${kind}`);
        await visit.switchActiveDevice(kind, other.deviceId);
        return { before, now: visit.activeDevice(kind), wanted: other.deviceId };
      }, kind);
      expect(used.now).toBe(used.wanted);
      expect(used.now).not.toBe(used.before);
    }
    await framesAdvance(provider, 'camera');
    const energy = async () => (await inbound(provider, 'microphone'))?.totalAudioEnergy ?? 0;
    const before = await energy();
    await until('sound goes on', energy, (now) => now > before);
  });

  it('shares its screen and stops: the other side gets a picture, then is told that it is over', async () => {
    const visit = randomUUID();
    const provider = await join(visit, 'provider');
    const patient = await join(visit, 'patient');
    const share = (on: boolean) =>
      patient.evaluate(async (on) => {
        const { visit } = globalThis as unknown as TestWindow;
        await visit.localParticipant.setScreenShareEnabled(on);
        return visit.localParticipant.isScreenShareEnabled;
      }, on);
    expect(await share(true)).toBe(true);
    await until(
      'a picture of the screen',
      () => frames(provider, 'screen'),
      (now) => now > 0,
    );
    expect(await share(false)).toBe(false);
    const announced = () =>
      provider.evaluate(() => {
        const [other] = (globalThis as unknown as TestWindow).visit.participants.values();
        return other?.tracks.has('screen');
      });
    await until('the screen is gone', announced, (there) => there === false);
  });

  it('what was asked for while the gateway did not answer holds once it does', async () => {
    const visit = randomUUID();
    const provider = await join(visit, 'provider');
    const patient = await join(visit, 'patient');
    await framesAdvance(provider, 'camera');
    const { gateway } = pages.stack.processes;
    gateway.kill('SIGSTOP');
    try {
      // Returns when the first command has missed its deadline.
      const heard = await patient.evaluate(async () => {
        const { localParticipant } = (globalThis as unknown as TestWindow).visit;
        const share = localParticipant.setScreenShareEnabled(true);
        for (const on of [false, true, false]) void localParticipant.setMicrophoneEnabled(on);
        await share;
        return localParticipant.tracks.get('microphone')?.track?.enabled;
      });
      expect(heard).toBe(false);
    } finally {
      gateway.kill('SIGCONT');
    }
    await until(
      'a picture of the screen',
      () => frames(provider, 'screen'),
      (now) => now > 0,
    );
    const muted = () =>
      provider.evaluate(() => {
        const [other] = (globalThis as unknown as TestWindow).visit.participants.values();
        return other?.tracks.get('microphone')?.muted;
      });
    await until('the mute is known', muted, (now) => now === true);
  });

  it('is in two visits at once on one page', async () => {
    const page = await open();
    const tokens = await Promise.all(
      ['one', 'two'].map((name) =>
        pages.token({
          visit: `${name}.${randomUUID()}`,
          participant: 'p',
          role: 'provider',
        }),
      ),
    );
    const states = await page.evaluate(
      async ([url, tokens]) => {
        const { sdk } = globalThis as unknown as TestWindow;
        const visits = tokens.map((token) => new sdk.Visit({ url, token }));
        await Promise.all(visits.map((visit) => visit.connect()));
        await visits[0]?.leave();
        return visits.map(({ state }) => state);
      },
      [pages.url, tokens] as const,
    );
    expect(states).toEqual(['disconnected', 'connected']);
  });
});
