/**
 * Makes visit.png, the README's picture: a real visit in the demo portal, whose cameras show drawn people.
 * By hand, after a change of the element's looks: `npm run picture`, then
 * `pngquant --force --ext .png docs/images/visit.png`, which halves it.
 */
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { launchChromium } from '../../scripts/lib/chromium.mjs';
import { startStack } from '../../scripts/lib/stack.mjs';
import { drawn } from './people.ts';

/** In the order in which they join; the picture is what the first one sees. */
const NAMES = {
  patient: 'Ruth Keller',
  provider: 'Dr. Elena Marsh',
  interpreter: 'Jonas Weber',
  specialist: 'Dr. Amara Obi',
} as const;

/** In the page, before its own scripts: the camera is a canvas with this person on it. */
function drawnCamera(svg: string): void {
  const canvas = Object.assign(document.createElement('canvas'), { width: 1280, height: 720 });
  // Painted once: a drawing is slow to paint.
  const painted = new OffscreenCanvas(1280, 720);
  const drawing = new Image();
  drawing.onload = () => painted.getContext('2d')?.drawImage(drawing, 0, 0);
  drawing.src = `data:image/svg+xml,${encodeURIComponent(svg)}`;
  setInterval(() => {
    canvas.getContext('2d')?.drawImage(painted, 0, 0);
  }, 50);
  const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = async (constraints = {}) => {
    const stream = new MediaStream();
    const sound = constraints.audio ? await open({ audio: constraints.audio }) : undefined;
    for (const track of sound?.getTracks() ?? []) stream.addTrack(track);
    if (constraints.video)
      for (const track of canvas.captureStream(20).getTracks()) stream.addTrack(track);
    return stream;
  };
}

const workerBin = process.env.MEDIASOUP_WORKER_BIN ?? '';
const stack = await startStack({ node22: process.execPath, workerBin });
const browser = await launchChromium();
try {
  const pages: Page[] = [];
  for (const [role, name] of Object.entries(NAMES) as [keyof typeof NAMES, string][]) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 760 } });
    const page = await context.newPage();
    await page.addInitScript(drawnCamera, drawn(role));
    await page.goto(`${stack.urls.portal}/?visit=picture`);
    await page.locator(`input[name=role][value=${role}]`).check({ force: true });
    await page.locator('input[name=name]').fill(name);
    await page.locator('form button[type=submit]').click();
    await page.locator('[data-action=join]').click();
    pages.push(page);
  }
  const patient = pages[0] as Page;
  await patient.waitForFunction(() => {
    const videos = document.querySelector('bedside-visit')?.shadowRoot?.querySelectorAll('video');
    // A picture that does not move gets sharp within seconds.
    const isSharp = ({ videoWidth, currentTime }: HTMLVideoElement): boolean =>
      videoWidth >= 640 && currentTime > 8;
    return videos?.length === 4 && [...videos].every(isSharp);
  });
  await patient.screenshot({ path: fileURLToPath(new URL('visit.png', import.meta.url)) });
} finally {
  await browser.close();
  await stack.stop();
}
