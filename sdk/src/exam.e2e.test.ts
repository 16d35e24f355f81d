import { randomUUID } from 'node:crypto';
import type { Grant } from '@bedside/protocol';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { until } from '../../load-tests/lib/wait.ts';
import { launchChromium } from '../../scripts/lib/chromium.mjs';
import { Pages, type TestWindow } from './testing/pages.ts';

let pages: Pages;

beforeAll(async () => {
  // Of three cameras, the second one's pixel format is none that Chromium encodes.
  pages = await Pages.start(() =>
    launchChromium(['--use-fake-device-for-media-stream=device-count=3']),
  );
});
afterEach(() => pages.close());
afterAll(() => pages?.stop());

/** The third camera is shown as an exam camera, or no more. */
const show = (page: Page, on = true) =>
  page.evaluate(async (on) => {
    const { visit } = globalThis as unknown as TestWindow;
    const [, , third] = await visit.getDevices('videoinput');
    await visit.localParticipant.setExamCameraEnabled(on, { deviceId: third?.deviceId });
  }, on);

/** What is received of it now: frames so far, and lines of the last one. */
const received = (page: Page) =>
  page.evaluate(async () => {
    const { visit } = globalThis as unknown as TestWindow;
    const { inbound } = await visit.getStats();
    const { framesDecoded = 0, frameHeight = 0 } =
      inbound.find(({ source }) => source === 'exam') ?? {};
    return { frames: framesDecoded, lines: frameHeight };
  });

const isSeen = async (page: Page): Promise<void> => {
  const { frames } = await received(page);
  await until(
    'frames of the exam camera',
    () => received(page),
    (now) => now.frames >= frames + 5,
  );
};

const size = (page: Page, width: number, height: number) =>
  page.evaluate(
    ([width, height]) => {
      const { visit } = globalThis as unknown as TestWindow;
      visit.setVideoSize('patient' as never, 'exam', width, height);
    },
    [width, height] as const,
  );

/** What the page of another has of it: nothing, or whether there is a picture to show. */
const shown = (page: Page) =>
  page.evaluate(() => {
    const { visit } = globalThis as unknown as TestWindow;
    const publication = visit.participants.get('patient' as never)?.tracks.get('exam');
    return publication && { muted: publication.muted, hasTrack: publication.track !== undefined };
  });

const becomes = (page: Page, wanted: Awaited<ReturnType<typeof shown>>) =>
  until(
    `${JSON.stringify(wanted)}`,
    () => shown(page),
    (now) => JSON.stringify(now) === JSON.stringify(wanted),
  );

async function examination(): Promise<{ patient: Page; provider: Page }> {
  const visit = randomUUID();
  const provider = await pages.join(visit, 'provider');
  const patient = await pages.join(visit, 'patient');
  await show(patient);
  await isSeen(provider);
  return { patient, provider };
}

it('shows what is examined beside the face: 720 lines to who sees it large, 480 to who does not', async () => {
  const { patient, provider } = await examination();
  await size(provider, 1280, 720);
  const lines = (wanted: number) =>
    until(
      `a picture of ${wanted} lines`,
      () => received(provider),
      (now) => now.lines === wanted,
    );
  await lines(720);
  await size(provider, 320, 180);
  await lines(480);
  await isSeen(provider);
  const own = await patient.evaluate(() => {
    const { visit } = globalThis as unknown as TestWindow;
    const { tracks, isCameraEnabled, isExamCameraEnabled } = visit.localParticipant;
    const device = (source: 'camera' | 'exam') => tracks.get(source)?.track?.getSettings().deviceId;
    return { isCameraEnabled, isExamCameraEnabled, same: device('camera') === device('exam') };
  });
  expect(own).toEqual({ isCameraEnabled: true, isExamCameraEnabled: true, same: false });
});

it('is not seen by who put the patient on hold, and is again afterwards', async () => {
  const { provider } = await examination();
  const move = (type: 'hold' | 'main') =>
    provider.evaluate(async (type) => {
      const { visit } = globalThis as unknown as TestWindow;
      await visit.moveTo(['patient' as never], { type, audio: 'none' } as never);
    }, type);
  await move('hold');
  await becomes(provider, { muted: false, hasTrack: false });
  await move('main');
  await becomes(provider, { muted: false, hasTrack: true });
  await isSeen(provider);
});

it('goes on over a new path, ends where it is turned off, and is dark after the visit', async () => {
  const { patient, provider } = await examination();
  const trackId = () =>
    provider.evaluate(() => {
      const { visit } = globalThis as unknown as TestWindow;
      return visit.participants.get('patient' as never)?.tracks.get('exam')?.track?.id;
    });
  const before = await trackId();
  await pages.stack.processes.node.restart('SIGKILL');
  await until('another track', trackId, (id) => id !== undefined && id !== before);
  await isSeen(provider);
  await show(patient, false);
  await becomes(provider, undefined);
  await show(patient);
  await becomes(provider, { muted: false, hasTrack: true });
  const state = await patient.evaluate(async () => {
    const { visit } = globalThis as unknown as TestWindow;
    const track = visit.localParticipant.tracks.get('exam')?.track;
    await visit.leave();
    return track?.readyState;
  });
  expect(state).toBe('ended');
});

it('is for those alone who have the grant, of their role or by their token', async () => {
  const visit = randomUUID();
  const attempt = (page: Page) =>
    page.evaluate(async () => {
      const { visit } = globalThis as unknown as TestWindow;
      const [, , third] = await visit.getDevices('videoinput');
      return visit.localParticipant
        .setExamCameraEnabled(true, { deviceId: third?.deviceId })
        .then(() => 'shown')
        .catch((error) => error.code);
    });
  const role = 'caregiver';
  expect(await attempt(await pages.join(visit, role))).toBe('forbidden');
  const grants: Grant[] = ['publish-audio', 'publish-video', 'publish-exam'];
  const token = await pages.token({ visit, participant: 'relative', role, grants });
  expect(await attempt(await pages.join(visit, role, { token }))).toBe('shown');
});
