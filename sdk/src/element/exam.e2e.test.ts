import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { launchChromium } from '../../../scripts/lib/chromium.mjs';
import type { Scene } from './testing/fixture.ts';
import { type ElementPage, ElementPages } from './testing/page.ts';
import { asPatient, CLINICAL } from './testing/scenes.ts';

let browser: Browser;
let pages: ElementPages;
let one: ElementPage;

beforeAll(async () => {
  browser = await launchChromium();
  pages = await ElementPages.serve(browser);
});
afterEach(() => one.close());
afterAll(async () => {
  await pages?.close();
  await browser?.close();
});

async function open(scene: Scene, size?: { width: number; height: number }): Promise<void> {
  one = await pages.open(size);
  await one.mount(scene);
}

const offered = () => one.$('[data-action=exam]').count();

describe('an exam camera of one\u2019s own', () => {
  it('is offered to who may show it and has a second camera', async () => {
    await open({ role: 'provider', people: [] });
    expect(await offered()).toBe(0);
    await one.close();
    await open(asPatient);
    expect(await offered()).toBe(1);
    await one.do(async ({ visit }) => {
      const cameras = await visit.getDevices('videoinput');
      visit.getDevices = async (kind) => (kind === 'videoinput' ? cameras.slice(1) : []);
      visit.emit('devicesChanged');
    });
    expect(await offered()).toBe(0);
  });

  it('is turned on and off by the keyboard, and stays there to be turned off once unplugged', async () => {
    await open(asPatient);
    const button = one.page.getByRole('button', { name: 'Exam', exact: true });
    await button.focus();
    await one.page.keyboard.press('Enter');
    await one.do(() => {});
    expect(await button.getAttribute('aria-pressed')).toBe('true');
    expect(await one.text('[data-self][data-source=exam] .label')).toBe('Your exam camera');
    expect(await one.text('[role=log]')).toContain('Your exam camera is on');
    await one.do(({ visit }) => {
      visit.getDevices = async () => [];
      visit.emit('devicesChanged');
      const { tracks } = visit.localParticipant;
      const lost = tracks.get('exam');
      if (lost) tracks.set('exam', { ...lost, muted: true, track: undefined });
      visit.changeSelf({ isExamCameraEnabled: false });
    });
    expect(await one.$('[data-source=exam]').count()).toBe(0);
    await button.press('Enter');
    await one.do(() => {});
    expect(await one.get(({ visit }) => visit.localParticipant.tracks.has('exam'))).toBe(false);
    expect(await one.text('[role=log]')).toContain('Your exam camera is off');
  });

  it('is chosen in the settings, with what counts in its picture', async () => {
    await open(asPatient);
    await one.$('[data-action=devices]').click();
    const choice = one.$('[data-device=exam] select');
    await choice.selectOption({ label: 'Exam camera' });
    await one.page.getByLabel('Sharpness before motion').check();
    await one.do(() => {});
    expect(await one.get(({ visit }) => visit.log.slice(-2))).toEqual([
      'exam {"deviceId":"videoinput-1"}',
      'exam {"hint":"detail"}',
    ]);
    expect(await choice.inputValue()).toBe('videoinput-1');
    expect(await one.get(({ visit }) => visit.localParticipant.isExamCameraEnabled)).toBe(false);
  });

  it('that can not be opened says so, and is off', async () => {
    await open(asPatient);
    await one.do(({ visit, error }) => {
      visit.deviceError = error('device-not-found');
    });
    await one.$('[data-action=exam]').click();
    await one.do(() => {});
    expect(await one.$('[data-action=exam]').getAttribute('aria-pressed')).toBe('false');
    expect(await one.$('[role=alert]').count()).toBe(1);
  });
});

describe.each([
  ['a desktop', { width: 1280, height: 800 }, 0.7],
  ['a phone', { width: 390, height: 844 }, 0.9],
])('the exam camera of another on %s', (_, size, share) => {
  const tile = '[data-participant=pa][data-source=exam]';

  it('is large, whole and named, and asked for at that size', async () => {
    await open({ ...CLINICAL['an exam camera']?.scene }, size);
    await one.page.waitForFunction(
      (tile) => {
        const root = document.querySelector('bedside-visit')?.shadowRoot;
        return root?.querySelector<HTMLVideoElement>(`${tile} video`)?.videoWidth;
      },
      tile,
      { polling: 20 },
    );
    await one.do(() => {});
    const box = await one.$(tile).boundingBox();
    const face = await one.$('[data-participant=pa][data-source=camera]').boundingBox();
    expect(box?.width).toBeGreaterThan(size.width * share);
    expect(box?.height).toBeGreaterThan((face?.height ?? 0) * 1.2);
    expect(await one.text(`${tile} .label`)).toBe('Exam camera of Ana López');
    const fit = await one.$(`${tile} video`).evaluate((video) => getComputedStyle(video).objectFit);
    expect(fit).toBe('contain');
    const [width = 0, height = 0] = (await one.get(({ visit }) => visit.sizes.get('pa exam') ?? ''))
      .split('x')
      .map(Number);
    expect(width / height).toBeCloseTo(4 / 3, 1);
    expect(Math.max(width / (box?.width ?? 0), height / (box?.height ?? 0))).toBeCloseTo(1, 1);
  });

  it('says that there is no picture for as long as none has come', async () => {
    await open({ ...CLINICAL['an exam camera']?.scene }, size);
    const note = one.$(`${tile} .blank`);
    await one.do(({ visit }) => visit.turn('pa', 'exam', true));
    await one.do(({ visit }) => {
      const { track } = new RTCPeerConnection().addTransceiver('video').receiver;
      const { tracks } = visit.participants.get('pa' as never) ?? visit.localParticipant;
      const publication = tracks.get('exam');
      if (publication) tracks.set('exam', { ...publication, track, muted: false });
      visit.change('pa', {});
    });
    await note.waitFor();
    expect(await note.textContent()).toBe('No picture yet');
    await one.do(({ visit }) => {
      const canvas = document.createElement('canvas');
      canvas.getContext('2d')?.fillRect(0, 0, 8, 8);
      const [track] = canvas.captureStream(10).getVideoTracks();
      setInterval(() => canvas.getContext('2d')?.fillRect(0, 0, 8, 8), 50);
      const { tracks } = visit.participants.get('pa' as never) ?? visit.localParticipant;
      const publication = tracks.get('exam');
      if (publication) tracks.set('exam', { ...publication, track });
      visit.change('pa', {});
    });
    await note.waitFor({ state: 'hidden' });
  });

  it('is said to who can not see it', async () => {
    await open({ ...CLINICAL['an exam camera']?.scene }, size);
    await one.do(({ visit }) => visit.turn('pa', 'exam', true));
    expect(await one.$(tile).count()).toBe(0);
    await one.do(({ visit }) => visit.turn('pa', 'exam', false));
    expect(await one.text('[role=log]')).toContain('Ana López is showing an exam camera');
    expect(await one.$(tile).count()).toBe(1);
  });
});
