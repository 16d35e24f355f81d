import { randomUUID } from 'node:crypto';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../../load-tests/lib/wait.ts';
import { launchRecordable, Pages, type TestWindow, TONES } from './testing/pages.ts';

/** Below this nothing of a tone is left. */
const SILENT_DB = -70;
/** How far a level that was recorded may be off: Opus, the resampler, one window of the analyser. */
const OFF_DB = 3;
const DUCK_DB = -15;

/** Each participant is a tone; what each listener's tab plays is recorded, and its spectrum looked at. */
describe('language channels, by what each listener hears', () => {
  let pages: Pages;

  beforeAll(async () => {
    pages = await Pages.start(launchRecordable);
  });
  afterEach(() => pages.close());
  afterAll(() => pages?.stop());

  type Singer = keyof typeof TONES;

  const speak = (page: Page, ...languages: string[]) =>
    page.evaluate(
      (speaks) => (globalThis as unknown as TestWindow).visit.setLanguages({ speaks }),
      languages,
    );

  const levels = (page: Page): Promise<Record<Singer, number>> =>
    page.evaluate((tones) => {
      const { levels } = globalThis as unknown as TestWindow;
      return Object.fromEntries(
        Object.entries(tones).map(([name, hz]) => [name, levels.get(hz) ?? -200]),
      ) as never;
    }, TONES);

  /** Waits until each of these is heard at its level beside the first, which is in full; 'silent' for not at all. */
  const hears = (page: Page, loud: Singer, others: Partial<Record<Singer, number | 'silent'>>) =>
    until(
      `${JSON.stringify(others)} beside ${loud}`,
      () => levels(page),
      (now) =>
        now[loud] > -40 &&
        Object.entries(others).every(([name, level]) =>
          level === 'silent'
            ? now[name as Singer] < SILENT_DB
            : Math.abs(now[name as Singer] - now[loud] - level) < OFF_DB,
        ),
    );

  it('each hears the interpreter in full where they need one, and the original lowered; who follows both hears the originals alone', async () => {
    const visit = randomUUID();
    const provider = await pages.joinSinging(visit, 'provider');
    const patient = await pages.joinSinging(visit, 'patient');
    const bilingual = await pages.joinSinging(visit, 'specialist');
    const interpreter = await pages.joinSinging(visit, 'interpreter');
    await speak(provider, 'en');
    await speak(patient, 'es');
    await speak(bilingual, 'en', 'es');
    await speak(interpreter, 'en', 'es');
    await hears(patient, 'interpreter', { provider: DUCK_DB, specialist: DUCK_DB });
    await hears(provider, 'interpreter', { patient: DUCK_DB, specialist: 0 });
    await hears(bilingual, 'provider', { patient: 0, interpreter: 'silent' });
    await hears(interpreter, 'provider', { patient: 0, specialist: 0 });

    await patient.evaluate(() =>
      (globalThis as unknown as TestWindow).visit.setLanguages({ duckDb: 0 }),
    );
    await hears(patient, 'interpreter', { provider: 0, specialist: 0 });

    await interpreter.evaluate(() =>
      (globalThis as unknown as TestWindow).visit.setInterpreting('consecutive'),
    );
    await hears(provider, 'interpreter', { patient: 0, specialist: 0 });
    await hears(bilingual, 'provider', { patient: 0, interpreter: 0 });
  });

  it('where no interpreter has the pair two are chained, and only the last one is heard in full', async () => {
    const visit = randomUUID();
    const provider = await pages.joinSinging(visit, 'provider');
    const patient = await pages.joinSinging(visit, 'patient');
    const first = await pages.joinSinging(visit, 'interpreter');
    const token = await pages.token({ visit, participant: 'second', role: 'interpreter' });
    const second = await pages.joinSinging(visit, 'specialist', { token });
    await speak(provider, 'es');
    await speak(patient, 'so');
    await speak(first, 'es', 'en');
    await speak(second, 'en', 'so');
    await hears(patient, 'specialist', { interpreter: DUCK_DB, provider: DUCK_DB });
    await hears(provider, 'interpreter', { specialist: DUCK_DB, patient: DUCK_DB });
    // The relay is what the second one works from, not the floor.
    await hears(second, 'interpreter', { provider: DUCK_DB, patient: 0 });
    expect(await second.evaluate(() => (globalThis as unknown as TestWindow).visit.state)).toBe(
      'connected',
    );
  });
});
