import { randomUUID } from 'node:crypto';
import { ERRORS, type ErrorCode, type Role } from '@bedside/protocol';
import type { Browser, Frame, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { mintToken } from '../../../load-tests/lib/token.ts';
import { launchChromium } from '../../../scripts/lib/chromium.mjs';
import { type Stack, startStack } from '../../../scripts/lib/stack.mjs';
import { Person } from './browser.ts';
import { CustomerSite, type VisitPage } from './customer-site.ts';

/** A name that is no secure context, as a page without https. */
const INSECURE = 'insecure.test';

describe('a page of a customer’s', () => {
  let stack: Stack;
  let browser: Browser;
  const site = new CustomerSite();
  let people: Person[] = [];
  let browsers: Browser[] = [];
  /** Not that of a headless one: on a page that is not secure nothing else tells what a browser is. */
  let userAgent: string;

  beforeAll(async () => {
    await site.listen();
    const origins = [site.origin(), site.origin('localhost'), site.origin(INSECURE)];
    stack = await startStack({
      node22: process.execPath,
      workerBin: process.env.MEDIASOUP_WORKER_BIN ?? '',
      workers: 1,
      env: { gateway: { BEDSIDE_ALLOWED_ORIGINS: origins.join(',') } },
    });
    site.portal = stack.urls.portal;
    site.gateway = stack.urls.gateway;
    browser = await launchChromium([
      '--use-fake-device-for-media-stream=device-count=3',
      '--auto-select-desktop-capture-source=Entire screen',
      `--host-resolver-rules=MAP ${INSECURE} 127.0.0.1`,
    ]);
    userAgent = `Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/${browser.version()} Safari/537.36`;
  });

  afterEach(async () => {
    await Promise.all(people.map((person) => person.close()));
    await Promise.all(browsers.map((one) => one.close()));
    people = [];
    browsers = [];
  });

  afterAll(async () => {
    await browser?.close();
    await stack?.stop();
    await site.close();
  });

  const tokenFor = (visit: string, role: Role, lifetimeSeconds?: number): Promise<string> =>
    mintToken(stack.secrets.tenant, { visit, participant: randomUUID(), role }, lifetimeSeconds);

  async function open(
    address: string,
    { role = 'patient', inBrowser = browser, prepare }: OpenOptions = {},
  ): Promise<Person> {
    const page = await (await inBrowser.newContext({ userAgent })).newPage();
    const person = await Person.of(page, role);
    people.push(person);
    await page.addInitScript(() => {
      document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) =>
        console.error(`policy: ${violatedDirective} ${blockedURI}`),
      );
    });
    if (prepare) await page.addInitScript(prepare);
    await page.goto(address);
    return person;
  }
  interface OpenOptions {
    role?: Role;
    inBrowser?: Browser;
    prepare?: () => void;
  }

  async function join(visit: string, role: Role, page: VisitPage = {}, options: OpenOptions = {}) {
    const token = await tokenFor(visit, role);
    const person = await open(site.visit({ token, attributes: 'auto', ...page }), {
      role,
      ...options,
    });
    await person.connected();
    return person;
  }

  async function otherBrowser(...flags: string[]): Promise<Browser> {
    const other = await launchChromium(flags);
    browsers.push(other);
    return other;
  }

  const $ = (where: Page | Frame, selector: string) =>
    where.locator('bedside-visit').locator(selector);
  const english = (code: ErrorCode): string => ERRORS[code].text;

  describe('embeds the element', () => {
    it.each(['script', 'module'] as const)(
      'as %s of another origin, under a strict policy: two see and hear each other',
      async (embedding) => {
        const visit = randomUUID();
        const patient = await join(visit, 'patient', { embedding });
        const provider = await join(visit, 'provider', { embedding });
        const [patientId, providerId] = await Promise.all([patient.id(), provider.id()]);
        await Promise.all([patient.seesAndHears(providerId), provider.seesAndHears(patientId)]);
        await $(patient.page, '[data-action=leave]').click();
        await $(patient.page, '[data-action=rejoin]').waitFor();
        expect([...patient.complaints, ...provider.complaints]).toEqual([]);
      },
    );

    it('runs no script whose hash is another one', async () => {
      const token = await tokenFor(randomUUID(), 'patient');
      const one = await open(site.visit({ token, embedding: 'script-with-wrong-hash' }));
      await one.page.waitForLoadState('load');
      expect(one.complaints.join()).toContain('integrity');
      expect(await one.page.evaluate(() => customElements.get('bedside-visit'))).toBeUndefined();
    });

    it('leaves everything behind it in the page’s storage as it was', async () => {
      const patient = await join(randomUUID(), 'patient');
      await $(patient.page, '[data-action=leave]').click();
      await $(patient.page, '[data-action=rejoin]').waitFor();
      const stored = await patient.page.evaluate(async () => [
        ...Object.keys(localStorage),
        ...Object.keys(sessionStorage),
        ...(await indexedDB.databases()),
        ...(await caches.keys()),
        document.cookie,
      ]);
      expect(stored).toEqual(['']);
    });
  });

  describe('in a frame of another origin', () => {
    async function framed(allow: string): Promise<{ person: Person; frame: Frame }> {
      const token = await tokenFor(randomUUID(), 'patient');
      const person = await open(site.framed({ token }, allow));
      const frame = person.page.frames().find((one) => one.url().includes('/visit?'));
      if (!frame) throw new Error('no frame');
      return { person, frame };
    }
    const isIn = (frame: Frame) =>
      frame.waitForFunction(
        () =>
          (document.querySelector('bedside-visit') as unknown as { visit?: { state: string } })
            ?.visit?.state === 'connected',
      );

    it('that passes no devices on: says so, and the person joins without', async () => {
      const { frame } = await framed('');
      await $(frame, '.notice').waitFor();
      expect((await $(frame, '.notice p').textContent())?.trim()).toBe(
        english('permissions-policy'),
      );
      await $(frame, '[data-action=join]').click();
      await isIn(frame);
      await $(frame, '.self[data-camera=off][data-microphone=off]').waitFor();
    });

    it('that passes them on: works as on a page', async () => {
      const { person, frame } = await framed(
        'camera; microphone; display-capture; autoplay; speaker-selection; screen-wake-lock',
      );
      await $(frame, '.preview .shown video').waitFor();
      expect(await $(frame, '.notice').count()).toBe(0);
      await $(frame, '[data-action=join]').click();
      await isIn(frame);
      await $(frame, '.self[data-camera=on][data-microphone=on]').waitFor();
      expect(person.complaints).toEqual([]);
    });
  });

  describe('tells the person as text', () => {
    const notice = async (person: Person) => {
      await $(person.page, '.notice[role=alert]').waitFor();
      return (await $(person.page, '.notice p').textContent())?.trim();
    };
    const ending = async (person: Person) => {
      await $(person.page, '.ended').waitFor();
      return $(person.page, '.ended h1, .ended p:not(.times)').allTextContents();
    };
    const preview = async (options?: OpenOptions, host?: string) =>
      open(site.visit({ token: await tokenFor(randomUUID(), 'patient') }, host), options);
    /** Whatever is wrong with the devices, the visit is open. */
    const joins = async (person: Person) => {
      await $(person.page, '[data-action=join]').click();
      await person.connected();
    };

    it('that the browser was not allowed the camera', async () => {
      const inBrowser = await otherBrowser('--use-fake-ui-for-media-stream=deny');
      const patient = await preview({ inBrowser });
      expect(await notice(patient)).toBe(english('permission-denied'));
      await joins(patient);
    });

    it('that there is no camera; the microphone works', async () => {
      const inBrowser = await otherBrowser('--use-fake-device-for-media-stream=device-count=0');
      const patient = await preview({ inBrowser });
      expect(await notice(patient)).toBe(english('device-not-found'));
      await joins(patient);
      await $(patient.page, '.self[data-camera=off][data-microphone=on]').waitFor();
    });

    it('that another program uses the camera, until it does no more', async () => {
      const patient = await preview({
        prepare: () => {
          const { mediaDevices } = navigator;
          const real = mediaDevices.getUserMedia.bind(mediaDevices);
          Object.assign(window, { busy: true });
          mediaDevices.getUserMedia = (constraints) =>
            constraints?.video && (window as unknown as { busy: boolean }).busy
              ? Promise.reject(new DOMException('busy', 'NotReadableError'))
              : real(constraints);
        },
      });
      expect(await notice(patient)).toBe(english('device-in-use'));
      await patient.page.evaluate(() => Object.assign(window, { busy: false }));
      await $(patient.page, '[data-action=retry-media]').click();
      await $(patient.page, '.preview .shown video').waitFor();
      expect(await $(patient.page, '.notice').count()).toBe(0);
    });

    it('that the page is not secure', async () => {
      const patient = await preview({}, INSECURE);
      expect(await notice(patient)).toBe(english('insecure-context'));
      await joins(patient);
    });

    it('that the browser can not do it, without a way to try again', async () => {
      const patient = await preview({
        prepare: () => Reflect.deleteProperty(window, 'RTCPeerConnection'),
      });
      await $(patient.page, '[data-action=join]').click();
      expect(await ending(patient)).toContain(english('browser-unsupported'));
      expect(await $(patient.page, '[data-action=rejoin]').count()).toBe(0);
    });

    it('that the link has expired', async () => {
      const token = await tokenFor(randomUUID(), 'patient', -3600);
      const patient = await open(site.visit({ token, attributes: 'auto' }));
      expect(await ending(patient)).toContain(english('unauthorized'));
    });

    it('that the visit has ended: to those in it, and to who comes late', async () => {
      const visit = randomUUID();
      const provider = await join(visit, 'provider');
      const patient = await join(visit, 'patient');
      await $(provider.page, '[data-action=end]').click();
      await $(provider.page, '[data-action=confirm-end]').click();
      for (const person of [provider, patient])
        expect(await ending(person)).toEqual([
          'The visit has ended',
          'You can close this page now.',
        ]);
      const late = await open(
        site.visit({ token: await tokenFor(visit, 'specialist'), attributes: 'auto' }),
      );
      expect(await ending(late)).toEqual(['The visit has ended', 'You can close this page now.']);
      expect(await $(late.page, '[data-action=rejoin]').count()).toBe(0);
    });
  });

  describe('devices', () => {
    it('are changed in the dialog: the other side goes on seeing, the person sees the new picture', async () => {
      const visit = randomUUID();
      const provider = await join(visit, 'provider');
      const patient = await join(visit, 'patient');
      const patientId = await patient.id();
      await provider.seesAndHears(patientId);
      await $(patient.page, '[data-action=devices]').click();
      const camera = $(patient.page, '.devices [data-device=videoinput] select');
      const used = () =>
        patient.eval(
          (one) => one.localParticipant.tracks.get('camera')?.track?.getSettings().deviceId,
        );
      const before = await used();
      expect(await camera.inputValue()).toBe(before);
      // Of three fake ones, the second one's pixel format is none that Chromium encodes.
      await camera.selectOption({ index: 2 });
      await patient.until(
        (one, old) =>
          one.localParticipant.tracks.get('camera')?.track?.getSettings().deviceId !== old,
        before,
      );
      expect(await camera.inputValue()).toBe(await used());
      await provider.seesAndHears(patientId);
      expect(
        await $(patient.page, '.self video').evaluate(
          (video) =>
            ((video as HTMLVideoElement).srcObject as MediaStream)
              .getVideoTracks()[0]
              ?.getSettings().deviceId,
        ),
      ).toBe(await used());
    });

    it('are unplugged and plugged in again: the person is told, and seen again by itself', async () => {
      const visit = randomUUID();
      const provider = await join(visit, 'provider');
      const patient = await join(visit, 'patient');
      const patientId = await patient.id();
      await provider.seesAndHears(patientId);
      // What a browser does when a camera is pulled out.
      await patient.eval((one) => {
        const { mediaDevices } = navigator;
        const real = mediaDevices.getUserMedia.bind(mediaDevices);
        mediaDevices.getUserMedia = () => Promise.reject(new DOMException('gone', 'NotFoundError'));
        Object.assign(window, {
          plugIn: () => {
            mediaDevices.getUserMedia = real;
            mediaDevices.dispatchEvent(new Event('devicechange'));
          },
        });
        const track = one.localParticipant.tracks.get('camera')?.track;
        track?.stop();
        track?.dispatchEvent(new Event('ended'));
      });
      await $(patient.page, '[data-banner=problem]').waitFor();
      expect(await $(patient.page, '[data-banner=problem]').textContent()).toContain(
        english('device-not-found'),
      );
      await $(patient.page, '.self[data-camera=off]').waitFor();
      await $(provider.page, `[data-participant="${patientId}"][data-camera=off]`).waitFor();
      await patient.page.evaluate(() => (window as unknown as { plugIn(): void }).plugIn());
      await $(patient.page, '.self[data-camera=on]').waitFor();
      await provider.seesAndHears(patientId);
      expect(await $(patient.page, '[data-banner=problem]').count()).toBe(0);
    });

    it('show a screen at the press of a button, until it is pressed again', async () => {
      const visit = randomUUID();
      const provider = await join(visit, 'provider');
      const patient = await join(visit, 'patient');
      await $(provider.page, '[data-action=screen]').click();
      await $(provider.page, '[data-banner=screen]').waitFor();
      await $(patient.page, '[data-source=screen] .shown video').waitFor();
      await patient.until(async (one) =>
        (await one.getStats()).inbound.some(
          ({ source, framesDecoded }) => source === 'screen' && (framesDecoded ?? 0) > 0,
        ),
      );
      await $(provider.page, '[data-action=stop-screen]').click();
      await $(patient.page, '[data-source=screen]').waitFor({ state: 'detached' });
      await $(provider.page, '[data-banner=screen]').waitFor({ state: 'detached' });
    });
  });

  describe('sound that the browser holds back', () => {
    /** Keeps the sounds that the page plays at hand, and says when the element shows that it may not. */
    function recordSounds(): void {
      const sounds: HTMLAudioElement[] = [];
      const Sound = Audio;
      const Recorded = () => {
        const sound = new Sound();
        sounds.push(sound);
        return sound;
      };
      Object.assign(window, {
        sounds,
        Audio: new Proxy(Sound, { construct: Recorded }),
      });
      const look = setInterval(() => {
        const root = document.querySelector('bedside-visit')?.shadowRoot;
        if (!root?.querySelector('[data-banner=audio]')) return;
        clearInterval(look);
        console.log('held back');
      }, 50);
    }
    const paused = (person: Person) =>
      person.page.evaluate(() =>
        (window as unknown as { sounds: HTMLAudioElement[] }).sounds.map((sound) => sound.paused),
      );

    it('is let go by the button that says so', async () => {
      const visit = randomUUID();
      await join(visit, 'provider');
      const inBrowser = await otherBrowser('--autoplay-policy=document-user-activation-required');
      const token = await tokenFor(visit, 'patient');
      const attributes = 'auto camera="off" microphone="off"';
      const patient = await open('about:blank', { inBrowser, prepare: recordSounds });
      // Playwright looks into a page as if a person had clicked on it: until it speaks nobody may look.
      const heldBack = patient.page.waitForEvent('console', (line) => line.text() === 'held back');
      await patient.page.goto(site.visit({ token, attributes }));
      await heldBack;
      expect(await paused(patient)).toEqual([true]);
      await $(patient.page, '[data-action=start-audio]').click();
      await $(patient.page, '[data-banner=audio]').waitFor({ state: 'detached' });
      expect(await paused(patient)).toEqual([false]);
    });
  });
});
