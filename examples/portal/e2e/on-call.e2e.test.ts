import { randomUUID } from 'node:crypto';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { launchChromium } from '../../../scripts/lib/chromium.mjs';
import { type Stack, startStack } from '../../../scripts/lib/stack.mjs';
import { PATIENCE_MS, Person } from './browser.ts';

/** What the page plays and notifies of, as `listen` writes it down. */
interface Heard {
  /** Of all samples that went to the speaker. */
  energy: number;
  /** Seconds of silence up to now. */
  silentS: number;
  notifications: { title: string; open: boolean }[];
  asked: number;
}
type Listening = Window & {
  heard: Heard;
  /** The page's connections are gone, and none can be made, until they can. */
  cut(away: boolean): void;
  /** Nothing of the page reaches the gateway any more. */
  hold(): void;
};

/** Longer than from the beginning of one ring to that of the next, seconds. */
const NO_RING_S = 2.2;
const RINGS = 'Somebody needs you';

/** Runs in the page before its scripts. `permission`: what the browser says until it is asked. */
function listen(permission: NotificationPermission): void {
  const heard: Heard = { energy: 0, silentS: 0, notifications: [], asked: 0 };
  (window as unknown as Listening).heard = heard;
  const taps = new WeakMap<BaseAudioContext, AudioNode>();
  const connect = AudioNode.prototype.connect as (to: AudioNode) => AudioNode;
  const tapOf = (context: AudioContext): AudioNode => {
    const tap = context.createScriptProcessor(1024, 1, 1);
    tap.onaudioprocess = ({ inputBuffer }) => {
      const energy = inputBuffer.getChannelData(0).reduce((sum, sample) => sum + sample ** 2, 0);
      heard.energy += energy;
      heard.silentS = energy > 0 ? 0 : heard.silentS + inputBuffer.duration;
    };
    connect.call(tap, context.destination);
    taps.set(context, tap);
    return tap;
  };
  AudioNode.prototype.connect = function (this: AudioNode, to: AudioNode) {
    if (to instanceof AudioDestinationNode)
      connect.call(this, taps.get(this.context) ?? tapOf(this.context as AudioContext));
    return connect.call(this, to);
  } as typeof AudioNode.prototype.connect;

  const sockets = new Set<WebSocket>();
  let isCut = false;
  let isHeld = false;
  window.WebSocket = class extends WebSocket {
    constructor(url: string | URL) {
      super(url);
      sockets.add(this);
      if (isCut) this.close();
    }
    override send(data: string | BufferSource | Blob) {
      if (!isHeld) super.send(data);
    }
  };
  (window as unknown as Listening).cut = (away) => {
    isCut = away;
    for (const socket of sockets) socket.close();
  };
  (window as unknown as Listening).hold = () => {
    isHeld = true;
  };

  let permitted = permission;
  window.Notification = class extends Notification {
    readonly #line: { title: string; open: boolean };
    static override get permission() {
      return permitted;
    }
    static override async requestPermission() {
      heard.asked += 1;
      permitted = 'granted';
      return permitted;
    }
    constructor(title: string, options?: NotificationOptions) {
      super(title, options);
      this.#line = { title, open: true };
      heard.notifications.push(this.#line);
    }
    override close() {
      this.#line.open = false;
      super.close();
    }
  };
}

describe('who is on call', () => {
  let stack: Stack;
  let browser: Browser;
  let pages: Page[] = [];
  let callers: Person[] = [];

  beforeAll(async () => {
    stack = await startStack({
      node22: process.execPath,
      workerBin: process.env.MEDIASOUP_WORKER_BIN ?? '',
      workers: 1,
    });
    browser = await launchChromium();
  });

  afterEach(async () => {
    // What rang would ring in the next test, too.
    await Promise.all(callers.map((caller) => caller.eval((visit) => visit.end())));
    callers = [];
    await Promise.all(pages.map((page) => page.context().close()));
    pages = [];
  });

  afterAll(async () => {
    await browser?.close();
    await stack?.stop();
  });

  const goes = (page: Page, away: boolean) =>
    page.evaluate((is) => (window as unknown as Listening).cut(is), away);

  async function interpreter(
    name: string,
    { permission = 'granted' as NotificationPermission, role = 'interpreter' } = {},
  ): Promise<Page> {
    const context = await browser.newContext({ locale: 'en-US' });
    await context.grantPermissions(['notifications']);
    const page = await context.newPage();
    pages.push(page);
    page.setDefaultTimeout(PATIENCE_MS);
    await page.addInitScript(listen, permission);
    await page.goto(`${stack.urls.portal}/on-call?lang=en`);
    await page.locator('[name=name]').fill(name);
    await page.locator(`[name=role][value=${role}]`).check();
    await page.locator('[name=languages][value=es]').check();
    await page.locator('#sign-in-form [type=submit]').click();
    await page.locator('#live[data-state="clinic.live"]').waitFor();
    return page;
  }

  async function provider(): Promise<Person> {
    const person = await Person.join(
      browser,
      stack.urls.portal,
      randomUUID().slice(0, 12),
      'provider',
      '&waiting=1',
    );
    pages.push(person.page);
    callers.push(person);
    return person;
  }

  const calls = (by: Person, ringMs = 60_000): Promise<string> =>
    by.eval(
      (visit, ms) => visit.call({ role: 'interpreter', groups: [{ language: 'es' }], ringMs: ms }),
      ringMs,
    );

  const heardBy = (page: Page) => page.evaluate(() => (window as unknown as Listening).heard);

  async function rings(page: Page): Promise<void> {
    const { energy } = await heardBy(page);
    await page.locator('.ringing').waitFor();
    await page.waitForFunction(
      (before) => (window as unknown as Listening).heard.energy > before + 1,
      energy,
      { polling: 50 },
    );
    for (const sign of ['☎', '●'])
      await page.waitForFunction((title) => document.title === title, `${sign} ${RINGS}`);
    expect((await heardBy(page)).notifications.at(-1)).toEqual({ title: RINGS, open: true });
  }

  async function isSilent(page: Page): Promise<void> {
    await page.waitForFunction(
      (enough) => (window as unknown as Listening).heard.silentS > enough,
      NO_RING_S,
      { polling: 50 },
    );
    expect(await page.title()).not.toContain(RINGS);
    expect((await heardBy(page)).notifications.filter(({ open }) => open)).toEqual([]);
  }

  const press = (page: Page, style: string) => page.locator(`.ringing .${style}`).click();

  it.each<[string, (at: Scene) => unknown, string | undefined]>([
    ['a colleague takes the call', ({ other }) => press(other, 'primary'), 'was faster'],
    [
      'the caller takes it back',
      ({ caller, callId }) => caller.eval((visit, id) => visit.cancelCall(id), callId),
      'took it back',
    ],
    ['they decline', ({ one }) => press(one, 'plain'), undefined],
    ['their connection is lost', ({ one }) => goes(one, true), 'Nobody answered'],
  ])('hears, sees and is notified of a call until %s', async (_what, end, missed) => {
    const one = await interpreter('Noor');
    const other = await interpreter('Vera');
    const caller = await provider();
    const callId = await calls(caller);
    await rings(one);
    await end({ one, other, caller, callId });
    await isSilent(one);
    if (missed) await one.locator('#missed').getByText(missed).waitFor();
    else expect(await one.locator('#missed').isVisible()).toBe(false);
  });
  interface Scene {
    one: Page;
    other: Page;
    caller: Person;
    callId: string;
  }

  it('is rung as a provider, too, and stays on call over a reload', async () => {
    const page = await interpreter('Dr. Nora Weiss', { role: 'provider' });
    await page.reload();
    await page.locator('#live[data-state="clinic.live"]').waitFor();
    const caller = await provider();
    await caller.eval((visit) => visit.call({ role: 'provider', groups: [{ language: 'es' }] }));
    await page.locator('.ringing h2').getByText('Provider: Spanish').waitFor();
  });

  it('is rung no more from the moment in which they accept, before the answer is there', async () => {
    const page = await interpreter('Noor');
    await calls(await provider());
    await rings(page);
    await page.evaluate(() => (window as unknown as Listening).hold());
    await press(page, 'primary');
    await isSilent(page);
    expect(await page.locator('.ringing .primary').isDisabled()).toBe(true);
  });

  it('is told while nobody can call them, and when they are on call again', async () => {
    const page = await interpreter('Noor');
    await goes(page, true);
    await page.getByRole('heading', { name: 'You can not be called right now' }).waitFor();
    await goes(page, false);
    await page.getByRole('heading', { name: 'You are on call' }).waitFor();
  });

  it('is asked for the permission to notify by a click, and not before', async () => {
    const page = await interpreter('Noor', { permission: 'default' });
    const caller = await provider();
    const callId = await calls(caller);
    await page.locator('.ringing').waitFor();
    expect(await heardBy(page)).toMatchObject({ asked: 0, notifications: [] });
    await caller.eval((visit, id) => visit.cancelCall(id), callId);
    await page.locator('#notifications').click();
    await page.locator('#notifications').waitFor({ state: 'hidden' });
    expect((await heardBy(page)).asked).toBe(1);
    await calls(caller);
    await rings(page);
  });

  it('sees after which calls went by while the tab slept', async () => {
    const page = await interpreter('Noor');
    const caller = await provider();
    const devtools = await page.context().newCDPSession(page);
    await devtools.send('Page.setWebLifecycleState', { state: 'frozen' });
    await calls(caller, 5_000);
    await caller.until((visit) => visit.calls[0]?.state === 'unanswered');
    await devtools.send('Page.setWebLifecycleState', { state: 'active' });
    await page.locator('#missed').getByText('Interpreter: Spanish').waitFor();
    await isSilent(page);
    expect(await page.title()).toMatch(/^\(1\) You are on call/);
    await page.locator('#missed-dismiss').click();
    await page.locator('#missed').waitFor({ state: 'hidden' });
    await page.waitForFunction(() => document.title.startsWith('You are on call'));
  });

  it('is told that nothing will be heard, until a click', async () => {
    const page = await interpreter('Noor');
    await page.reload();
    await page.locator('#live[data-state="clinic.live"]').waitFor();
    await page.locator('#silent').waitFor();
    await page.locator('#duty-title').click();
    await page.locator('#silent').waitFor({ state: 'hidden' });
    await calls(await provider());
    await rings(page);
  });
});
