/** The start page; the page of a visit whose link does not say who joins; and the visit itself. */
import { languageOptions } from './languages.js';
import {
  byId,
  copy,
  el,
  getVisit,
  newVisitId,
  onLanguage,
  pageLanguage,
  params,
  say,
  speak,
  t,
  title,
  visitAddress,
} from './page.js';
import { showVisit } from './visit.js';

const ROLES = ['patient', 'provider', 'interpreter', 'specialist'];
/** Those that only an invitation gives. */
const GUESTS = ['caregiver', 'observer', 'moderator', 'device'];
const PRESENCE_EVERY_MS = 5000;

const visit = params.get('visit') || newVisitId();
const role = params.get('role');
/** Once somebody has chosen a role, or one was proposed, it stays. */
let roleIsChosen = false;

/** BCP 47 as the address asks for, whether or not the page has texts in it. */
const spoken = () => {
  const asked = params.get('lang') ?? '';
  return /^[a-z]{2,8}(-[a-z0-9]{1,8})*$/i.test(asked) ? asked : pageLanguage();
};

function showHome() {
  title(t('home.title'));
  byId('home').hidden = false;
  byId('direct').href = visitAddress(visit, { lang: pageLanguage() });
}

function showLobby() {
  const chosen = byId('roles').querySelector(':checked')?.value ?? 'patient';
  const language = byId('language').value || spoken();
  title(t('lobby.title'));
  byId('lobby').hidden = false;
  byId('code').textContent = visit;
  byId('language').replaceChildren(...languageOptions(language.split('-')[0]));
  byId('when').textContent =
    `${t('lobby.now')}, ${new Intl.DateTimeFormat(pageLanguage(), { dateStyle: 'long' }).format(new Date())}`;
  byId('roles').replaceChildren(...ROLES.map((one) => choice(one, one === chosen)));
  byId('invites').replaceChildren(...ROLES.map(inviteFor));
  void showPresence();
}

function choice(one, isChosen) {
  const input = el('input', { type: 'radio', name: 'role', value: one });
  input.checked = isChosen;
  return el(
    'label',
    { class: `choice ${one}` },
    input,
    el('span', { class: 'icon', 'aria-hidden': 'true' }),
    el(
      'span',
      { class: 'what' },
      el('b', {}, t(`role.${one}`)),
      el('small', {}, t(`roleHint.${one}`)),
    ),
    el('em', { 'data-here': one }),
  );
}

function inviteFor(one) {
  const name = t(`role.${one}`);
  const href = visitAddress(visit, { role: one, lang: pageLanguage() });
  const copying = el(
    'button',
    {
      type: 'button',
      class: 'link',
      'aria-label': t('lobby.copyAs', { role: name }),
      onclick: async () => {
        const copied = await copy(href);
        copying.textContent = copied ? t('page.copied') : t('page.copy');
        say(copied ? t('page.copied') : t('page.notCopied'));
      },
    },
    t('page.copy'),
  );
  const open = el(
    'a',
    { href, target: '_blank', rel: 'noopener', 'aria-label': t('lobby.openAs', { role: name }) },
    t('lobby.open'),
  );
  return el('li', {}, el('span', {}, name), copying, open);
}

async function showPresence() {
  if (document.hidden || byId('lobby').hidden) return;
  const { present = [], state } = await getVisit(visit).catch(() => ({}));
  byId('ended').hidden = state !== 'ended';
  if (!roleIsChosen && state !== undefined) {
    roleIsChosen = true;
    const free = ROLES.find((one) => !present.includes(one)) ?? 'patient';
    byId('roles').querySelector(`[value=${free}]`).checked = true;
  }
  for (const badge of document.querySelectorAll('[data-here]'))
    badge.textContent = present.includes(badge.dataset.here) ? t('lobby.here') : '';
}

byId('roles').addEventListener('change', () => {
  roleIsChosen = true;
});

byId('join').addEventListener('submit', (event) => {
  event.preventDefault();
  const form = new FormData(event.target);
  const [as, lang] = [form.get('role'), form.get('lang')];
  // With the entry of the history: an address that carries a name would end up in logs.
  history.pushState({ name: form.get('name').trim() }, '', visitAddress(visit, { role: as, lang }));
  speak(lang);
  byId('lobby').hidden = true;
  showVisit({ visit, role: as, lang, auto: false });
});

// Back and forward between lobby and visit.
addEventListener('popstate', () => location.reload());

if (params.get('visit') && [...ROLES, ...GUESTS].includes(role)) {
  const kept = history.state ?? {};
  onLanguage(() => title(t('lobby.title')));
  showVisit({ visit, role, lang: spoken(), auto: kept.rejoin ?? params.get('auto') === '1' });
} else if (params.has('visit') || params.has('role')) {
  history.replaceState(null, '', visitAddress(visit, { lang: params.get('lang') }));
  onLanguage(showLobby);
  setInterval(showPresence, PRESENCE_EVERY_MS);
} else {
  onLanguage(showHome);
}
