/** What a provider is asked before something is done for who waits. */
import { byId, el, t, tIn } from './page.js';
import { nameOrRole } from './staff.js';

/** Resolves with the value of the button that closed it; empty for none. */
function answered(dialog) {
  dialog.returnValue = '';
  dialog.showModal();
  return new Promise((resolve) =>
    dialog.addEventListener('close', () => resolve(dialog.returnValue), { once: true }),
  );
}

/** A text for who waits; undefined where there is none. What is proposed is in their language, where it is known. */
export async function askForMessage(name, lang) {
  const { text } = byId('message-form').elements;
  text.value = '';
  byId('message-title').textContent = t('message.title', { name });
  byId('presets').replaceChildren(
    ...['message.late', 'message.soon', 'message.ready'].map((key) =>
      el(
        'button',
        {
          type: 'button',
          class: 'plain',
          onclick: () => {
            text.value = tIn(lang, key);
            text.focus();
          },
        },
        t(key),
      ),
    ),
  );
  const answer = await answered(byId('message'));
  return answer === 'send' && text.value.trim() ? text.value.trim() : undefined;
}

export async function askForColleague(name, colleagues) {
  byId('hand-over-title').textContent = t('handOver.title', { name });
  byId('colleague').replaceChildren(
    ...colleagues.map((each) =>
      el('option', { value: each.person }, nameOrRole(each.name, each.role)),
    ),
  );
  const isNobody = colleagues.length === 0;
  byId('no-colleagues').hidden = !isNobody;
  byId('colleague-field').hidden = isNobody;
  byId('hand-over-offer').hidden = isNobody;
  const answer = await answered(byId('hand-over'));
  return answer === 'offer'
    ? colleagues.find(({ person }) => person === byId('colleague').value)
    : undefined;
}

export async function askToTurnAway(name) {
  byId('turn-away-title').textContent = t('turnAway.title', { name });
  return (await answered(byId('turn-away'))) === 'deny';
}
