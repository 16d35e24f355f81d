import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { AxeResults } from 'axe-core';
import type { Browser, BrowserContextOptions, Locator, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { launchChromium } from '../../../scripts/lib/chromium.mjs';
import { type Stack, startStack } from '../../../scripts/lib/stack.mjs';
import { PATIENCE_MS, Person } from './browser.ts';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

type ElementWithVisit = Element & { visit?: { leave(): Promise<void> } };

describe('a clinic’s day', () => {
  let stack: Stack;
  let browser: Browser;
  let pages: Page[] = [];
  const complaints: string[] = [];
  /** Every address that a page went to or asked for. */
  const addresses: string[] = [];

  beforeAll(async () => {
    stack = await startStack({
      node22: process.execPath,
      workerBin: process.env.MEDIASOUP_WORKER_BIN ?? '',
      workers: 1,
    });
    browser = await launchChromium();
  });

  afterEach(async () => {
    // Who only closed the page would stand in the queue of the next test for their grace time.
    await Promise.all(
      pages.map((page) =>
        page.evaluate(() =>
          (document.querySelector('bedside-visit') as ElementWithVisit | null)?.visit?.leave(),
        ),
      ),
    );
    await Promise.all(pages.map((page) => page.context().close()));
    pages = [];
    expect(complaints.splice(0)).toEqual([]);
  });

  afterAll(async () => {
    await browser?.close();
    await stack?.stop();
  });

  async function open(path: string, options: BrowserContextOptions = {}): Promise<Page> {
    const page = await (await browser.newContext({ locale: 'en-US', ...options })).newPage();
    pages.push(page);
    page.setDefaultTimeout(PATIENCE_MS);
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (line) => {
      // A refusal that the page then explains is an answer of the server's, which browsers report as well.
      if (line.type() === 'error' && !/status of (403|409|410)/.test(line.text()))
        complaints.push(line.text());
    });
    page.on('request', (request) => addresses.push(request.url()));
    page.on('framenavigated', (frame) => addresses.push(frame.url()));
    await page.addInitScript(() => {
      document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) =>
        console.error(`policy: ${violatedDirective} ${blockedURI}`),
      );
    });
    await page.goto(`${stack.urls.portal}${path}`);
    return page;
  }

  const $ = (page: Page, selector: string) => page.locator('bedside-visit').locator(selector);
  const visitOf = (page: Page) => new URL(page.url()).searchParams.get('visit') ?? '';

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

  /** Checks in as somebody who comes to the clinic does, and is in the waiting room. */
  async function patientWaits(name: string, { lang = 'es', provider = '' } = {}): Promise<Person> {
    const page = await open('/');
    await page.locator('.door.patient').click();
    await page.locator('[name=name]').fill(name);
    await page.locator('#language').selectOption(lang);
    if (provider) await page.locator('#provider').selectOption({ label: provider });
    await page.locator('#check-in [type=submit]').click();
    await $(page, '[data-action=join]').click();
    const person = await Person.of(page, 'patient');
    await person.connected();
    await person.until((visit) => visit.localParticipant.state === 'waiting');
    return person;
  }

  async function providerSignsIn(name: string, languages: string[] = ['en']): Promise<Page> {
    const page = await open('/clinic?lang=en');
    await page.locator('[name=name]').fill(name);
    for (const language of languages)
      await page.locator(`[name=languages][value=${language}]`).check();
    await page.locator('#sign-in-form [type=submit]').click();
    await page.locator('#live[data-state="clinic.live"]').waitFor();
    return page;
  }

  const entryOf = (page: Page, name: string): Locator =>
    page.locator('.entry').filter({ has: page.getByRole('heading', { name }) });
  const deed = (entry: Locator, name: string): Locator => entry.locator(`[data-deed=${name}]`);

  /** The provider lets the patient in from the queue and is in the visit. */
  async function admits(page: Page, name: string): Promise<Person> {
    await deed(entryOf(page, name), 'admit').click();
    await page.waitForURL(/[?&]visit=/);
    const provider = await Person.of(page, 'provider');
    await provider.connected();
    return provider;
  }

  /** Presses all of them at once: also one that the outcome of another takes off its page meanwhile. */
  async function pressAll(buttons: Locator[]): Promise<void> {
    const handles = await Promise.all(buttons.map((button) => button.elementHandle()));
    await Promise.all(
      handles.map((handle) => handle?.evaluate((one) => (one as HTMLElement).click())),
    );
  }

  /** Of two who act at once: in the visit, or told that somebody else is. */
  const outcome = (page: Page): Promise<'in' | 'told'> =>
    Promise.race([
      page.waitForURL(/[?&]visit=/).then(() => 'in' as const),
      page
        .locator('#notice:visible')
        .waitFor()
        .then(() => 'told' as const),
    ]);

  /** Who was called in takes part; the visit's policy may make them wait for the provider first. */
  async function entered(guest: Person, provider: Person): Promise<void> {
    const id = await guest.id();
    await provider.until((visit, who) => visit.participants.has(who), id);
    await provider.eval((visit) => visit.admit());
    await guest.until((visit) => visit.localParticipant.state === 'admitted');
  }

  describe('its pages', () => {
    it.each(
      ['/', '/check-in', '/clinic', '/on-call', '/guest', '/summary?visit=v1'].flatMap(
        (path) =>
          [
            [path, 'en', 1440],
            [path, 'es', 320],
          ] as const,
      ),
    )('break no rule of axe-core and do not scroll sideways: %s, %s, %i pixels', async (...of) => {
      const [path, lang, width] = of;
      const query = `${path.includes('?') ? '&' : '?'}lang=${lang}`;
      const page = await open(path + query, { viewport: { width, height: 700 } });
      await page.locator('h1:visible').waitFor();
      await page.waitForFunction((wanted) => document.documentElement.lang === wanted, lang);
      expect(await violations(page)).toEqual([]);
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(width);
      // An unknown visit has no summary.
      complaints.splice(0, complaints.length, ...complaints.filter((one) => !one.includes('404')));
    });

    it('have the telephone number of the clinic on a phone, in every language', async () => {
      const page = await open('/check-in', { viewport: { width: 390, height: 844 } });
      for (const [lang, text] of [
        ['en', 'Need help? 555-0100'],
        ['es', '¿Necesita ayuda? 555-0100'],
      ] as const) {
        await page.locator('#page-language').selectOption(lang);
        await page.getByText(text).waitFor();
        const box = await page.locator('.help a').boundingBox();
        expect(box?.height).toBeGreaterThanOrEqual(24);
      }
    });

    it('keep the language that was chosen from one to the next', async () => {
      const page = await open('/');
      await page.locator('#page-language').selectOption('es');
      await page.locator('.door.provider').click();
      await page.getByRole('heading', { name: 'Su jornada en la clínica' }).waitFor();
      await page.reload();
      await page.getByRole('heading', { name: 'Su jornada en la clínica' }).waitFor();
    });
  });

  describe('the waiting room', () => {
    it('holds a Spanish-speaking patient until the provider, who sees them wait, admits', async () => {
      const dr = await providerSignsIn('Dr. Elena Marsh');
      const patient = await patientWaits('Ana Torres');
      expect(await patient.page.evaluate(() => document.documentElement.lang)).toBe('es');

      const entry = entryOf(dr, 'Ana Torres');
      await entry.waitFor();
      expect(await entry.locator('.chips li').allTextContents()).toEqual(
        expect.arrayContaining(['Spanish', 'Needs an interpreter']),
      );
      expect(await entry.locator('.since').textContent()).toContain('Waits');
      expect(await dr.title()).toContain('(1)');
      expect(await violations(dr)).toEqual([]);

      const provider = await admits(dr, 'Ana Torres');
      await Promise.all([
        patient.seesAndHears(await provider.id()),
        provider.seesAndHears(await patient.id()),
      ]);
    });

    it('tells who waits their place, and what the provider writes', async () => {
      const dr = await providerSignsIn('Dr. Elena Marsh');
      const first = await patientWaits('Ana Torres');
      const second = await patientWaits('Luis Vega');
      await first.until((visit) => visit.wait?.ahead === 0);
      await second.until((visit) => visit.wait?.ahead === 1);

      await deed(entryOf(dr, 'Luis Vega'), 'message').click();
      await dr.locator('#presets button').first().click();
      await dr.locator('#message-form [value=send]').click();
      // In the language of the patient.
      await second.until((visit) =>
        visit.messages.some(({ text }) => text.includes('10 minutos de retraso')),
      );
      expect(await first.eval((visit) => visit.messages.length)).toBe(0);
      await first.eval((visit) => visit.leave());
      await second.until((visit) => visit.wait?.ahead === 0);
    });

    it('lets go of who is turned away, for good', async () => {
      const dr = await providerSignsIn('Dr. Elena Marsh');
      const patient = await patientWaits('Ana Torres');
      await deed(entryOf(dr, 'Ana Torres'), 'turnAway').click();
      await dr.locator('#turn-away [value=deny]').click();
      await patient.state('disconnected');
      expect(await patient.eval((visit) => visit.disconnectReason)).toBe('denied');
      await entryOf(dr, 'Ana Torres').waitFor({ state: 'detached' });
      // Not even with another token: the portal gives them none.
      const refused = patient.page.waitForResponse(/\/api\/token$/);
      await patient.page.reload();
      expect((await refused).status()).toBe(403);
    });

    it('forgets who leaves', async () => {
      const dr = await providerSignsIn('Dr. Elena Marsh');
      const patient = await patientWaits('Ana Torres');
      await entryOf(dr, 'Ana Torres').waitFor();
      await patient.eval((visit) => visit.leave());
      await entryOf(dr, 'Ana Torres').waitFor({ state: 'detached' });
      await dr.locator('#empty:visible').waitFor();
    });

    it('is not gone through twice by who reloads', async () => {
      const dr = await providerSignsIn('Dr. Elena Marsh');
      const patient = await patientWaits('Ana Torres');
      const provider = await admits(dr, 'Ana Torres');
      await patient.seesAndHears(await provider.id());
      await patient.page.reload();
      await patient.connected();
      await patient.seesAndHears(await provider.id());
    });
  });

  describe('two providers', () => {
    it('who admit at once: one goes in, the other is told who', async () => {
      const [one, other] = [
        await providerSignsIn('Dr. Elena Marsh'),
        await providerSignsIn('Dr. Omar Haddad'),
      ];
      const patient = await patientWaits('Ana Torres');
      await pressAll([one, other].map((page) => deed(entryOf(page, 'Ana Torres'), 'admit')));
      const outcomes = await Promise.all([one, other].map(outcome));
      expect(outcomes.toSorted()).toEqual(['in', 'told']);
      const slower = outcomes[0] === 'told' ? one : other;
      const winner = outcomes[0] === 'told' ? 'Dr. Omar Haddad' : 'Dr. Elena Marsh';
      expect(await slower.locator('#notice').textContent()).toContain(winner);
      await patient.until((visit) => visit.localParticipant.state === 'admitted');
    });

    it('hand a patient over, who goes to the colleague once they accept', async () => {
      const [one, other] = [
        await providerSignsIn('Dr. Vera Holm'),
        await providerSignsIn('Dr. Paul Reyes'),
      ];
      await patientWaits('Ana Torres', { provider: 'Dr. Vera Holm' });
      await entryOf(one, 'Ana Torres').getByText('Waits for you').waitFor();
      await deed(entryOf(one, 'Ana Torres'), 'handOver').click();
      await one.locator('#colleague').selectOption({ label: 'Dr. Paul Reyes' });
      await one.locator('#hand-over-offer').click();
      await entryOf(other, 'Ana Torres').getByText('Dr. Vera Holm asks you').waitFor();
      await deed(entryOf(other, 'Ana Torres'), 'accept').click();
      await entryOf(other, 'Ana Torres').getByText('Waits for you').waitFor();
      await entryOf(one, 'Ana Torres').getByText('Waits for Dr. Paul Reyes').waitFor();
    });
  });

  describe('somebody who is called in', () => {
    const onCall = async (name: string, fill: (page: Page) => Promise<void>): Promise<Page> => {
      const page = await open('/on-call?lang=en');
      await page.locator('[name=name]').fill(name);
      await fill(page);
      await page.locator('#sign-in-form [type=submit]').click();
      await page.locator('#live[data-state="clinic.live"]').waitFor();
      return page;
    };
    const cardiologist = async (page: Page): Promise<void> => {
      await page.locator('[name=role][value=specialist]').check();
      await page.locator('[name=specialties][value=cardiology]').check();
    };
    const forSpanish = (page: Page): Promise<void> =>
      page.locator('[name=languages][value=es]').check();

    it('rings two specialists: of two who accept one goes in, and the other sees it taken', async () => {
      const specialists = [
        await onCall('Dr. Ida Lund', cardiologist),
        await onCall('Dr. Raj Mehta', cardiologist),
      ] as const;
      const dr = await providerSignsIn('Dr. Elena Marsh');
      const patient = await patientWaits('Ana Torres');
      const provider = await admits(dr, 'Ana Torres');
      await provider.eval((visit) =>
        visit.call({ role: 'specialist', groups: [{ specialty: 'cardiology' }] }),
      );
      for (const page of specialists) {
        await page.getByRole('heading', { name: 'Specialist: Cardiology' }).waitFor();
        expect(await page.title()).toContain('Somebody needs you');
      }
      expect(await violations(specialists[0])).toEqual([]);

      await pressAll(specialists.map((page) => page.locator('.ringing .primary')));
      const outcomes = await Promise.all(specialists.map(outcome));
      expect(outcomes.toSorted()).toEqual(['in', 'told']);
      const winner = specialists[outcomes.indexOf('in')] as Page;
      const other = specialists[outcomes.indexOf('told')] as Page;
      await other.getByRole('status').filter({ hasText: 'A colleague was faster' }).waitFor();
      expect(await other.locator('.ringing').count()).toBe(0);
      expect(await other.title()).not.toContain('Somebody needs you');

      await $(winner, '[data-action=join]').click();
      const specialist = await Person.of(winner, 'specialist');
      await specialist.connected();
      await entered(specialist, provider);
      await Promise.all([
        patient.seesAndHears(await specialist.id()),
        specialist.seesAndHears(await provider.id()),
      ]);
      await winner.reload();
      await specialist.connected();
      await specialist.seesAndHears(await patient.id());
    });

    it('is not rung while busy, nor after declining', async () => {
      const [free, busy] = [await onCall('Noor', forSpanish), await onCall('Vera', forSpanish)];
      await busy.locator('#busy').click();
      await busy.getByRole('heading', { name: 'You are not rung now' }).waitFor();
      const dr = await providerSignsIn('Dr. Elena Marsh');
      await patientWaits('Ana Torres');
      const provider = await admits(dr, 'Ana Torres');
      await provider.eval((visit) =>
        visit.call({ role: 'interpreter', groups: [{ language: 'es' }] }),
      );
      await free.getByRole('heading', { name: 'Interpreter: Spanish' }).waitFor();
      expect(await busy.locator('.ringing').count()).toBe(0);
      await free.locator('.ringing .plain').click();
      await free.locator('.ringing').waitFor({ state: 'detached' });
      await provider.until((visit) => visit.calls[0]?.state === 'unanswered');
    });

    it('comes by a link with a code that is good once, and no address has a token', async () => {
      addresses.splice(0);
      const dr = await providerSignsIn('Dr. Elena Marsh');
      await patientWaits('Ana Torres');
      const provider = await admits(dr, 'Ana Torres');
      const link = await provider.eval(async (visit) => {
        const element = document.querySelector('bedside-visit') as Element;
        const invitation = await visit.invite({ role: 'interpreter' });
        return new Promise<string>((resolve) => {
          const detail = { ...invitation, role: 'interpreter', respondWith: resolve };
          element.dispatchEvent(new CustomEvent('bedside-invite', { detail }));
        });
      });
      expect(link).toMatch(/\/guest#[a-z2-9]{4}-[a-z2-9]{4}-[a-z2-9]{4}$/);
      const path = link.slice(stack.urls.portal.length);

      const guest = await open(path);
      expect(await guest.evaluate(() => location.hash)).toBe('');
      await guest.locator('#guest [type=submit]').click();
      await $(guest, '[data-action=join]').click();
      const interpreter = await Person.of(guest, 'interpreter');
      await interpreter.connected();
      await entered(interpreter, provider);
      await interpreter.seesAndHears(await provider.id());

      const second = await open(path);
      await second.locator('#guest [type=submit]').click();
      await second.getByText('not valid any more').waitFor();
      expect(addresses.filter((address) => /eyJ|token=|Ana|Marsh/.test(address))).toEqual([]);
    });
  });

  describe('after the visit', () => {
    it('the provider sees who waited and who was there, for how long', async () => {
      const dr = await providerSignsIn('Dr. Elena Marsh');
      const patient = await patientWaits('Ana Torres');
      const provider = await admits(dr, 'Ana Torres');
      const [patientId, providerId] = [await patient.id(), await provider.id()];
      await patient.seesAndHears(providerId);
      await provider.eval(
        (visit, id) => visit.moveTo([id], { type: 'hold', audio: 'none' }),
        patientId,
      );
      await provider.eval((visit, id) => visit.moveTo([id], { type: 'main' }), patientId);
      const visit = visitOf(dr);
      await provider.eval((one) => one.end());
      await dr.locator('#after a[href^="/summary"]').click();
      await dr.getByRole('heading', { name: 'Times of the visit' }).waitFor();

      const row = dr.locator('#people tr').filter({ hasText: 'Ana Torres' });
      await row.waitFor();
      const cells = await row.locator('td').allTextContents();
      expect(cells[0]).toMatch(/\d.*Admitted by Dr\. Elena Marsh/s);
      expect(cells[1]).toMatch(/\d.*Until the end/s);
      expect(cells[2]).toMatch(/\d/);
      await dr.getByRole('rowheader', { name: 'Dr. Elena Marsh Provider' }).waitFor();
      expect(visitOf(dr)).toBe(visit);
      expect(await violations(dr)).toEqual([]);
      await dr.getByRole('link', { name: 'Back to the clinic day' }).click();
      await dr.locator('#visits').getByText('Ana Torres').waitFor();
    });
  });
});
