import { texts } from './texts.js';

const ROLES = ['patient', 'provider', 'interpreter', 'specialist'];
const PRESENCE_EVERY_MS = 5000;

const byId = (id) => document.getElementById(id);
const params = new URLSearchParams(location.search);
const visit = params.get('visit') || newVisitId();
/** What a reload of this tab keeps, with the entry of its history: links and bookmarks do not carry it. */
const kept = history.state ?? {};
const language = (tag) => (tag && tag.split('-')[0] in texts ? tag.split('-')[0] : 'en');
let lang = language(params.get('lang') || navigator.language);
let presence;
/** Once somebody has chosen a role, or one was proposed, it stays. */
let roleIsChosen = false;

/** The address of this visit with other parameters; it keeps no more than what is asked for. */
function addressOf(fields) {
  const query = new URLSearchParams({ visit });
  for (const [key, value] of Object.entries(fields)) if (value) query.set(key, value);
  return `${location.origin}/?${query}`;
}

/** Random, easy to read out: "visit-7k3m-p2xq". */
function newVisitId() {
  const letters = 'abcdefghjkmnpqrstuvwxyz23456789';
  const random = crypto.getRandomValues(new Uint8Array(12));
  const text = Array.from(random, (byte) => letters[byte % letters.length]).join('');
  return `visit-${text.slice(0, 4)}-${text.slice(4, 8)}-${text.slice(8)}`;
}

/** The same over a reload of this tab, so that it takes its own place again; another tab is another person. */
function participantId(role) {
  const key = `participant ${visit} ${role}`;
  let id = sessionStorage.getItem(key);
  if (!id) {
    id =
      crypto.randomUUID?.() ??
      Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) =>
        byte.toString(16).padStart(2, '0'),
      ).join('');
    sessionStorage.setItem(key, id);
  }
  return id;
}

async function fetchToken(role, name) {
  const answer = await fetch('/api/token', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({
      visit,
      role,
      lang,
      participant: participantId(role),
      ...(name ? { name } : {}),
    }),
    signal: AbortSignal.timeout(10_000),
  });
  if (!answer.ok) throw new Error(`The portal answered ${answer.status}`);
  return answer.json();
}

function translate() {
  document.documentElement.lang = lang;
  document.title = `${texts[lang].title} · Lakeside Clinic`;
  for (const element of document.querySelectorAll('[data-text]')) {
    element.textContent = texts[lang][element.dataset.text];
  }
  byId('page-language').value = lang;
}

function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/* Before the visit */

function showLobby() {
  const chosen = byId('roles').querySelector(':checked')?.value ?? 'patient';
  const t = texts[lang];
  byId('lobby').hidden = false;
  byId('room').hidden = true;
  document.body.classList.remove('in-room');
  byId('code').textContent = visit;
  byId('language').value = lang;
  byId('when').textContent =
    `${t.now}, ${new Intl.DateTimeFormat(lang, { dateStyle: 'long' }).format(new Date())}`;
  byId('roles').replaceChildren(
    ...ROLES.map((role) => {
      const [title, hint] = t.roles[role];
      const input = el('input', { type: 'radio', name: 'role', value: role });
      input.checked = role === chosen;
      const here = el('em', { 'data-here': role });
      return el(
        'label',
        { class: `choice ${role}` },
        input,
        el('span', { class: 'icon', 'aria-hidden': 'true' }),
        el('span', { class: 'what' }, el('b', {}, title), el('small', {}, hint)),
        here,
      );
    }),
  );
  byId('invites').replaceChildren(
    ...ROLES.map((role) => {
      const title = t.roles[role][0];
      const href = addressOf({ role, lang });
      const copy = el(
        'button',
        { type: 'button', class: 'link', 'aria-label': t.copyAs.replace('{role}', title) },
        t.copy,
      );
      copy.addEventListener('click', async () => {
        const copied = await writeToClipboard(href);
        copy.textContent = copied ? t.copied : t.copy;
        byId('status').textContent = copied ? t.copied : t.notCopied;
      });
      const open = el(
        'a',
        {
          href,
          target: '_blank',
          rel: 'noopener',
          'aria-label': t.openAs.replace('{role}', title),
        },
        t.open,
      );
      return el('li', {}, el('span', {}, title), copy, open);
    }),
  );
  void showPresence();
  presence ??= setInterval(showPresence, PRESENCE_EVERY_MS);
}

async function writeToClipboard(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

async function showPresence() {
  if (document.hidden) return;
  const answer = await fetch(`/api/visits/${encodeURIComponent(visit)}`).catch(() => undefined);
  const { present = [], state } = answer?.ok ? await answer.json() : {};
  byId('ended').hidden = state !== 'ended';
  if (!roleIsChosen && answer?.ok) {
    roleIsChosen = true;
    const free = ROLES.find((role) => !present.includes(role)) ?? 'patient';
    byId('roles').querySelector(`[value=${free}]`).checked = true;
  }
  for (const badge of document.querySelectorAll('[data-here]')) {
    badge.textContent = present.includes(badge.dataset.here) ? texts[lang].here : '';
  }
}

/* The visit */

function showVisit(role, name, auto) {
  clearInterval(presence);
  presence = undefined;
  byId('lobby').hidden = true;
  document.body.classList.add('in-room');
  const element = document.createElement('bedside-visit');
  element.setAttribute('lang', lang);
  if (auto) element.setAttribute('auto', '');
  const keep = (change) =>
    history.replaceState({ ...history.state, ...change }, '', addressOf({ role, lang }));
  for (const device of ['camera', 'microphone']) {
    const choice = kept[device] ?? params.get(device);
    if (choice === 'off') element.setAttribute(device, 'off');
    if (choice) keep({ [device]: choice });
  }
  // Who has turned the microphone off is not heard after a reload either.
  element.addEventListener('bedside-device-toggled', ({ detail }) =>
    keep({ [detail.source]: detail.enabled ? 'on' : 'off' }),
  );
  // The first token is under way before the element asks for it.
  let first = fetchToken(role, name);
  first.catch(() => {});
  element.tokenProvider = async () => {
    const { token } = await (first ?? fetchToken(role, name));
    first = undefined;
    return token;
  };
  // A reload goes straight back in; after leaving it does not.
  element.addEventListener('bedside-connected', () => keep({ rejoin: true }));
  element.addEventListener('bedside-disconnected', () => keep({ rejoin: false }));
  byId('room').replaceChildren(element);
  byId('room').hidden = false;
  first.then(
    ({ url }) => element.setAttribute('url', url),
    () => element.setAttribute('url', location.origin),
  );
}

byId('roles').addEventListener('change', () => {
  roleIsChosen = true;
});

byId('join').addEventListener('submit', (event) => {
  event.preventDefault();
  const form = new FormData(event.target);
  lang = language(form.get('lang'));
  const [role, name] = [form.get('role'), form.get('name').trim()];
  // With the entry of the history: an address that carries a name would end up in logs.
  history.pushState({ name }, '', addressOf({ role, lang }));
  translate();
  showVisit(role, name, false);
});

byId('page-language').addEventListener('change', (event) => {
  lang = language(event.target.value);
  translate();
  const element = document.querySelector('bedside-visit');
  if (element) element.setAttribute('lang', lang);
  else showLobby();
});

// Back and forward between lobby and visit.
addEventListener('popstate', () => location.reload());

translate();
const role = params.get('role');
if (params.get('visit') && ROLES.includes(role)) {
  showVisit(role, kept.name ?? '', kept.rejoin ?? params.get('auto') === '1');
} else {
  history.replaceState(null, '', addressOf({ lang: params.get('lang') }));
  showLobby();
}
