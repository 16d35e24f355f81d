import { isSigned, languageName } from './languages.js';
import { el, t } from './page.js';
import { waited } from './times.js';

/**
 * The queue as cards, one a visit. A card stays the same element while its visit waits, so that a change
 * takes the focus from nobody.
 */
export class QueueList {
  #list;
  #deeds;
  #cards = new Map();

  /** @param deeds what the buttons do: functions of the entry and the name of who waits */
  constructor(list, deeds) {
    this.#list = list;
    this.#deeds = deeds;
  }

  /** Gives the names of those who have come since the last time. */
  show(entries, context) {
    const known = new Set(entries.map(({ visit }) => visit));
    for (const [visit, card] of this.#cards) {
      if (known.has(visit)) continue;
      card.element.remove();
      this.#cards.delete(visit);
    }
    const arrived = [];
    entries.forEach((entry, index) => {
      let card = this.#cards.get(entry.visit);
      if (!card) {
        card = new Card(this.#deeds);
        this.#cards.set(entry.visit, card);
        arrived.push(nameIn(entry, context));
      }
      card.show(entry, context);
      const before = this.#list.children[index];
      if (before !== card.element) this.#list.insertBefore(card.element, before ?? null);
    });
    return arrived;
  }
}

/** The patient's name where the portal knows it; who else waits by their role. */
function nameIn({ visit, waiting }, { appointments }) {
  const names = waiting.map(({ role }) =>
    role === 'patient' ? appointments.get(visit)?.name || t('role.patient') : t(`role.${role}`),
  );
  return names.join(', ');
}

class Card {
  element = el('li', { class: 'card entry' });
  #name = el('h2');
  #since = el('p', { class: 'since' });
  #chips = el('ul', { class: 'chips' });
  #offer = el('p', { class: 'offer' });
  #buttons = new Map();
  #entry;

  constructor(deeds) {
    const button = (name, style, deed) => {
      const one = el('button', {
        type: 'button',
        class: style,
        'data-deed': name,
        onclick: async () => {
          one.disabled = true;
          await deed(this.#entry, this.#name.textContent);
          one.disabled = false;
        },
      });
      this.#buttons.set(name, one);
      return one;
    };
    this.element.append(
      el('div', { class: 'who' }, this.#name, this.#since),
      this.#chips,
      this.#offer,
      el(
        'div',
        { class: 'row deeds' },
        button('accept', 'primary', (entry) => deeds.answer(entry, true)),
        button('decline', 'plain', (entry) => deeds.answer(entry, false)),
        button('admit', 'primary', deeds.admit),
        button('message', 'plain', deeds.message),
        button('handOver', 'plain', deeds.handOver),
        button('takeBack', 'plain', deeds.takeBack),
        button('turnAway', 'plain quiet', deeds.turnAway),
      ),
    );
  }

  show(entry, context) {
    const { appointments, colleagues, me, now } = context;
    const { visit, waiting, provider, offeredTo } = entry;
    this.#entry = entry;
    this.element.dataset.visit = visit;
    const name = nameIn(entry, context);
    set(this.#name, name);
    set(this.#since, t('clinic.waits', { time: waited(waiting[0].since, now) }));
    const called = (person) =>
      colleagues.find((each) => each.person === person)?.name || t('clinic.colleague');
    this.#showChips(chipsOf(entry, appointments.get(visit), { me, called }));
    const isForMe = offeredTo !== undefined && offeredTo === me;
    const isOffered = offeredTo !== undefined && !isForMe;
    const who = called(isForMe ? provider : offeredTo);
    set(
      this.#offer,
      isForMe
        ? t('clinic.asksYou', { name: who })
        : isOffered
          ? t('clinic.asked', { name: who })
          : '',
    );
    this.#offer.hidden = offeredTo === undefined;
    for (const [deed, button] of this.#buttons) {
      set(button, t(`deed.${deed}`));
      button.setAttribute('aria-label', `${t(`deed.${deed}`)}: ${name}`);
    }
    const hide = (deed, isHidden) => {
      this.#buttons.get(deed).hidden = isHidden;
    };
    hide('accept', !isForMe);
    hide('decline', !isForMe);
    hide('admit', isForMe);
    hide('handOver', offeredTo !== undefined);
    hide('takeBack', !isOffered);
  }

  #showChips(chips) {
    const shown = JSON.stringify(chips);
    if (this.#chips.dataset.shown === shown) return;
    this.#chips.dataset.shown = shown;
    this.#chips.replaceChildren(...chips.map(([kind, text]) => el('li', { class: kind }, text)));
  }
}

/** Languages, whom they need beside the provider, their connection, and for whom they wait. */
function chipsOf({ waiting, provider }, appointment, { me, called }) {
  const languages = [...new Set(waiting.flatMap((each) => each.languages))];
  const signs = languages.some(isSigned) || waiting.some(({ needs }) => needs.signLanguage);
  const needsInterpreter =
    appointment?.interpreter === true || waiting.some(({ needs }) => needs.interpreter);
  const chips = languages.map((tag) => ['language', languageName(tag)]);
  if (signs) chips.push(['need', t('need.signLanguage')]);
  if (needsInterpreter) chips.push(['need', t('need.interpreter')]);
  const isAway = waiting.every(({ connection }) => connection === 'reconnecting');
  const quality = Math.min(...waiting.map((each) => each.quality ?? 3));
  if (isAway) chips.push(['poor', t('connection.reconnecting')]);
  else if (quality < 3) chips.push([quality < 2 ? 'poor' : 'fair', t(`connection.${quality}`)]);
  else chips.push(['good', t('connection.good')]);
  if (provider === me) chips.push(['mine', t('clinic.forYou')]);
  else if (provider !== undefined)
    chips.push(['theirs', t('clinic.for', { name: called(provider) })]);
  return chips;
}

const set = (element, text) => {
  if (element.textContent !== text) element.textContent = text;
};
