import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { launchChromium } from '../../../scripts/lib/chromium.mjs';
import { es } from '../texts/es.ts';
import type { Scene } from './testing/fixture.ts';
import { type ElementPage, ElementPages } from './testing/page.ts';
import { asInterpreter, asPatient, asProvider, CLINICAL } from './testing/scenes.ts';

describe('<bedside-visit> in a clinical visit', () => {
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
    expect(complaints).toEqual([]);
  });

  afterAll(async () => {
    await pages?.close();
    await browser?.close();
  });

  async function open(scene: Scene, size?: { width: number; height: number }) {
    const one = await pages.open(size);
    opened.push(one);
    return one.mount(scene);
  }

  async function show(name: keyof typeof CLINICAL, size?: { width: number; height: number }) {
    const { scene, act } = CLINICAL[name] as (typeof CLINICAL)[string];
    const one = await open(scene, size);
    if (act) await one.do(act);
    return one;
  }

  const said = (one: ElementPage) => one.$('[role=log] p').allTextContents();
  const called = (one: ElementPage) => one.get(({ visit }) => visit.log.at(-1));
  const press = async (one: ElementPage, selector: string) => {
    await one.$(selector).click();
    await one.do(() => {});
  };
  const tiles = (one: ElementPage) =>
    one
      .$('[data-participant]')
      .evaluateAll((all) => all.map((each) => (each as HTMLElement).dataset.participant));

  describe('the waiting room', () => {
    it('says for whom one waits, the place in the row, and what the clinic writes', async () => {
      const one = await show('waiting, for somebody who is named');
      expect(await one.get(({ element }) => element.phase)).toBe('waiting');
      expect(await one.text('.awaited')).toContain('Dr. Elena Marsh');
      expect(await one.text('.expected')).toBe(es.ui.aheadNone);
      await one.do(({ visit }) => visit.say('Diez minutos más, por favor.'));
      expect(await one.text('.news')).toContain('Diez minutos más');
      expect((await said(one)).at(-1)).toBe('Mensaje de Clínica: Diez minutos más, por favor.');
    });

    it('lets one write back to who is in the visit, and keeps what could not be delivered', async () => {
      const one = await show('waiting, for somebody who is named');
      await one.do(({ visit }) => visit.say('Diez minutos más, por favor.', 'dr'));
      await one.$('.news textarea').fill('Gracias');
      await one.page.keyboard.press('Enter');
      await one.do(() => {});
      expect(await called(one)).toBe(
        'sendMessage "Gracias" {"to":{"type":"participant","participantId":"dr"}}',
      );
      expect(await one.text('.news li:first-child')).toContain('Gracias');
      await one.do(({ visit, error }) => {
        visit.commandError = error('not-found');
      });
      await one.$('.news textarea').fill('¿Cuánto falta?');
      await press(one, '.news [data-action=send]');
      expect(await one.$('.news textarea').inputValue()).toBe('¿Cuánto falta?');
      expect(await one.$('[data-banner=problem]').count()).toBe(1);
    });

    it('says that who wrote from outside of the visit can not be answered', async () => {
      const one = await show('waiting, for somebody who is named');
      await one.do(({ visit }) => visit.say('Diez minutos más, por favor.'));
      expect(await one.text('.news .hint')).toBe(es.ui.replyNot);
      expect(await one.$('.news textarea').count()).toBe(0);
    });

    it('shows nobody, and lets one test the own devices', async () => {
      const one = await show('waiting, with what the clinic shares');
      await one.do(({ visit }) => visit.add({ id: 'dr', role: 'provider' }));
      expect(await one.$('.tile').count()).toBe(0);
      expect(await one.text('.expected')).toContain('2 people are before you');
      await press(one, '[data-action=camera]');
      expect(await called(one)).toBe('camera off');
      await one.$('summary').click();
      await one.$('[data-device=audiooutput] select').selectOption('audiooutput-1');
      expect(await called(one)).toBe('switch audiooutput audiooutput-1');
    });

    it('becomes the visit by itself once one is admitted, says so, and keeps the focus', async () => {
      const one = await show('waiting, for somebody who is named');
      await one.do(({ visit }) => visit.say('Diez minutos más, por favor.'));
      await one.$('[data-action=leave]').focus();
      await one.do(({ visit }) => {
        visit.changeSelf({ state: 'admitted' });
        visit.emit('admitted');
      });
      expect(await one.get(({ element }) => element.phase)).toBe('visit');
      expect(await one.$('[data-action=chat] .badge').count()).toBe(0);
      expect(await tiles(one)).toEqual(['dr']);
      expect((await said(one)).at(-1)).toBe(es.ui.sayAdmitted);
      expect(await called(one)).toBe('sound chime');
      const focused = ({ element }: { element: HTMLElement }) =>
        element.shadowRoot?.activeElement?.className;
      expect(await one.get(focused)).toBe('visit');
    });

    it('shows who may admit that somebody waits: aloud, by a chime, in a banner and a badge', async () => {
      const one = await show('one waits');
      expect((await said(one)).at(-1)).toBe('Luis López is waiting');
      expect(await called(one)).toBe('sound chime');
      expect(await one.text('[data-action=people] .badge')).toBe('1');
      await press(one, '[data-action=admit-waiting]');
      expect(await called(one)).toBe('admit ["w1"]');
    });

    it('keeps the chime silent where the page alerts by itself', async () => {
      const one = await open(asProvider);
      await one.do(({ element, visit }) => {
        element.addEventListener('bedside-participant-waiting', (event) => event.preventDefault());
        visit.add({ id: 'w1', role: 'patient', state: 'waiting' });
      });
      expect(await one.get(({ visit }) => visit.log)).not.toContain('sound chime');
    });

    it('says nothing of who waits to who may not admit', async () => {
      const one = await open(asPatient);
      await one.do(({ visit }) => visit.add({ id: 'w1', role: 'patient', state: 'waiting' }));
      expect(await one.$('[data-banner=waiting], .badge').count()).toBe(0);
    });

    it.each([
      ['[data-person=w1] [data-action=admit]', 'admit ["w1"]'],
      ['[data-person=w1] [data-action=deny]', 'remove "w1"'],
      ['[data-action=admit-all]', 'admit'],
    ])('has the people in the panel, who came first first: %s', async (selector, call) => {
      const one = await show('people, with who waits');
      const rows = one.$('.waiting .person');
      expect(await rows.allTextContents().then((all) => all.map((text) => text.trim()))).toEqual([
        expect.stringMatching(/Luis López[\s\S]*Caregiver · waiting for 3 min/),
        expect.stringMatching(/Patient[\s\S]*has just come/),
      ]);
      await press(one, selector);
      expect(await called(one)).toBe(call);
    });
  });

  describe('places', () => {
    it('shows only who is here', async () => {
      const one = await open(asProvider);
      expect(await tiles(one)).toEqual(['pa', 'in', 'sp']);
      await one.do(({ visit }) => visit.move('pa', 'hold'));
      expect(await tiles(one)).toEqual(['in', 'sp']);
      expect((await said(one)).at(-1)).toBe('Ana López is on hold');
    });

    it('reminds who may call them back of those on hold, while one is not in private', async () => {
      const one = await open({ ...asProvider, attributes: { lang: 'en' } });
      await one.do(({ visit }) => visit.move('pa', 'hold'));
      await one.do(({ visit }) => visit.move('sp', 'hold'));
      expect(await one.text('[data-banner=held] p')).toBe(
        'On hold: Ana López and Prof. Amara Okafor',
      );
      await one.do(({ visit }) => visit.changeSelf({ place: 'room-1' }));
      expect(await one.$('[data-banner=held]').count()).toBe(0);
      await one.do(({ visit }) => visit.changeSelf({ place: 'main' }));
      await press(one, '[data-action=call-back-held]');
      expect(await called(one)).toBe('moveTo ["pa","sp"] {"type":"main"}');
      await press(one, '[data-action=people]');
      expect(await one.$('[data-banner=held]').count()).toBe(0);
      const patient = await open(asPatient);
      await patient.do(({ visit }) => visit.move('dr', 'hold'));
      expect(await patient.$('[data-banner=held]').count()).toBe(0);
    });

    it('writes messages in the font of the rest', async () => {
      const one = await open(asProvider);
      await press(one, '[data-action=chat]');
      const fonts = await one.get(({ element }) =>
        ['.root', 'textarea'].map(
          (each) => getComputedStyle(element.shadowRoot?.querySelector(each) as Element).fontFamily,
        ),
      );
      expect(fonts[1]).toBe(fonts[0]);
    });

    it('tells who is on hold so, with the notice, and lets the music be turned off', async () => {
      const one = await show('on hold, with music');
      expect(await one.text('.held h2')).toBe('You are on hold');
      expect(await one.text('.held .said')).toBe('We are looking at your results.');
      expect(await tiles(one)).toEqual([]);
      await press(one, '[data-action=hold-music]');
      expect(await one.get(({ visit }) => visit.sounds.hold.muted)).toBe(true);
      expect(await one.$('[data-action=hold-music]').getAttribute('aria-pressed')).toBe('false');
    });

    it('says in a private room who hears, and brings everybody in it back', async () => {
      const one = await show('in a private room');
      expect(await one.text('[data-banner=private] p')).toBe(
        'Private: you and Prof. Amara Okafor. The others can’t see or hear you.',
      );
      expect(await tiles(one)).toEqual(['sp']);
      expect((await said(one)).at(-1)).toBe('You are in a private talk');
      await press(one, '[data-action=end-private]');
      expect(await called(one)).toBe('moveTo ["self","sp"] {"type":"main"}');
    });

    async function select(...ids: string[]) {
      const one = await open(asProvider);
      await press(one, '[data-action=people]');
      for (const id of ids) await one.$(`[data-person=${id}] input`).check();
      return one;
    }

    it.each([
      ['private', 'moveTo ["self","in","sp"] {"type":"room"}'],
      ['private-without', 'moveTo ["in","sp"] {"type":"room"}'],
    ])('moves those who are selected: %s', async (action, call) => {
      const one = await select('in', 'sp');
      await press(one, `[data-action=${action}]`);
      expect(await called(one)).toBe(call);
      expect(await one.$('.selection').count()).toBe(0);
    });

    it('puts on hold with a notice and music, or without', async () => {
      const one = await select('pa');
      await press(one, '[data-action=hold]');
      await one.$('dialog[open] input[name=notice]').fill('Back soon.');
      await press(one, '[data-action=confirm-hold]');
      expect(await called(one)).toBe(
        'moveTo ["pa"] {"type":"hold","audio":"music","notice":"Back soon."}',
      );
      await one.$('[data-person=pa] input').check();
      await press(one, '[data-action=hold]');
      await one.$('dialog[open] input[name=notice]').fill('');
      await one.$('dialog[open] input[name=music]').uncheck();
      await press(one, '[data-action=confirm-hold]');
      expect(await called(one)).toBe('moveTo ["pa"] {"type":"hold","audio":"none"}');
    });

    it('puts nobody on hold by Escape', async () => {
      const one = await select('pa');
      await press(one, '[data-action=hold]');
      await one.page.keyboard.press('Escape');
      expect(await one.get(({ visit }) => visit.log.filter((call) => /move/.test(call)))).toEqual(
        [],
      );
    });

    it('calls those on hold, and those of a room, back', async () => {
      const one = await show('people, in several places');
      await press(one, '[data-place=hold] [data-action=call-back]');
      expect(await called(one)).toBe('moveTo ["pa"] {"type":"main"}');
      await press(one, '[data-place=room-1] [data-action=call-back]');
      expect(await called(one)).toBe('moveTo ["in","sp"] {"type":"main"}');
    });

    it('offers nothing of it to who may not', async () => {
      const one = await open(asPatient);
      await press(one, '[data-action=people]');
      expect(await one.$('.panel input[type=checkbox]').count()).toBe(0);
    });
  });

  describe('people', () => {
    async function actions(scene: Scene, id: string) {
      const one = await open(scene);
      await press(one, '[data-action=people]');
      const more = one.$(`[data-person=${id}] [data-action=actions]`);
      if ((await more.count()) === 0) return { one, offered: [] };
      await more.click();
      const offered = await one
        .$(`[data-person=${id}] .deeds button`)
        .evaluateAll((all) => all.map((each) => (each as HTMLElement).dataset.action));
      return { one, offered };
    }

    it.each([
      ['a provider with a patient', asProvider, 'pa', ['mute', 'write', 'remove']],
      ['a provider with a specialist', asProvider, 'sp', ['mute', 'write', 'hand-over', 'remove']],
      ['an interpreter', asInterpreter, 'pa', ['write', 'ask-pause', 'ask-repeat', 'whisper']],
      ['a patient', asPatient, 'dr', ['write']],
      ['one without grants', { ...asPatient, grants: [] }, 'dr', []],
    ] as const)('shows by the grants what can be done: %s', async (_, scene, id, offered) => {
      expect((await actions(scene as Scene, id)).offered).toEqual(offered);
    });

    it.each([
      ['mute', 'mute "pa"'],
      ['write', undefined],
    ])('does it: %s', async (action, call) => {
      const { one } = await actions(asProvider, 'pa');
      await press(one, `[data-person=pa] [data-action=${action}]`);
      if (call) expect(await called(one)).toBe(call);
      else expect(await one.$('[data-action=to]').inputValue()).toBe('pa');
    });

    it('asks to unmute who is muted, and never unmutes', async () => {
      const one = await open(asProvider);
      await one.do(({ visit }) => visit.turn('pa', 'microphone', true));
      await press(one, '[data-action=people]');
      await press(one, '[data-person=pa] [data-action=actions]');
      await press(one, '[data-action=ask-unmute]');
      expect(await called(one)).toBe('askToUnmute "pa"');
    });

    it('asks before it removes', async () => {
      const one = await show('asked whether to remove');
      expect(await one.text('dialog.remove h2')).toBe('Remove Ana López from the visit?');
      await press(one, '[data-action=cancel-remove]');
      expect(
        await one.get(({ visit }) => visit.log.filter((call) => /^remove/.test(call))),
      ).toEqual([]);
      await press(one, '[data-action=remove]');
      await press(one, '[data-action=confirm-remove]');
      expect(await called(one)).toBe('remove "pa"');
    });

    it('shows what could not be done', async () => {
      const { one } = await actions({ ...asProvider, attributes: { lang: 'es' } }, 'pa');
      await one.do(({ visit, error }) => {
        visit.commandError = error('forbidden');
      });
      await press(one, '[data-action=mute]');
      expect(await one.text('[data-banner=problem] p')).toBe(es.errors.forbidden);
    });

    it('asks oneself to unmute: one click does, and the question is gone', async () => {
      const one = await show('asked to unmute');
      expect(await one.$('[data-banner=unmute][role=alert]').count()).toBe(1);
      await press(one, '[data-action=unmute]');
      expect(await called(one)).toBe('microphone on');
      expect(await one.$('[data-banner=unmute]').count()).toBe(0);
    });

    it('tells who was muted that they were, until they unmute', async () => {
      const one = await open(asPatient);
      await one.do(async ({ visit }) => {
        await visit.localParticipant.setMicrophoneEnabled(false);
        visit.emit('microphoneMuted');
      });
      expect(await one.$('[data-banner=muted]').count()).toBe(1);
      await one.do(({ visit }) => visit.localParticipant.setMicrophoneEnabled(true));
      expect(await one.$('[data-banner=muted]').count()).toBe(0);
    });

    it('tells who whispered why they are muted', async () => {
      const one = await open(asPatient);
      await one.do(async ({ visit }) => {
        await visit.localParticipant.setMicrophoneEnabled(false);
        visit.emit('microphoneMuted');
        visit.emit('whisperEnded', undefined);
      });
      expect(await one.text('[data-banner=muted] p')).toContain('Your whisper is over');
    });

    it('raises and lowers one’s hand; others see and hear of it', async () => {
      const one = await open(asPatient);
      await press(one, '[data-action=hand]');
      expect(await called(one)).toBe('raiseHand true');
      await one.do(({ visit }) => visit.changeSelf({ handRaisedAt: 1 }));
      await press(one, '[data-action=hand]');
      expect(await called(one)).toBe('raiseHand false');
      await one.do(({ visit }) => visit.change('in', { handRaisedAt: 2 }));
      expect((await said(one)).at(-1)).toBe('Jonas Weber raised a hand');
      expect(await one.$('[data-participant=in] .raised').count()).toBe(1);
    });

    it.each([
      ['accept', 'answerHandOver true'],
      ['decline', 'answerHandOver false'],
    ])('offers the visit, to be taken or not: %s', async (answer, call) => {
      const one = await show('offered the visit');
      expect(await one.text('dialog[open] h2')).toContain('Prof. Amara Okafor');
      // Who is in the middle of something answers later.
      await one.page.keyboard.press('Escape');
      expect(await one.get(({ visit }) => visit.log)).not.toContain(call);
      await press(one, `[data-banner=hand-over] [data-action=${answer}-hand-over]`);
      expect(await called(one)).toBe(call);
    });

    it.each([
      ['take-over', 'answerHandOver true'],
      ['refuse', 'answerHandOver false'],
    ])('asks who is to take it over: %s', async (answer, call) => {
      const one = await show('offered the visit');
      await press(one, `dialog[open] [data-action=${answer}]`);
      expect(await called(one)).toBe(call);
      expect(await one.$('dialog[open]').count()).toBe(0);
    });

    it('asks no more when the offer is taken back', async () => {
      const one = await show('offered the visit');
      await one.do(({ visit }) => visit.changeVisit({ handOverOffer: undefined }));
      expect(await one.$('dialog[open]').count()).toBe(0);
    });

    it('is offered to nobody who may not be in charge', async () => {
      const one = await open(asProvider);
      await one.do(({ visit }) => visit.change('sp', { mayAttend: false }));
      await press(one, '[data-action=people]');
      await press(one, '[data-person=sp] [data-action=actions]');
      expect(await one.$('[data-person=sp] [data-action=remove]').count()).toBe(1);
      expect(await one.$('[data-person=sp] [data-action=hand-over]').count()).toBe(0);
    });

    it('lets an offer be taken back', async () => {
      const one = await open(asProvider);
      await one.do(({ visit }) => {
        const [, , to] = [...visit.participants.keys()];
        if (to) visit.changeVisit({ handOverOffer: { from: visit.localParticipant.id, to } });
      });
      await press(one, '[data-action=withdraw-hand-over]');
      expect(await called(one)).toBe('handOver null');
    });

    it('says that the visit waits for its provider, and no more once they are back', async () => {
      const one = await show('unattended');
      expect((await said(one)).at(-1)).toContain('Waiting for your provider');
      expect(await one.$('[data-banner=unattended]').count()).toBe(1);
      await one.do(({ visit }) => visit.changeVisit({ unattendedSince: undefined }));
      expect(await one.$('[data-banner=unattended]').count()).toBe(0);
    });
  });

  describe('messages', () => {
    it('counts what was not seen, says it aloud, and no more once the panel is open', async () => {
      const one = await show('unread messages and captions');
      expect(await one.text('[data-action=chat] .badge')).toBe('1');
      expect((await said(one)).at(-1)).toBe(
        'Message from Dr. Elena Marsh: Your pharmacy has the prescription.',
      );
      await press(one, '[data-action=chat]');
      expect(await one.$('[data-action=chat] .badge').count()).toBe(0);
      expect(await one.focused()).toBe('message');
      await one.page.keyboard.press('Escape');
      await one.do(({ visit }) => visit.say('And your appointment.', 'dr'));
      expect(await one.text('[data-action=chat] .badge')).toBe('1');
      expect(await one.focused()).toBe('chat');
    });

    it.each([
      ['room', '{"to":{"type":"room"},"kind":"chat"}'],
      ['all', '{"to":{"type":"all"},"kind":"chat"}'],
      ['dr', '{"to":{"type":"participant","participantId":"dr"},"kind":"chat"}'],
    ])('writes by keyboard, to %s', async (to, options) => {
      const one = await open(asPatient);
      await press(one, '[data-action=chat]');
      await one.$('[data-action=to]').selectOption(to);
      await one.$('[data-action=message]').focus();
      await one.page.keyboard.type('One');
      await one.page.keyboard.press('Shift+Enter');
      await one.page.keyboard.type('Two');
      await one.page.keyboard.press('Enter');
      await one.do(() => {});
      expect(await called(one)).toBe(`sendMessage "One\\nTwo" ${options}`);
      expect(await one.$('[data-action=message]').inputValue()).toBe('');
      expect(await one.text('.bubble.mine p')).toBe('One Two');
    });

    it('sends nothing that is empty, and M and V are letters there', async () => {
      const one = await open(asPatient);
      await press(one, '[data-action=chat]');
      const before = await one.get(({ visit }) => visit.log.length);
      await one.page.keyboard.press('Enter');
      await one.page.keyboard.type('mv');
      expect(await one.get(({ visit }) => visit.log.length)).toBe(before);
    });

    it('gives back what could not be sent', async () => {
      const one = await open(asPatient);
      await press(one, '[data-action=chat]');
      await one.do(({ visit, error }) => {
        visit.commandError = error('state-unavailable');
      });
      await one.page.keyboard.type('Hello');
      await one.page.keyboard.press('Enter');
      await one.do(() => {});
      expect(await one.$('[data-action=message]').inputValue()).toBe('Hello');
      expect(await one.$('[data-banner=problem]').count()).toBe(1);
    });

    it('still names who wrote and has left', async () => {
      const one = await show('messages');
      await one.do(({ visit }) => visit.gone('sp'));
      expect(await one.text('.bubble.private b')).toBe('Prof. Amara Okafor');
    });

    it('marks what is for one person alone', async () => {
      const one = await show('messages');
      expect(await one.text('.bubble.private')).toContain('only to you');
      expect(await one.$('.bubble').count()).toBe(4);
    });

    it('shows captions over the pictures and not among the messages, each for a while', async () => {
      const one = await open(asPatient);
      await one.page.clock.install();
      await one.do(({ visit }) => visit.say('twice a day', 'in', { kind: 'caption' }));
      expect(await one.text('.captions')).toBe('Jonas Weber twice a day');
      await press(one, '[data-action=chat]');
      expect(await one.$('.bubble').count()).toBe(0);
      await one.page.clock.runFor(10_000);
      expect(await one.$('.captions').count()).toBe(0);
    });

    it('writes captions where that is granted', async () => {
      const one = await open({ ...asPatient, grants: ['chat', 'caption'] });
      await press(one, '[data-action=chat]');
      await one.$('[data-action=caption]').check();
      await one.$('[data-action=message]').fill('Good morning');
      await one.$('[data-action=message]').press('Enter');
      await one.do(() => {});
      expect(await called(one)).toBe(
        'sendMessage "Good morning" {"to":{"type":"room"},"kind":"caption"}',
      );
    });

    it('has reactions only where the clinic allows them', async () => {
      const one = await open(asPatient);
      await press(one, '[data-action=chat]');
      expect(await one.$('.reactions').count()).toBe(0);
      await one.do(({ visit }) => visit.changeVisit({ reactionsAllowed: true }));
      await press(one, '[data-action=react-yes]');
      expect(await called(one)).toBe('react "yes"');
      await one.do(({ visit }) => {
        const [first] = visit.participants.values();
        if (first) visit.emit('reactionReceived', 'heart', first);
      });
      expect(await one.$('[data-participant=dr] .reaction').count()).toBe(1);
    });
  });

  describe('interpreting', () => {
    it('asks who speaks to pause or to repeat', async () => {
      const one = await show('interpreting');
      expect(await one.text('[data-banner=interpreting] p')).toContain('Dr. Elena Marsh speaks');
      await press(one, '[data-action=cue-pause]');
      expect(await called(one)).toBe('cue "dr" "pause"');
      await press(one, '[data-action=cue-repeat]');
      expect(await called(one)).toBe('cue "dr" "repeat"');
    });

    it('takes the turn by a click or by T, and only who interprets does', async () => {
      const one = await show('interpreting');
      await press(one, '[data-action=take-turn]');
      expect(await called(one)).toBe('takeTurn');
      await one.do(({ visit }) => visit.log.splice(0));
      await one.$('[data-action=people]').focus();
      await one.page.keyboard.press('t');
      expect(await called(one)).toBe('takeTurn');
      await one.do(({ visit }) => visit.changeVisit({ turns: [visit.localParticipant.id] }));
      expect(await one.$('[data-action=take-turn]').count()).toBe(0);

      const patient = await open(asPatient);
      await patient.$('[data-action=people]').focus();
      await patient.page.keyboard.press('t');
      expect(await patient.get(({ visit }) => visit.log)).not.toContain('takeTurn');
    });

    it('shows a speaker what the interpreter asks for, for a while', async () => {
      const one = await open(asPatient);
      await one.page.clock.install();
      await one.do(({ visit }) =>
        visit.emit('cueReceived', 'repeat', [...visit.participants.values()][1]),
      );
      expect(await one.text('[data-banner=cue][role=alert] p')).toBe(
        'Jonas Weber asks you to repeat that.',
      );
      await one.page.clock.runFor(9_000);
      expect(await one.$('[data-banner=cue]').count()).toBe(0);
    });

    it('says while one whispers who alone hears, and ends it', async () => {
      const one = await open(asInterpreter);
      await one.do(({ visit }) => {
        const [, ana] = [...visit.participants.keys()];
        visit.changeSelf({ whisperTo: ana });
      });
      expect(await one.text('[data-banner=whisper] p')).toBe('Only Ana López hears you.');
      await press(one, '[data-action=end-whisper]');
      expect(await called(one)).toBe('whisper null');
    });

    it.each([
      ['[data-action=add-speaks]', 'fr', 'setLanguages {"speaks":["es","ase","fr"]}'],
      ['[data-action=add-hears]', 'ase', 'setLanguages {"hears":["es","ase"]}'],
      ['[data-action=duck]', '0', 'setLanguages {"duckDb":0}'],
    ])('sets one’s languages: %s %s', async (selector, value, call) => {
      const one = await show('languages');
      await one.$(selector).selectOption(value);
      await one.do(() => {});
      expect(await called(one)).toBe(call);
    });

    it('takes a language away, and names signed ones as signers do', async () => {
      const one = await show('languages');
      expect(await one.$('.chips').first().textContent()).toContain('Sign language (ASL)');
      await press(one, '[data-action=remove-ase]');
      expect(await called(one)).toBe('setLanguages {"speaks":["es"]}');
      await one.$('[data-action=signs]').check();
      await one.do(() => {});
      expect(await called(one)).toBe('setLanguages {"signs":true}');
    });

    it('switches the mode, for who interprets or may admit', async () => {
      const one = await show('interpreting');
      await press(one, '[data-action=languages]');
      await one.$('select[data-action=interpreting]').selectOption('consecutive');
      await one.do(() => {});
      expect(await called(one)).toBe('setInterpreting "consecutive"');
      const patient = await open(asPatient);
      expect(await patient.$('select[data-action=interpreting]').count()).toBe(0);
    });
  });

  describe('sign language', () => {
    const area = async (one: ElementPage, selector: string) => {
      const box = await one.$(selector).boundingBox();
      return (box?.width ?? 0) * (box?.height ?? 0);
    };

    it.each([
      [320, 1.3],
      [1280, 3],
    ])('shows the protected picture largest, at %i pixels %f times', async (width, more) => {
      const one = await show('in sign language', { width, height: 800 });
      // The moving of tiles to their places is not what is measured.
      await one.get(({ element }) =>
        Promise.all(
          (element.shadowRoot?.getAnimations() ?? [])
            .filter((each) => each instanceof CSSTransition)
            .map(({ finished }) => finished),
        ),
      );
      const signed = await area(one, '[data-participant=in]');
      expect(signed).toBeGreaterThan(more * (await area(one, '[data-participant=dr]')));
    });

    it('shows every sound to who signs, and to nobody else', async () => {
      const one = await show('in sign language');
      expect(await one.$('.root[data-flash]').count()).toBe(1);
      const other = await show('unread messages and captions');
      expect(await other.$('.root[data-flash]').count()).toBe(0);
    });

    it('says that a picture is too poor for it, until it is not', async () => {
      const one = await show('in sign language');
      expect(await one.text('[data-banner=quality-in] p')).toContain('Jonas Weber');
      await one.do(({ visit }) => {
        const [, participantId] = [...visit.participants.keys()];
        if (participantId)
          visit.emit('qualityRestored', {
            participantId,
            what: 'frame-rate',
            value: 25,
            threshold: 20,
          });
      });
      expect(await one.$('[data-banner=quality-in]').count()).toBe(0);
    });
  });

  describe('inviting', () => {
    const link = (one: ElementPage) => one.$('.invites .link').inputValue();

    it('makes a link by the template of the page, with the role and the knock', async () => {
      const one = await open({
        ...asProvider,
        attributes: { 'invite-url-template': 'https://clinic.example/join#{token}' },
      });
      await press(one, '[data-action=invite]');
      await one.$('dialog[open] select[name=role]').selectOption('specialist');
      await one.$('dialog[open] input[name=name]').fill('Dr. Roe');
      await one.$('dialog[open] input[name=knock]').check();
      await press(one, '[data-action=create-invite]');
      expect(await called(one)).toBe('invite {"role":"specialist","knock":true,"name":"Dr. Roe"}');
      expect(await link(one)).toBe('https://clinic.example/join#token-invite-1');
    });

    it('asks the page for the link, and hands it the token', async () => {
      const one = await open(asProvider);
      await one.get(({ element }) =>
        element.addEventListener('bedside-invite', ({ detail }) =>
          detail.respondWith(Promise.resolve(`https://x.example/${detail.role}/${detail.token}`)),
        ),
      );
      await press(one, '[data-action=invite]');
      await press(one, '[data-action=create-invite]');
      expect(await link(one)).toBe('https://x.example/interpreter/token-invite-1');
    });

    it('shows no link where the page sends it by itself, and revokes', async () => {
      const one = await open(asProvider);
      await press(one, '[data-action=invite]');
      await press(one, '[data-action=create-invite]');
      expect(await one.$('.invites .link').count()).toBe(0);
      await press(one, '[data-action=revoke]');
      expect(await called(one)).toBe('revokeInvite "invite-1"');
    });

    it('makes a link by Enter, too', async () => {
      const one = await open(asProvider);
      await press(one, '[data-action=invite]');
      await one.$('dialog[open] [name=name]').focus();
      await one.page.keyboard.press('Enter');
      expect(await called(one)).toContain('invite {"role":"interpreter"');
      expect(await one.$('dialog[open]').count()).toBe(1);
    });

    it('copies the link', async () => {
      const one = await show('inviting');
      await one.page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
      await press(one, '[data-action=copy]');
      await one.page.waitForFunction(
        () =>
          document.querySelector('bedside-visit')?.shadowRoot?.querySelector('[data-action=copy]')
            ?.textContent === 'Copied',
        undefined,
        { polling: 20 },
      );
      expect(await one.page.evaluate(() => navigator.clipboard.readText())).toBe(
        'https://clinic.example/join#token-invite-1',
      );
    });
  });

  describe('calling who is on call', () => {
    it('asks for a language nobody interprets, and rings who has all that is chosen', async () => {
      const one = await open({ ...asProvider, people: asProvider.people?.slice(0, 1) ?? [] });
      await one.do(({ visit }) => visit.changeSelf({ speaks: ['en'], hears: ['en'] }));
      await press(one, '[data-action=call]');
      await one.$('dialog[open] [name=specialty-0]').fill('cardiology');
      await one.page.keyboard.press('Enter');
      expect(await called(one)).toBe(
        'call {"role":"interpreter","groups":[{"language":"es","specialty":"cardiology"}],"ringMs":30000}',
      );
      expect(await one.$('dialog[open]').count()).toBe(0);
    });

    it('rings up to three groups in order, each as long as was chosen', async () => {
      const one = await open(asProvider);
      await one.do(({ element }) => {
        element.specialties = [{ tag: 'cardiology', label: 'Heart' }];
      });
      await press(one, '[data-action=call]');
      await one.$('dialog[open] [name=role]').selectOption('specialist');
      await one.$('[name=specialty-0]').selectOption({ label: 'Heart' });
      await one.$('[name=language-0]').selectOption('vi');
      await press(one, '[data-action=add-group]');
      await one.$('[name=specialty-1]').selectOption('cardiology');
      await press(one, '[data-action=add-group]');
      expect(await one.$('[data-action=add-group]').count()).toBe(0);
      await one.$('dialog[open] [name=ring]').selectOption('60');
      await press(one, '[data-action=start-call]');
      expect(await called(one)).toBe(
        'call {"role":"specialist","groups":[{"language":"vi","specialty":"cardiology"},{"specialty":"cardiology"},{}],"ringMs":60000}',
      );
    });

    it('shows and says how it goes, and stops', async () => {
      const one = await show('calling who is on call');
      expect(await one.text('[data-banner=call-c1] p')).toBe('Calling: Interpreter, group 1 of 2…');
      expect(await one.text('[data-banner=call-c2] p')).toBe('Nobody answered: Specialist.');
      expect((await said(one)).at(-1)).toBe('Nobody answered: Specialist.');
      await press(one, '[data-banner=call-c2] [data-action=call-again]');
      expect(await one.$('dialog[open].call').count()).toBe(1);
      expect(await one.$('[data-banner=call-c2]').count()).toBe(0);
      await one.page.keyboard.press('Escape');
      await press(one, '[data-action=cancel-call]');
      expect(await called(one)).toBe('cancelCall "c1"');
      const change = (state: string, group: number, acceptedBy?: string) =>
        one.page.evaluate(
          ([state, group, acceptedBy]) =>
            window.fixture.visit.changeVisit({
              calls: [
                {
                  callId: 'c1',
                  role: 'interpreter',
                  groups: 2,
                  until: 0,
                  state,
                  group,
                  acceptedBy,
                },
              ] as never,
            }),
          [state, group, acceptedBy] as const,
        );
      await change('ringing', 1);
      expect((await said(one)).at(-1)).toBe('Calling: Interpreter, group 2 of 2…');
      await change('accepted', 1, 'in-2');
      expect(await one.text('[data-banner=call-c1] p')).toBe(
        'Interpreter: accepted, and is joining.',
      );
      await one.do(({ visit }) => visit.add({ id: 'in-2', role: 'interpreter', name: 'Noor' }));
      expect(await one.$('[data-banner=call-c1]').count()).toBe(0);
      expect((await said(one)).at(-1)).toBe('Noor joined the visit');
    });

    it('is silent about calls that were over before', async () => {
      const one = await open(asProvider);
      await one.do(({ visit }) =>
        visit.changeVisit({
          calls: [
            {
              callId: 'c1',
              role: 'interpreter',
              groups: 1,
              group: 0,
              until: 0,
              state: 'unanswered',
            },
          ] as never,
        }),
      );
      expect(await one.$('[data-banner=call-c1]').count()).toBe(0);
    });
  });

  describe('the end', () => {
    it('tells who may end it everybody’s times, and others their own', async () => {
      const one = await show('ended, with its times');
      expect(await one.$('.times tbody tr').count()).toBe(4);
      const patient = await open(asPatient);
      await patient.do(({ visit }) => visit.setState('disconnected', 'visit-ended'));
      expect(await patient.text('p.times')).toMatch(/ · 1 min$/);
      expect(await patient.$('table').count()).toBe(0);
    });
  });

  describe('controls', () => {
    it('go behind one where there is no room for all, and work from there', async () => {
      const one = await open(asProvider, { width: 320, height: 640 });
      const shown = await one
        .$('.toolbar button')
        .evaluateAll((all) => all.map((each) => (each as HTMLElement).dataset.action));
      expect(shown).toEqual(['microphone', 'camera', 'people', 'chat', 'more', 'leave']);
      await press(one, '[data-action=more]');
      await press(one, '.menu [data-action=invite]');
      const open_ = await one
        .$('dialog[open]')
        .evaluateAll((all) => all.map(({ className }) => className));
      expect(open_).toEqual(['dialog invite']);
    });

    it('give the focus back where a panel is closed', async () => {
      const one = await open(asProvider);
      await one.$('[data-action=people]').focus();
      await one.page.keyboard.press('Enter');
      expect(await one.focused()).toBe('h2');
      await one.page.keyboard.press('Escape');
      expect(await one.focused()).toBe('people');
      expect(await one.$('.panel').count()).toBe(0);
    });
  });
});
