import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { AxeResults } from 'axe-core';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { launchChromium } from '../../../scripts/lib/chromium.mjs';
import { type Stack, startStack } from '../../../scripts/lib/stack.mjs';
import { PATIENCE_MS, Person } from './browser.ts';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

describe('the portal’s pages', () => {
  let stack: Stack;
  let browser: Browser;
  let pages: Page[] = [];
  const complaints: string[] = [];

  beforeAll(async () => {
    stack = await startStack({
      node22: process.execPath,
      workerBin: process.env.MEDIASOUP_WORKER_BIN ?? '',
      workers: 1,
    });
    browser = await launchChromium();
  });

  afterEach(async () => {
    await Promise.all(pages.map((page) => page.context().close()));
    pages = [];
    // Also what the portal's own policy would have blocked.
    expect(complaints.splice(0)).toEqual([]);
  });

  afterAll(async () => {
    await browser?.close();
    await stack?.stop();
  });

  async function open(query: string, options: BrowserContextOptions = {}): Promise<Page> {
    const page = await (await browser.newContext({ locale: 'en-US', ...options })).newPage();
    pages.push(page);
    page.setDefaultTimeout(PATIENCE_MS);
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (line) => {
      if (line.type() === 'error') complaints.push(line.text());
    });
    await page.addInitScript(() => {
      document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) =>
        console.error(`policy: ${violatedDirective} ${blockedURI}`),
      );
    });
    await page.goto(`${stack.urls.portal}/${query}`);
    return page;
  }

  const address = (page: Page): Record<string, string> =>
    Object.fromEntries(new URL(page.url()).searchParams);
  const $ = (page: Page, selector: string) => page.locator('bedside-visit').locator(selector);
  const inVisit = async (page: Page) => (await Person.of(page, 'somebody')).connected();

  async function violations(page: Page): Promise<unknown[]> {
    await page.evaluate(axe);
    return page.evaluate(async () => {
      const { axe } = window as unknown as { axe: { run(): Promise<AxeResults> } };
      return (await axe.run()).violations.map(({ id, nodes }) => [
        id,
        ...nodes.map(({ html }) => html),
      ]);
    });
  }

  describe('?visit=&role=&lang=&auto=1', () => {
    it('joins without a click, in the language asked for', async () => {
      const visit = randomUUID();
      const page = await open(`?visit=${visit}&role=interpreter&lang=es&auto=1`);
      await inVisit(page);
      const person = await Person.of(page, 'interpreter');
      expect(await person.eval((one) => one.localParticipant.role)).toBe('interpreter');
      expect(await page.evaluate(() => document.documentElement.lang)).toBe('es');
      expect((await $(page, '[data-action=leave] .caption').textContent())?.trim()).toBe('Salir');
    });

    it('waits for a click without auto, and knows who joins', async () => {
      const page = await open(`?visit=${randomUUID()}&role=provider&lang=en`);
      await $(page, '[data-action=join]').waitFor();
      await $(page, '.as [data-role=provider]').waitFor();
      await $(page, '[data-action=join]').click();
      await inVisit(page);
    });

    it.each([
      ['es-MX', 'es'],
      ['fr', 'en'],
      ['', 'en'],
    ])('takes lang=%s for %s', async (asked, lang) => {
      const page = await open(`?lang=${asked}`);
      await page.locator('#home').waitFor();
      expect(await page.evaluate(() => document.documentElement.lang)).toBe(lang);
    });

    it.each(['?visit=v1', '?visit=v1&role=king&auto=1', '?role=patient&auto=1', '?visit='])(
      'asks who the person is where that is missing: %s',
      async (query) => {
        const page = await open(query);
        await page.locator('#join').waitFor();
        expect(await page.locator('bedside-visit').count()).toBe(0);
        expect(address(page).visit).toMatch(query.includes('visit=v1') ? /^v1$/ : /^visit-/);
      },
    );

    it('goes straight back in on a reload, and not after leaving', async () => {
      const page = await open(`?visit=${randomUUID()}&role=patient&lang=en`);
      await $(page, '[data-action=join]').click();
      await inVisit(page);
      // Whoever is sent the address, or keeps it, is asked first.
      expect(address(page).auto).toBeUndefined();
      await page.reload();
      await inVisit(page);
      await $(page, '[data-action=leave]').click();
      await $(page, '[data-action=rejoin]').waitFor();
      await page.reload();
      await $(page, '[data-action=join]').waitFor();
    });

    it('keeps microphone and camera off over a reload, and on again', async () => {
      const page = await open(`?visit=${randomUUID()}&role=patient&lang=en&auto=1`);
      await $(page, '.self[data-camera=on][data-microphone=on]').waitFor();
      await $(page, '[data-action=microphone]').click();
      await $(page, '[data-action=camera]').click();
      await $(page, '.self[data-camera=off][data-microphone=off]').waitFor();
      await page.reload();
      await inVisit(page);
      const person = await Person.of(page, 'patient');
      expect(await person.eval((one) => one.localParticipant.tracks.size)).toBe(0);
      await $(page, '[data-action=camera]').click();
      await $(page, '.self[data-camera=on][data-microphone=off]').waitFor();
      await page.reload();
      await $(page, '.self[data-camera=on][data-microphone=off]').waitFor();
    });

    it('begins with camera and microphone off where it is told to', async () => {
      const page = await open(
        `?visit=${randomUUID()}&role=patient&auto=1&camera=off&microphone=off`,
      );
      await $(page, '.self[data-camera=off][data-microphone=off]').waitFor();
    });
  });

  describe('the page of a visit', () => {
    it.each([
      ['en', 1280],
      ['es', 320],
    ])(
      'breaks no rule of axe-core and does not scroll sideways: %s, %i pixels',
      async (lang, width) => {
        const page = await open(`?visit=v1&lang=${lang}`, { viewport: { width, height: 700 } });
        await page.locator('[name=role]').first().waitFor();
        expect(await violations(page)).toEqual([]);
        expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(width);
      },
    );

    it('takes role, name and language by keyboard, and keeps the name out of the address', async () => {
      const page = await open(`?visit=${randomUUID()}&lang=en`);
      await page.locator('[name=role]:checked').focus();
      await page.keyboard.press('ArrowDown');
      await page.keyboard.press('Tab');
      await page.keyboard.type('Elena Marsh');
      await page.keyboard.press('Tab');
      await page.keyboard.press('E');
      await page.locator('#language').selectOption('es');
      await page.keyboard.press('Enter');
      await page.locator('#join button[type=submit]').press('Enter');
      await $(page, '.as').waitFor();
      expect(await $(page, '.as').textContent()).toMatch(/Elena Marsh\s*Profesional/);
      expect(address(page)).toMatchObject({ role: 'provider', lang: 'es' });
      expect(page.url()).not.toContain('Elena');
      await page.reload();
      await $(page, '.as').waitFor();
      expect(await $(page, '.as').textContent()).toContain('Elena Marsh');
    });

    it('is where the browser’s way back leads', async () => {
      const page = await open(`?visit=${randomUUID()}&lang=en`);
      await page.locator('#join button[type=submit]').click();
      await $(page, '[data-action=join]').waitFor();
      await page.goBack();
      await page.locator('#join').waitFor();
      expect(await page.locator('bedside-visit').count()).toBe(0);
    });

    it('changes its language at once, and keeps the role that was chosen', async () => {
      const page = await open(`?visit=${randomUUID()}&lang=en`);
      await page.locator('.choice.specialist').click();
      await page.locator('#page-language').selectOption('es');
      expect(await page.locator('#lobby h1').textContent()).toBe('Su visita por video');
      expect(await page.locator('[name=role]:checked').inputValue()).toBe('specialist');
    });

    it('shows who is in the visit already', async () => {
      const visit = randomUUID();
      await inVisit(await open(`?visit=${visit}&role=provider&lang=en&auto=1`));
      const page = await open(`?visit=${visit}&lang=en`);
      await page.locator('[data-here=provider]:not(:empty)').waitFor();
      expect(await page.locator('[data-here=patient]').textContent()).toBe('');
    });

    it('proposes the first role that is not there yet', async () => {
      const visit = randomUUID();
      await inVisit(await open(`?visit=${visit}&role=patient&lang=en&auto=1`));
      const page = await open(`?visit=${visit}&lang=en`);
      await page.locator('[name=role][value=provider]:checked').waitFor();
    });

    it('says that a visit has ended', async () => {
      const visit = randomUUID();
      const provider = await open(`?visit=${visit}&role=provider&lang=en&auto=1`);
      await inVisit(provider);
      await (await Person.of(provider, 'provider')).eval((one) => one.end());
      const page = await open(`?visit=${visit}&lang=en`);
      await page.locator('#ended').waitFor();
    });

    it('copies the link for one of the others', async () => {
      const page = await open('?visit=v1&lang=en', {
        permissions: ['clipboard-read', 'clipboard-write'],
      });
      await page.getByRole('button', { name: 'Copy link for Interpreter' }).click();
      await page.getByText('Link copied').first().waitFor();
      expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(
        `${stack.urls.portal}/?visit=v1&role=interpreter&lang=en`,
      );
    });
  });

  it('breaks no rule of axe-core with a visit in it, and gives it the whole window', async () => {
    const page = await open(`?visit=${randomUUID()}&role=patient&lang=en&auto=1`, {
      viewport: { width: 390, height: 844 },
    });
    await inVisit(page);
    expect(await violations(page)).toEqual([]);
    expect(await page.locator('bedside-visit').boundingBox()).toEqual({
      x: 0,
      y: 0,
      width: 390,
      height: 844,
    });
  });
});
