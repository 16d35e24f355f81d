import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { AxeResults } from 'axe-core';
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { launchChromium } from '../../../scripts/lib/chromium.mjs';
import { es } from '../texts/es.ts';
import type { FakePerson } from './testing/fake-visit.ts';
import type { Fixture, Scene } from './testing/fixture.ts';
import { type ElementPage, ElementPages } from './testing/page.ts';
import { asProvider, CLINICAL, interpreter, others, provider, SCENES } from './testing/scenes.ts';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

const ALL = { ...SCENES, ...CLINICAL };
const scenes = Object.keys(ALL);

describe('<bedside-visit>', () => {
  let browser: Browser;
  let pages: ElementPages;
  let opened: ElementPage[] = [];

  beforeAll(async () => {
    browser = await launchChromium();
    pages = await ElementPages.serve(browser);
  });

  afterEach(async () => {
    const complaints = opened.flatMap((one) => one.complaints);
    await Promise.all(opened.map((one) => one.close()));
    opened = [];
    // Also what the Content-Security-Policy would have blocked.
    expect(complaints).toEqual([]);
  });

  afterAll(async () => {
    await pages?.close();
    await browser?.close();
  });

  async function open(
    scene?: Scene,
    size?: { width: number; height: number },
    options?: Parameters<ElementPages['open']>[1],
  ): Promise<ElementPage> {
    const one = await pages.open(size, options);
    opened.push(one);
    return scene ? one.mount(scene) : one;
  }

  async function show(name: string, size?: { width: number; height: number }, more: Scene = {}) {
    const { scene, act } = ALL[name] as (typeof ALL)[string];
    const attributes = { ...scene.attributes, ...more.attributes };
    const one = await open({ ...scene, ...more, attributes }, size);
    if (act) await one.do(act);
    return one;
  }

  describe('accessibility', () => {
    it.each(scenes)('breaks no rule of axe-core: %s', async (name) => {
      const one = await show(name);
      await one.page.evaluate(axe);
      const violations = await one.page.evaluate(async () => {
        const { axe } = window as unknown as { axe: { run(): Promise<AxeResults> } };
        // Colours are judged at rest.
        const moving = window.fixture.element.shadowRoot?.getAnimations() ?? [];
        await Promise.all(
          moving
            .filter(({ effect }) => effect?.getComputedTiming().iterations !== Infinity)
            .map(({ finished }) => finished.catch(() => {})),
        );
        return (await axe.run()).violations.map(({ id, nodes }) => ({
          id,
          nodes: nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`),
        }));
      });
      expect(violations).toEqual([]);
    });

    it.each(scenes)(
      'fits 320 pixels without scrolling sideways, with controls large enough to hit: %s',
      async (name) => {
        const one = await show(name, { width: 320, height: 568 });
        expect(await one.get(outside)).toEqual([]);
        expect(await one.get(tooSmall)).toEqual([]);
        expect(await one.get(() => document.documentElement.scrollWidth)).toBe(320);
      },
    );

    it.each([
      ['a wall screen', { width: 3840, height: 2160 }],
      ['a phone on its side', { width: 844, height: 390 }],
      ['a tablet', { width: 768, height: 1024 }],
    ])('fits %s', async (_, size) => {
      const one = await show('with three', size);
      expect(await one.get(outside)).toEqual([]);
      expect(await one.get(tooSmall)).toEqual([]);
      await one.do(({ visit }) => visit.leave());
      expect(await one.get(outside)).toEqual([]);
    });

    it.each([
      ['before the visit', 320],
      ['with three', 320],
      ['asked whether to end', 320],
      ['with three', 1280],
    ])('fits text of twice the size: %s at %i pixels', async (name, width) => {
      const one = await open(undefined, { width, height: 640 });
      const devtools = await one.page.context().newCDPSession(one.page);
      await devtools.send('Page.setFontSizes', { fontSizes: { standard: 32, fixed: 26 } });
      const { scene, act } = ALL[name] as (typeof ALL)[string];
      await one.mount(scene);
      if (act) await one.do(act);
      expect(await one.get(({ element }) => getComputedStyle(element).fontSize)).toBe('32px');
      expect(await one.get(outside)).toEqual([]);
    });

    it.each([320, 360, 390, 430, 600, 768, 900])(
      'has names of controls that do not run into each other, in every language, at %i pixels',
      async (width) => {
        for (const lang of ['en', 'es']) {
          const one = await open({ ...asProvider, attributes: { lang } }, { width, height: 844 });
          const gaps = await one.get(({ element }) => {
            const boxes = [
              ...(element.shadowRoot?.querySelectorAll('.toolbar .caption') ?? []),
            ].map((each) => {
              const range = document.createRange();
              range.selectNodeContents(each);
              return range.getBoundingClientRect();
            });
            return boxes.slice(1).map(({ left }, i) => left - (boxes[i]?.right ?? 0));
          });
          expect(gaps.length).toBeGreaterThan(3);
          expect(Math.min(...gaps)).toBeGreaterThan(1);
        }
      },
    );

    it('moves nothing where motion is to be reduced', async () => {
      const change = async (one: ElementPage) => {
        await one.page.evaluate(() => {
          window.fixture.visit.add({ id: 'new', role: 'caregiver' });
          return window.fixture.element.updateComplete;
        });
        return one.get(({ element }) => element.shadowRoot?.getAnimations().length ?? 0);
      };
      const still = await open({ people: [provider] }, undefined, { reducedMotion: 'reduce' });
      expect(await change(still)).toBe(0);
      const lively = await open({ people: [provider] });
      expect(await change(lively)).toBeGreaterThan(0);
    });

    it('shows what is on and off in forced colours, too', async () => {
      const one = await open({ people: [provider] }, undefined, { forcedColors: 'active' });
      await one.do(({ visit }) => visit.localParticipant.setCameraEnabled(false));
      const colour = (action: string) =>
        one
          .$(`[data-action=${action}] .glyph`)
          .evaluate((glyph) => getComputedStyle(glyph).backgroundColor);
      expect(await colour('microphone')).not.toBe(await colour('camera'));
    });
  });

  describe('keyboard', () => {
    const actions = [
      'microphone',
      'camera',
      'screen',
      'hand',
      'people',
      'languages',
      'devices',
      'end',
      'leave',
    ];
    const patient: FakePerson = { id: 'pa', role: 'patient', name: 'Ana López' };
    const asProvider: Scene = { role: 'provider', people: [patient] };

    it('reaches every control of the visit in reading order, and comes out again', async () => {
      const one = await open(asProvider);
      const reached: (string | undefined)[] = [];
      for (let i = 0; i <= actions.length; i++) {
        await one.page.keyboard.press('Tab');
        reached.push(await one.focused());
      }
      expect(reached).toEqual([...actions, undefined]);
    });

    it('reaches everything before the visit, joining last', async () => {
      const one = await open({ name: 'Ana' });
      const reached: (string | undefined)[] = [];
      for (let i = 0; i < 6; i++) {
        await one.page.keyboard.press('Tab');
        reached.push(await one.focused());
      }
      expect(reached).toEqual(['microphone', 'camera', 'select', 'select', 'select', 'join']);
    });

    it.each([
      ['Space', 'microphone', 'microphone off'],
      ['Enter', 'camera', 'camera off'],
      ['Enter', 'screen', 'screen on'],
      ['Enter', 'leave', 'leave'],
    ])('%s on %s does it', async (key, action, call) => {
      const one = await open(asProvider);
      await one.$(`[data-action=${action}]`).focus();
      await one.page.keyboard.press(key);
      await one.do(() => {});
      expect(await one.get(({ visit }) => visit.log.at(-1))).toBe(call);
    });

    it('toggles say by their state whether they are on', async () => {
      const one = await open(asProvider);
      const pressed = () => one.$('[data-action=microphone]').getAttribute('aria-pressed');
      expect(await pressed()).toBe('true');
      await one.do(({ visit }) => visit.localParticipant.setMicrophoneEnabled(false));
      expect(await pressed()).toBe('false');
    });

    it.each([
      ['devices', 8],
      ['end', 5],
    ])('the dialog of %s keeps the focus and gives it back on Escape', async (action, stops) => {
      const one = await open(asProvider);
      await one.$(`[data-action=${action}]`).focus();
      await one.page.keyboard.press('Enter');
      const inside = () =>
        one.get(
          ({ element }) => element.shadowRoot?.activeElement?.closest('dialog[open]') != null,
        );
      expect(await inside()).toBe(true);
      let within = 0;
      for (let i = 0; i < stops * 2; i++) {
        await one.page.keyboard.press('Tab');
        const focused = await one.focused();
        // The browser's own bar is the only other stop.
        if (focused !== undefined) expect(await inside()).toBe(true);
        if (focused !== undefined) within++;
      }
      expect(within).toBeGreaterThan(stops / 2);
      await one.page.keyboard.press('Escape');
      expect(
        await one.get(({ element }) => element.shadowRoot?.querySelector('dialog[open]') === null),
      ).toBe(true);
      expect(await one.focused()).toBe(action);
      expect(await one.get(({ visit }) => visit.state)).toBe('connected');
    });

    it.each([
      ['confirm-end', 'end'],
      ['leave-instead', 'leave'],
      ['cancel-end', 'connect'],
    ])('asks before the visit ends for everybody: %s', async (action, call) => {
      const one = await open(asProvider);
      await one.$('[data-action=end]').click();
      await one.$(`[data-action=${action}]`).click();
      await one.do(() => {});
      expect(await one.get(({ visit }) => visit.log.at(-1))).toBe(call);
    });

    describe('M and V', () => {
      const calls = (one: ElementPage) =>
        one.get(({ visit }) => visit.log.filter((call) => / o/.test(call)));

      async function inVisit(): Promise<ElementPage> {
        const one = await open({ people: [provider] });
        await one.$('[data-action=devices]').focus();
        await one.do(({ visit }) => visit.log.splice(0));
        return one;
      }

      it('toggle microphone and camera, in capitals, too', async () => {
        const one = await inVisit();
        for (const key of ['m', 'v', 'M']) {
          await one.page.keyboard.press(key);
          await one.do(() => {});
        }
        expect(await calls(one)).toEqual(['microphone off', 'camera off', 'microphone on']);
      });

      it.each(['Control+m', 'Alt+m', 'Meta+m'])('leave %s to the browser', async (keys) => {
        const one = await inVisit();
        await one.page.keyboard.press(keys);
        expect(await calls(one)).toEqual([]);
      });

      it('do nothing while the focus is elsewhere on the page', async () => {
        const one = await inVisit();
        await one.page.evaluate(() => {
          const field = document.createElement('input');
          document.querySelector('main')?.prepend(field);
          field.focus();
        });
        await one.page.keyboard.press('m');
        expect(await calls(one)).toEqual([]);
      });

      it('do nothing in a dialog', async () => {
        const one = await inVisit();
        await one.$('[data-action=devices]').click();
        await one.page.keyboard.press('m');
        expect(await calls(one)).toEqual([]);
      });

      it('are turned off by the person in the dialog, and say so no more', async () => {
        const one = await inVisit();
        expect(await one.$('[data-action=microphone]').getAttribute('aria-keyshortcuts')).toBe('M');
        await one.$('[data-action=devices]').click();
        await one.$('.devices input[type=checkbox]').uncheck();
        await one.page.keyboard.press('Escape');
        await one.page.keyboard.press('m');
        expect(await calls(one)).toEqual([]);
        expect(
          await one.$('[data-action=microphone]').getAttribute('aria-keyshortcuts'),
        ).toBeNull();
      });

      it('are turned off by the page', async () => {
        const one = await inVisit();
        await one.do(({ element }) => {
          element.shortcuts = false;
        });
        await one.page.keyboard.press('v');
        expect(await calls(one)).toEqual([]);
      });

      it('do nothing before the visit', async () => {
        const one = await open({});
        await one.$('[data-action=join]').focus();
        await one.do(({ visit }) => visit.log.splice(0));
        await one.page.keyboard.press('m');
        expect(await calls(one)).toEqual([]);
      });
    });
  });

  describe('focus', () => {
    const where = (one: ElementPage) =>
      one.get(
        ({ element }) =>
          element.shadowRoot?.activeElement?.className ||
          element.shadowRoot?.activeElement?.localName,
      );

    it('follows from joining to the visit to its end', async () => {
      const one = await open({});
      await one.$('[data-action=join]').focus();
      await one.do(({ visit }) => visit.setState('connecting'));
      expect(await where(one)).toBe('h1');
      await one.do(({ visit }) => visit.setState('connected'));
      expect(await where(one)).toBe('visit');
      await one.$('[data-action=leave]').focus();
      await one.page.keyboard.press('Enter');
      await one.do(() => {});
      expect(await where(one)).toBe('h1');
      expect(await one.text('h1')).toBe('You have left the visit');
    });

    it('goes on where the visit ends under an open dialog', async () => {
      const one = await show('choosing devices');
      await one.do(({ visit }) => visit.setState('disconnected', 'visit-ended'));
      expect(await where(one)).toBe('h1');
    });

    it('is never taken from the rest of the page', async () => {
      const one = await open({});
      await one.page.evaluate(() => {
        const field = document.createElement('input');
        document.body.prepend(field);
        field.focus();
      });
      await one.do(({ visit }) => visit.setState('connecting'));
      await one.do(({ visit }) => visit.setState('connected'));
      expect(await one.get(() => document.activeElement?.localName)).toBe('input');
    });
  });

  describe('live region', () => {
    const said = (one: ElementPage) => one.$('[role=log] p').allTextContents();

    it('is polite and there from the beginning, so that readers know it', async () => {
      const one = await show('preparing');
      expect(await one.$('[role=log]').getAttribute('aria-live')).toBe('polite');
    });

    it('says who comes and goes, and when one is in', async () => {
      const one = await open({ people: [provider] });
      expect(await said(one)).toContain('You are in the visit');
      await one.do(({ visit }) => visit.add({ id: 'in', role: 'interpreter' }));
      await one.do(({ visit }) => visit.gone('dr'));
      expect((await said(one)).slice(-2)).toEqual([
        'Interpreter joined the visit',
        'Dr. Elena Marsh left the visit',
      ]);
    });

    it('says who turns a microphone off or on, and shows a screen', async () => {
      const one = await open({ people: [provider] });
      await one.do(({ visit }) => visit.turn('dr', 'microphone', true));
      await one.do(({ visit }) => visit.turn('dr', 'microphone', false));
      await one.do(({ visit }) => visit.turn('dr', 'screen', false));
      expect((await said(one)).slice(-3)).toEqual([
        'Dr. Elena Marsh turned the microphone off',
        'Dr. Elena Marsh turned the microphone on',
        'Dr. Elena Marsh is showing the screen',
      ]);
    });

    it('says that the connection is interrupted and back, one’s own and another’s', async () => {
      const one = await open({ people: [provider] });
      await one.do(({ visit }) => visit.setState('reconnecting'));
      await one.do(({ visit }) => visit.setState('connected'));
      await one.do(({ visit }) => visit.change('dr', { connection: 'reconnecting' }));
      await one.do(({ visit }) => visit.change('dr', { connection: 'connected' }));
      expect(await said(one)).toEqual([
        'Your connection was interrupted. Reconnecting…',
        'You are connected again',
        'Dr. Elena Marsh lost the connection',
        'Dr. Elena Marsh is connected again',
      ]);
    });

    it('says one’s own microphone and camera', async () => {
      const one = await open({ people: [provider] });
      await one.$('[data-action=microphone]').click();
      await one.$('[data-action=camera]').click();
      await one.do(() => {});
      expect((await said(one)).slice(-2)).toEqual(['Your microphone is off', 'Your camera is off']);
    });

    it.each(['left', 'visit-ended'] as const)(
      'does not say that the others left where the visit is over for oneself: %s',
      async (reason) => {
        const one = await open({ people: others });
        await one.page.evaluate((why) => {
          const { visit } = window.fixture;
          visit.setState('disconnected', why);
          for (const id of ['dr', 'in', 'sp']) visit.gone(id);
        }, reason);
        await one.do(() => {});
        expect((await said(one)).filter((line) => line.includes('left'))).toEqual([]);
      },
    );

    it('does not read out those who were there already', async () => {
      const one = await open({ people: others });
      expect((await said(one)).filter((line) => line.includes('joined'))).toEqual([]);
    });
  });

  describe('pictures', () => {
    const fit = (one: ElementPage, selector: string) =>
      one.$(`${selector} video`).evaluate((video) => getComputedStyle(video).objectFit);
    const ready = (one: ElementPage, selector: string) =>
      one.page.waitForFunction(
        (inner) => {
          const root = document.querySelector('bedside-visit')?.shadowRoot;
          const video = root?.querySelector<HTMLVideoElement>(`${inner} video`);
          return (video?.videoWidth ?? 0) > 0 && video?.dataset.fit !== undefined;
        },
        selector,
        { polling: 20 },
      );

    it('show an interpreter and a screen whole, a face filling its tile', async () => {
      const one = await open({ people: [{ ...provider, screen: true }, interpreter] });
      for (const selector of ['[data-role=interpreter]', '[data-source=screen]']) {
        await ready(one, selector);
        expect(await fit(one, selector)).toBe('contain');
      }
      await ready(one, '[data-participant=dr][data-source=camera]');
      expect(await fit(one, '[data-participant=dr][data-source=camera]')).toBe('cover');
    });

    it('show an upright phone whole where its tile is wide', async () => {
      const one = await open({ people: [{ ...provider, upright: true }] });
      await ready(one, '[data-participant=dr]');
      expect(await fit(one, '[data-participant=dr]')).toBe('contain');
    });

    it('ask for the size they are shown at, for nothing once gone', async () => {
      const one = await open({ people: others });
      await ready(one, '[data-participant=dr]');
      const [width = 0, height = 0] = (
        await one.get(({ visit }) => visit.sizes.get('dr camera') ?? '0x0')
      )
        .split('x')
        .map(Number);
      const box = await one.$('[data-participant=dr]').boundingBox();
      expect(width).toBeGreaterThanOrEqual(Math.floor(box?.width ?? 0));
      expect(width / height).toBeCloseTo(16 / 9, 1);
      await one.do(({ visit }) => visit.gone('dr'));
      expect(await one.get(({ visit }) => visit.sizes.get('dr camera'))).toBe('0x0');
    });

    it('stand at an interruption, and go with the camera', async () => {
      const one = await open({ people: [provider] });
      await ready(one, '[data-participant=dr]');
      const shown = () =>
        one
          .$('[data-participant=dr] video')
          .evaluate((video) => (video as HTMLVideoElement).srcObject !== null);
      await one.do(({ visit }) => {
        visit.change('dr', { connection: 'reconnecting' });
        visit.drop('dr', 'camera');
      });
      expect(await shown()).toBe(true);
      await one.do(({ visit }) => {
        visit.change('dr', { connection: 'connected' });
        visit.turn('dr', 'camera', true);
      });
      expect(await shown()).toBe(false);
      expect(await one.text('[data-participant=dr] .avatar')).toBe('EM');
    });

    describe('after one another', () => {
      const tile = '[data-participant=dr][data-source=camera]';
      /** How many videos there are, and of the one that is seen what is in its middle. */
      const seen = (one: ElementPage) =>
        one.$(`${tile} video`).evaluateAll((videos) => {
          const canvas = Object.assign(document.createElement('canvas'), { width: 1, height: 1 });
          const context = canvas.getContext('2d') as CanvasRenderingContext2D;
          context.drawImage(videos.at(-1) as HTMLVideoElement, 0, 0, 1, 1);
          const [red = 0, green = 0, blue = 0] = context.getImageData(0, 0, 1, 1).data;
          const isGreen = green > 2 * (red + blue);
          const color = isGreen ? 'green' : red + green + blue > 90 ? 'picture' : 'black';
          return { videos: videos.length, color };
        });
      /** Of a track whose first frame comes when it is told to. */
      const receive = (one: ElementPage) =>
        one.do(({ visit }) => {
          const canvas = document.createElement('canvas');
          const context = canvas.getContext('2d') as CanvasRenderingContext2D;
          const [track] = canvas
            .captureStream(0)
            .getVideoTracks() as CanvasCaptureMediaStreamTrack[];
          if (!track) throw new Error('The canvas gave no track');
          Object.assign(window, {
            frame: () => {
              context.fillStyle = '#0c0';
              context.fillRect(0, 0, 300, 150);
              track.requestFrame();
            },
          });
          visit.receive('dr', 'camera', track);
        });
      const frame = (one: ElementPage) =>
        one.page.evaluate(() => (window as unknown as { frame(): void }).frame());
      const notice = (one: ElementPage) => one.$(`${tile} .interruption`).isVisible();
      const twoFrames = (one: ElementPage) =>
        one.page.evaluate(
          () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))),
        );

      it('are seen without a gap: the one before until the first frame of the next', async () => {
        const one = await open({ people: [provider] });
        await ready(one, tile);
        await receive(one);
        await twoFrames(one);
        expect(await seen(one)).toEqual({ videos: 2, color: 'picture' });
        await frame(one);
        await expect.poll(() => seen(one)).toEqual({ videos: 1, color: 'green' });
        expect(await notice(one)).toBe(false);
      });

      it('stand, with a notice, from an interruption to the first frame of the next', async () => {
        const one = await open({ people: [provider] });
        await ready(one, tile);
        await one.do(({ visit }) => visit.interrupt('dr', 'camera'));
        await twoFrames(one);
        expect(await seen(one)).toEqual({ videos: 1, color: 'picture' });
        expect([await notice(one), (await one.$('[role=log] p').allTextContents()).at(-1)]).toEqual(
          [true, 'Dr. Elena Marsh lost the connection'],
        );
        await receive(one);
        await twoFrames(one);
        expect([await seen(one), await notice(one)]).toEqual([
          { videos: 2, color: 'picture' },
          true,
        ]);
        await frame(one);
        await expect.poll(() => seen(one)).toEqual({ videos: 1, color: 'green' });
        await expect.poll(() => notice(one), { timeout: 5_000 }).toBe(false);
      });

      it('go at once where no other is to come', async () => {
        const one = await open({ people: [provider] });
        await ready(one, tile);
        await one.do(({ visit }) => visit.interrupt('dr', 'camera'));
        await one.do(({ visit }) => visit.receive('dr', 'camera', undefined));
        expect(await one.$(`${tile} .picture.shown`).count()).toBe(0);
        expect(await notice(one)).toBe(false);
        expect(
          await one.$(`${tile} video`).evaluate((video) => (video as HTMLVideoElement).srcObject),
        ).toBe(null);
      });
    });

    it('mirror oneself and nobody else', async () => {
      const one = await open({ people: [provider] });
      const scale = (selector: string) =>
        one.$(`${selector} video`).evaluate((video) => getComputedStyle(video).scale);
      expect(await scale('.self')).toBe('-1 1');
      expect(await scale('[data-participant=dr]')).toBe('none');
    });

    it('are all muted: sound is the core’s', async () => {
      const one = await open({ people: others });
      const muted = await one
        .$('video')
        .evaluateAll((videos) => videos.map((video) => (video as HTMLVideoElement).muted));
      expect(muted.length).toBeGreaterThan(3);
      expect(muted.every(Boolean)).toBe(true);
    });
  });

  describe('languages', () => {
    const boxes = (one: ElementPage) =>
      one.$('.tile, .toolbar button').evaluateAll((all) =>
        all.map((each) => {
          const { left, right, top, bottom } = each.getBoundingClientRect();
          return { left, right, top, bottom };
        }),
      );

    it('mirrors the visit from right to left', async () => {
      const people = [{ ...provider, screen: true }, interpreter];
      const ltr = await boxes(await open({ people }));
      const one = await open({ people, attributes: { lang: 'ar' } });
      expect(await one.$('.root').getAttribute('dir')).toBe('rtl');
      const rtl = await boxes(one);
      expect(rtl).toHaveLength(ltr.length);
      for (const [index, { left, right, top, bottom }] of ltr.entries()) {
        expect(Math.abs((rtl[index]?.left ?? 0) - (1280 - right))).toBeLessThan(1);
        expect(Math.abs((rtl[index]?.right ?? 0) - (1280 - left))).toBeLessThan(1);
        expect([rtl[index]?.top, rtl[index]?.bottom]).toEqual([top, bottom]);
      }
    });

    it('changes its language while a visit goes on, without touching it', async () => {
      const one = await open({ people: [provider] });
      const calls = await one.get(({ visit }) => visit.log.length);
      await one.do(({ element }) => element.setAttribute('lang', 'es-MX'));
      expect(await one.text('[data-action=leave] .caption')).toBe('Salir');
      expect(await one.text('[data-participant=dr] .role')).toBe('Profesional');
      expect(await one.$('.root').getAttribute('lang')).toBe('es');
      await one.do(({ visit }) => visit.add({ id: 'in', role: 'interpreter' }));
      expect((await one.$('[role=log] p').allTextContents()).at(-1)).toBe(
        'Intérprete se unió a la visita',
      );
      expect(await one.get(({ visit }) => visit.log.length)).toBe(calls);
    });

    it('takes the language of the page where it has none of its own', async () => {
      const one = await open(undefined);
      await one.page.evaluate(() => document.documentElement.setAttribute('lang', 'es'));
      await one.mount({ attributes: { lang: '-' } });
      expect(await one.text('h1')).toBe(es.ui.prejoinTitle);
    });

    it('reads a name in its own direction', async () => {
      const one = await open({ people: [provider], attributes: { lang: 'ar' } });
      const direction = await one
        .$('[data-participant=dr] .name')
        .evaluate((name) => getComputedStyle(name).direction);
      expect(direction).toBe('ltr');
    });
  });

  describe('errors', () => {
    it.each([
      'permission-denied',
      'device-not-found',
      'device-in-use',
      'insecure-context',
      'permissions-policy',
    ] as const)(
      'says before the visit, as text and aloud, what is wrong with a device: %s',
      async (code) => {
        const one = await open({ deviceError: code, attributes: { lang: 'es' } });
        expect(await one.text('.notice[role=alert] p')).toBe(es.errors[code]);
        expect(await one.$('[data-action=join]').isEnabled()).toBe(true);
      },
    );

    it('tries a device again', async () => {
      const one = await open({ deviceError: 'device-in-use' });
      await one.do(({ visit }) => {
        visit.deviceError = undefined;
      });
      await one.$('[data-action=retry-media]').click();
      await one.do(() => {});
      expect(await one.$('.notice').count()).toBe(0);
      expect(await one.get(({ visit }) => visit.localParticipant.isCameraEnabled)).toBe(true);
    });

    it('keeps what is wrong with the camera while the microphone works', async () => {
      const one = await open({ people: [provider] });
      await one.do(async ({ visit, error }) => {
        visit.emit('mediaDevicesError', error('device-in-use'), 'camera');
      });
      await one.$('[data-action=microphone]').click();
      await one.do(() => {});
      expect(await one.$('[data-banner=problem]').count()).toBe(1);
      await one.$('[data-banner=problem] button').click();
      expect(await one.$('[data-banner=problem]').count()).toBe(0);
    });

    it('complains no more of a camera that is back by itself', async () => {
      const one = await open({ people: [provider] });
      await one.do(async ({ visit, error }) => {
        await visit.localParticipant.setCameraEnabled(false);
        visit.emit('mediaDevicesError', error('device-not-found'), 'camera');
      });
      expect(await one.$('[data-banner=problem]').count()).toBe(1);
      await one.do(({ visit }) => visit.localParticipant.setMicrophoneEnabled(true));
      expect(await one.$('[data-banner=problem]').count()).toBe(1);
      await one.do(({ visit }) => visit.localParticipant.setCameraEnabled(true));
      expect(await one.$('[data-banner=problem]').count()).toBe(0);
    });

    it.each([
      ['connection-failed', es.ui.failedTitle, es.errors['connection-failed'], true],
      ['unauthorized', es.ui.expiredTitle, es.errors.unauthorized, false],
      ['token-unavailable', es.ui.failedTitle, es.errors['token-unavailable'], true],
      ['capacity', es.ui.failedTitle, es.errors.capacity, true],
      ['browser-unsupported', es.ui.failedTitle, es.errors['browser-unsupported'], false],
      ['visit-ended', es.ui.endedTitle, es.ui.endedHint, false],
      ['removed', es.ui.failedTitle, es.errors.removed, false],
    ] as const)(
      'says why joining failed, and tries again where that helps: %s',
      async (code, title, text, again) => {
        const one = await open({ connectError: code, attributes: { lang: 'es' } });
        await one.$('[data-action=join]').click();
        await one.do(() => {});
        expect(await one.text('h1')).toBe(title);
        expect(await one.text('.ended p')).toBe(text);
        expect(await one.$('[data-action=rejoin]').count()).toBe(again ? 1 : 0);
      },
    );

    it.each([
      ['left', 'leftTitle', true],
      ['visit-ended', 'endedTitle', false],
      ['replaced', 'replacedTitle', true],
      ['removed', 'removedTitle', false],
      ['token-expired', 'expiredTitle', false],
    ] as const)('says how the visit ended: %s', async (reason, title, again) => {
      const one = await open({ people: [] });
      await one.page.evaluate((why) => window.fixture.visit.setState('disconnected', why), reason);
      await one.do(() => {});
      expect(await one.text('h1')).toBe((await one.get(({ en }) => en))[title]);
      expect(await one.$('[data-action=rejoin]').count()).toBe(again ? 1 : 0);
    });

    it('offers a way back from an expired token where the page can give a new one', async () => {
      const one = await open({ people: [] });
      await one.do(({ element, visit }) => {
        element.tokenProvider = async () => 'x';
        visit.setState('disconnected', 'token-expired');
      });
      expect(await one.$('[data-action=rejoin]').count()).toBe(1);
    });

    it('lets the person hear the visit by a click where the browser holds the sound back', async () => {
      const one = await show('sound held back');
      expect(await one.$('[data-banner=audio][role=alert]').count()).toBe(1);
      await one.$('[data-action=start-audio]').click();
      await one.do(() => {});
      expect(await one.get(({ visit }) => visit.log.at(-1))).toBe('startAudio');
      expect(await one.$('[data-banner=audio]').count()).toBe(0);
    });

    it('goes back to the chosen device where another one can not be had', async () => {
      const one = await show('choosing devices');
      await one.do(({ visit, error }) => {
        visit.deviceError = error('device-in-use');
      });
      const camera = one.$('.devices [data-device=videoinput] select');
      await camera.selectOption('videoinput-1');
      await one.do(() => {});
      expect(await one.get(({ visit }) => visit.log.at(-1))).toBe('switch videoinput videoinput-1');
      expect(await camera.inputValue()).toBe('videoinput-0');
      expect(await one.$('[data-banner=problem]').count()).toBe(1);
    });
  });

  describe('life', () => {
    it('waits for a token that comes late', async () => {
      const one = await open({ attributes: { token: '-' } });
      expect(await one.get(({ element }) => element.phase)).toBe('preparing');
      await one.do(({ element }) => {
        element.tokenProvider = async () => 'x';
      });
      expect(await one.get(({ element }) => element.phase)).toBe('prejoin');
    });

    it('says who joins, as the token has it', async () => {
      const one = await open({ role: 'interpreter', name: 'Jonas' });
      expect(await one.text('.as')).toBe('You join as Jonas Interpreter');
      await open({ attributes: { token: 'nonsense' } }).then(async (two) => {
        expect(await two.$('.as').count()).toBe(0);
      });
    });

    it('opens no camera that is to be off, and joins without', async () => {
      const one = await open({ attributes: { camera: 'off' } });
      await one.$('[data-action=join]').click();
      await one.do(() => {});
      const calls = await one.get(({ visit }) => visit.log);
      expect(calls).toContain('microphone on');
      expect(calls).toContain('connect');
      expect(calls).not.toContain('camera on');
    });

    it('keeps what the person turned off when it begins anew, and tells the page', async () => {
      const one = await open({ people: [provider] });
      await one.get(({ element }) =>
        element.addEventListener('bedside-device-toggled', ({ detail }) =>
          Object.assign(window, { toggled: detail }),
        ),
      );
      await one.$('[data-action=microphone]').click();
      expect(await one.get(() => (window as unknown as { toggled: unknown }).toggled)).toEqual({
        source: 'microphone',
        enabled: false,
      });
      await one.do(async ({ element }) => {
        element.remove();
        await Promise.resolve();
        document.querySelector('main')?.append(element);
      });
      expect(await one.get(({ visits }) => visits.length)).toBe(2);
      const calls = await one.get(({ visit }) => visit.log);
      expect(calls).toContain('camera on');
      expect(calls).not.toContain('microphone on');
    });

    it.each(['', undefined])(
      'asks who only watches for no device and shows no own tile (auto %j)',
      async (auto) => {
        const one = await open({
          role: 'observer',
          grants: [],
          deviceError: 'permission-denied',
          attributes: auto === undefined ? {} : { auto },
        });
        if (auto === undefined) {
          expect(await one.text('.ready .hint')).toBe((await one.get(({ en }) => en)).watchOnly);
          expect(await one.$('.preview-tools, [data-device=videoinput], .notice').count()).toBe(0);
          await one.$('[data-action=join]').click();
        }
        await one.do(({ visit }) => visit.add({ id: 'dr', role: 'provider' }));
        expect(await one.get(({ visit }) => visit.log)).toEqual(['connect']);
        expect(await one.$('.tile').count()).toBe(1);
        expect(await one.$('[data-banner=problem]').count()).toBe(0);
      },
    );

    it('has a size of its own where the page gives it none, and takes the one it gives', async () => {
      const one = await open({});
      const height = (style: string) =>
        one.page.evaluate((css) => {
          const box = document.createElement('div');
          const element = document.createElement('bedside-visit');
          element.style.cssText = css;
          box.append(element);
          document.body.append(box);
          return element.offsetHeight;
        }, style);
      expect(await height('')).toBe(600);
      expect(await height('block-size: 400px')).toBe(400);
    });

    it('tells the developer what is missing where it has nothing to begin with', async () => {
      const one = await open({});
      const warned = one.page.waitForEvent('console', (line) => line.type() === 'warning');
      await one.page.evaluate(() => document.body.append(document.createElement('bedside-visit')));
      expect((await warned).text()).toContain('`url` and `token` or `tokenProvider`');
    });

    it('joins without a click where it is told to', async () => {
      const one = await open({ attributes: { auto: '' } });
      expect(await one.get(({ visit }) => visit.state)).toBe('connected');
      expect(await one.get(({ element }) => element.phase)).toBe('visit');
    });

    it('joins again after leaving', async () => {
      const one = await show('left');
      await one.$('[data-action=rejoin]').click();
      await one.do(() => {});
      expect(await one.get(({ element }) => element.phase)).toBe('visit');
    });

    it('keeps its visit when it is moved on the page', async () => {
      const one = await open({ people: [provider] });
      await one.do(({ element }) => {
        const other = document.createElement('section');
        document.querySelector('main')?.append(other);
        other.append(element);
      });
      expect(await one.get(({ visits, visit }) => [visits.length, visit.state])).toEqual([
        1,
        'connected',
      ]);
      expect(
        await one
          .$('[data-participant=dr] video')
          .evaluate((video) => (video as HTMLVideoElement).srcObject !== null),
      ).toBe(true);
    });

    it('leaves when it is taken off the page, and begins anew when it is put back', async () => {
      const one = await open({ people: [provider] });
      await one.page.evaluate(async () => {
        const { element } = window.fixture;
        const parent = element.parentElement;
        element.remove();
        await new Promise((resolve) => setTimeout(resolve, 0));
        parent?.append(element);
      });
      await one.do(() => {});
      expect(await one.get(({ visits }) => visits.map(({ state }) => state))).toEqual([
        'disconnected',
        'disconnected',
      ]);
      expect(await one.get(({ visits }) => visits[0]?.log.at(-1))).toBe('leave');
      expect(await one.get(({ element }) => element.phase)).toBe('prejoin');
    });

    it('begins anew at another address', async () => {
      const one = await open({ people: [provider] });
      await one.do(({ element }) => element.setAttribute('url', 'https://other.invalid'));
      expect(await one.get(({ visits }) => visits.length)).toBe(2);
      expect(await one.get(({ visits }) => visits[0]?.state)).toBe('disconnected');
    });

    it('stands beside another one, each with a visit of its own', async () => {
      const one = await open({ people: [provider] });
      await one.mount({});
      await one.do(({ visits }) => visits[1]?.setState('connecting'));
      await one.do(({ visits }) => visits[1]?.setState('connected'));
      await one.page.locator('bedside-visit').first().locator('[data-action=devices]').focus();
      await one.page.keyboard.press('m');
      await one.do(() => {});
      expect(
        await one.get(({ visits }) =>
          visits.map(({ localParticipant }) => localParticipant.isMicrophoneEnabled),
        ),
      ).toEqual([false, true]);
      await one.do(({ visits }) => visits[0]?.leave());
      expect(
        await one.get(() =>
          [...document.querySelectorAll('bedside-visit')].map(({ phase }) => phase),
        ),
      ).toEqual(['ended', 'visit']);
    });

    it('tells the page by events that cross shadow roots', async () => {
      const one = await open(undefined);
      await one.page.evaluate(() => {
        const log: string[] = [];
        Object.assign(window, { log });
        for (const name of [
          'connected',
          'disconnected',
          'connection-state-changed',
          'participant-connected',
          'participant-disconnected',
          'media-error',
        ])
          document.addEventListener(`bedside-${name}`, (event) => {
            const { composed, detail } = event as CustomEvent<{
              state?: string;
              reason?: string;
              participantId?: string;
              error?: { code: string };
              visit?: unknown;
            }>;
            const { state, reason, participantId, error } = detail;
            log.push(
              `${name} ${composed} ${state ?? reason ?? participantId ?? error?.code ?? typeof detail.visit}`,
            );
          });
      });
      await one.mount({ people: [provider] });
      await one.do(({ visit, error }) => {
        visit.gone('dr');
        visit.emit('mediaDevicesError', error('device-not-found'), 'camera');
        return visit.leave();
      });
      expect(await one.page.evaluate(() => (window as unknown as { log: string[] }).log)).toEqual([
        'participant-connected true dr',
        'connection-state-changed true connecting',
        'connection-state-changed true connected',
        'connected true object',
        'participant-disconnected true dr',
        'media-error true device-not-found',
        'connection-state-changed true disconnected',
        'disconnected true left',
      ]);
    });

    it('tells how loud the microphone is, and that it was heard', async () => {
      const one = await open({});
      await one.page.waitForFunction(() => {
        const root = document.querySelector('bedside-visit')?.shadowRoot;
        const bar = root?.querySelector<HTMLElement>('.level');
        return Number(bar?.style.getPropertyValue('--level')) > 0.5;
      });
      expect(await one.text('.sound-check [role=status]')).toBe('Your microphone works.');
      await one.$('[data-action=microphone]').click();
      await one.do(() => {});
      expect(await one.text('.sound-check [role=status]')).toBe('Microphone off');
      expect(
        await one
          .$('.level')
          .evaluate((bar) => (bar as HTMLElement).style.getPropertyValue('--level')),
      ).toBe('');
    });

    it('keeps the screen on in a visit, and only there', async () => {
      const one = await open(undefined);
      await one.page.evaluate(() => {
        const locks: string[] = [];
        Object.assign(window, { locks });
        const request = async (type: string) => {
          locks.push(type);
          return { release: async () => void locks.push('released') };
        };
        Object.defineProperty(navigator, 'wakeLock', { value: { request } });
      });
      const locks = () => one.page.evaluate(() => (window as unknown as { locks: string[] }).locks);
      await one.mount({});
      expect(await locks()).toEqual([]);
      await one.$('[data-action=join]').click();
      await one.do(() => {});
      expect(await locks()).toEqual(['screen']);
      await one.do(({ visit }) => visit.leave());
      expect(await locks()).toEqual(['screen', 'released']);
    });

    it('writes nothing into the storage of the page', async () => {
      const one = await show('choosing devices');
      await one.$('.devices [data-device=videoinput] select').selectOption('videoinput-1');
      await one.$('.devices input[type=checkbox]').uncheck();
      const stored = await one.page.evaluate(async () => [
        ...Object.keys(localStorage),
        ...Object.keys(sessionStorage),
        ...(await indexedDB.databases()),
        ...(await caches.keys()),
        document.cookie,
      ]);
      expect(stored).toEqual(['']);
    });
  });
});

/** What of the element sticks out of it sideways, as text. */
function outside({ element }: Fixture): string[] {
  const box = element.getBoundingClientRect();
  const found: string[] = [];
  for (const each of element.shadowRoot?.querySelectorAll('*') ?? []) {
    const { left, right, width } = each.getBoundingClientRect();
    const clipped = each.closest('.hidden, .tile video, .tile .label, svg, .caption');
    if (width > 0 && !clipped && (left < box.left - 0.5 || right > box.right + 0.5))
      found.push(`${each.localName}.${each.className} ${left}-${right}`);
  }
  return found;
}

/** Controls of less than 44 by 44 pixels (WCAG 2.5.5), as text. A label's control counts with its label. */
function tooSmall({ element }: Fixture): string[] {
  const found: string[] = [];
  for (const each of element.shadowRoot?.querySelectorAll('button, select, input') ?? []) {
    const { width, height } = (each.closest('label.check') ?? each).getBoundingClientRect();
    if (width > 0 && (width < 44 || height < 44))
      found.push(`${each.outerHTML.slice(0, 80)} ${width}x${height}`);
  }
  return found;
}
