import { randomUUID } from 'node:crypto';
import type { ParticipantId } from '@bedside/protocol';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../../load-tests/lib/wait.ts';
import { launchRecordable, Pages, type TestWindow } from './testing/pages.ts';
import type { VisitApi } from './types.ts';

describe('a lecture, in pages of one’s own', () => {
  let pages: Pages;

  beforeAll(async () => {
    pages = await Pages.start(launchRecordable);
  });
  afterEach(() => pages.close());
  afterAll(() => pages?.stop());

  const inVisit = <Result>(page: Page, act: (visit: VisitApi) => Result | Promise<Result>) =>
    page.evaluate<Result>(`(${act.toString()})(globalThis.visit)`);

  /** Whom a page sees, and how many it knows to listen. */
  const known = (page: Page) =>
    inVisit(page, ({ participants, audience }) => ({ sees: [...participants.keys()], audience }));

  const knows = (page: Page, sees: string[], audience: number) =>
    until(
      `${sees} and an audience of ${audience} to be known`,
      () => known(page),
      (is) => is.audience === audience && is.sees.join() === sees.join(),
    );

  /** Listens, with tokens as `grants` says from then on. */
  async function listener(visit: string, participant: string, grants: () => 'publish-audio'[]) {
    const page = await pages.open();
    await page.exposeFunction('nextToken', () =>
      pages.token({ visit, participant, role: 'observer', grants: ['chat', ...grants()] }),
    );
    await page.evaluate(async (url) => {
      const window = globalThis as unknown as TestWindow;
      window.visit = new window.sdk.Visit({ url, tokenProvider: () => window.nextToken() });
      await window.visit.connect();
    }, pages.url);
    return page;
  }

  const frames = (page: Page) =>
    inVisit(page, async (visit) => {
      const { inbound } = await visit.getStats();
      return inbound.find(({ source }) => source === 'camera')?.framesDecoded ?? 0;
    });

  it('is seen by its audience, whom nobody sees until one of them has the floor', async () => {
    const visit = randomUUID();
    const answer = await fetch(`${pages.url}/v1/visits`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${pages.stack.secrets.apiKey}`,
        'content-type': 'application/json',
      },
      body: JSON.stringify({ visit, kind: 'lecture' }),
    });
    expect(answer.status).toBe(201);
    const provider = await pages.join(visit, 'provider');
    let granted: 'publish-audio'[] = [];
    const one = await listener(visit, 'one', () => granted);
    const other = await listener(visit, 'other', () => []);
    await knows(provider, [], 2);
    for (const page of [one, other]) {
      await knows(page, ['provider'], 2);
      await until(
        'the picture to move',
        () => frames(page),
        (count) => count > 5,
      );
    }

    await inVisit(one, (visit) => visit.raiseHand(true));
    await knows(provider, ['one'], 2);
    const said = inVisit(one, (visit) => visit.sendMessage('a question', { to: { type: 'all' } }));
    await expect(said).rejects.toThrow();
    await inVisit(one, (visit) =>
      visit.sendMessage('a question', {
        to: { type: 'participant', participantId: 'provider' as ParticipantId },
      }),
    );
    await until(
      'the question to come',
      () => inVisit(provider, ({ messages }) => messages.map(({ text }) => text)),
      (texts) => texts.join() === 'a question',
    );
    expect(await known(other)).toEqual({ sees: ['provider'], audience: 2 });

    granted = ['publish-audio'];
    await inVisit(one, async (visit) => {
      await visit.renewToken();
      await visit.localParticipant.setMicrophoneEnabled(true);
    });
    await knows(provider, ['one'], 1);
    await knows(other, ['provider', 'one'], 1);
    await until(
      'the voice to come',
      () =>
        inVisit(
          other,
          ({ participants }) =>
            participants.get('one' as ParticipantId)?.tracks.get('microphone')?.track?.readyState,
        ),
      (state) => state === 'live',
    );

    granted = [];
    await inVisit(one, (visit) => visit.renewToken());
    await knows(other, ['provider'], 2);
  });
});
