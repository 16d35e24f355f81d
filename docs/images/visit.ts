/**
 * Makes visit.png, the README's picture: a real visit in the demo portal, whose cameras show drawn people.
 * By hand, after a change of the element's looks: `npm run picture`.
 */
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { launchChromium } from '../../scripts/lib/chromium.mjs';
import { startStack } from '../../scripts/lib/stack.mjs';

interface Look {
  wall: [string, string];
  skin: string;
  hair: string;
  clothes: string;
  coat?: boolean;
  /** The hair falls to the shoulders. */
  long?: boolean;
  glasses?: boolean;
}

const PEOPLE: { role: string; name: string; look: Look }[] = [
  {
    role: 'patient',
    name: 'Ana Ruiz',
    look: {
      wall: ['#e8d9c4', '#c9b08e'],
      skin: '#c98f6b',
      hair: '#3a2418',
      clothes: '#8a4f7d',
      long: true,
    },
  },
  {
    role: 'provider',
    name: 'Dr. Elena Marsh',
    look: {
      wall: ['#dfeaec', '#a9c5c9'],
      skin: '#f0c8a8',
      hair: '#8a5a2e',
      clothes: '#2f7f86',
      coat: true,
      long: true,
      glasses: true,
    },
  },
  {
    role: 'interpreter',
    name: 'Tom\u00e1s Vega',
    look: { wall: ['#66758d', '#3b475a'], skin: '#a5714d', hair: '#1d1512', clothes: '#1f2a3a' },
  },
  {
    role: 'specialist',
    name: 'Dr. Amara Obi',
    look: {
      wall: ['#e9e4f2', '#b9add1'],
      skin: '#6f452d',
      hair: '#120d0b',
      clothes: '#5a6fb0',
      coat: true,
    },
  },
];

/** In the page, before its own scripts: the camera is a canvas on which this person breathes. */
function drawnCamera(look: Look): void {
  const [width, height] = [1280, 720];
  const canvas = document.createElement('canvas');
  canvas.width = width;
  canvas.height = height;
  const draw = canvas.getContext('2d') as CanvasRenderingContext2D;
  const ellipse = (x: number, y: number, w: number, h: number, colour: string) => {
    draw.fillStyle = colour;
    draw.beginPath();
    draw.ellipse(x, y, w, h, 0, 0, Math.PI * 2);
    draw.fill();
  };
  const box = (x: number, y: number, w: number, h: number, round: number, colour: string) => {
    draw.fillStyle = colour;
    draw.beginPath();
    draw.roundRect(x, y, w, h, round);
    draw.fill();
  };
  const person = (time: number) => {
    const wall = draw.createLinearGradient(0, 0, width, height);
    wall.addColorStop(0, look.wall[0]);
    wall.addColorStop(1, look.wall[1]);
    draw.fillStyle = wall;
    draw.fillRect(0, 0, width, height);
    box(90, 70, 220, 160, 10, 'rgb(255 255 255 / 25%)');
    box(1010, 120, 180, 420, 10, 'rgb(0 0 0 / 8%)');
    const y = Math.sin(time / 900) * 4;
    if (look.long) box(480, 210 + y, 320, 380, 150, look.hair);
    box(330, 520 + y, 620, 400, 190, look.coat ? '#f6f8f9' : look.clothes);
    if (look.coat) box(540, 520 + y, 200, 400, 40, look.clothes);
    box(575, 440 + y, 130, 150, 60, look.skin);
    ellipse(640, 225 + y, 142, 90, look.hair);
    ellipse(640, 335 + y, 130, 160, look.skin);
    ellipse(640, 212 + y, 128, 58, look.hair);
    for (const x of [588, 692]) {
      ellipse(x, 330 + y, 12, time % 4_000 < 120 ? 2 : 13, '#2a1c14');
      box(x - 28, 294 + y, 56, 9, 5, look.hair);
      if (!look.glasses) continue;
      draw.strokeStyle = '#3b3f45';
      draw.lineWidth = 6;
      draw.strokeRect(x - 40, 306 + y, 80, 54);
    }
    draw.strokeStyle = 'rgb(90 30 30 / 70%)';
    draw.lineWidth = 8;
    draw.lineCap = 'round';
    draw.beginPath();
    draw.arc(640, 385 + y, 44, 0.2 * Math.PI, 0.8 * Math.PI);
    draw.stroke();
  };
  person(0);
  setInterval(() => person(performance.now()), 50);
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
  for (const { role, name, look } of PEOPLE) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 760 } });
    const page = await context.newPage();
    await page.addInitScript(drawnCamera, look);
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
    return videos?.length === 4 && [...videos].every(({ videoWidth }) => videoWidth >= 640);
  });
  await patient.screenshot({ path: fileURLToPath(new URL('visit.png', import.meta.url)) });
} finally {
  await browser.close();
  await stack.stop();
}
