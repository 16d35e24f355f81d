/** What all pages of the portal share: texts, the language of the page, requests, small elements. */
import en from './texts-en.js';
import es from './texts-es.js';

const TABLES = { en, es };

export const params = new URLSearchParams(location.search);
export const byId = (id) => document.getElementById(id);

const offered = (tag) => {
  const language = tag?.split('-')[0].toLowerCase() ?? '';
  return Object.hasOwn(TABLES, language) ? language : undefined;
};
/** As chosen on this page, as its address asks for, as chosen in this tab before, or as the browser is. */
let lang =
  offered(history.state?.pageLanguage) ??
  offered(params.get('lang')) ??
  offered(sessionStorage.getItem('page language')) ??
  offered(navigator.language) ??
  'en';
const listeners = [];

/** The language of the page's texts. */
export const pageLanguage = () => lang;

/** A text, with what stands in braces filled in. */
export const t = (key, values = {}) => tIn(lang, key, values);

/** A text in somebody else's language; in that of the page where there is none in theirs. */
export function tIn(tag, key, values = {}) {
  return Object.entries(values).reduce(
    (text, [name, value]) => text.replace(`{${name}}`, () => value),
    TABLES[offered(tag) ?? lang][key],
  );
}

/** Shows the page in this language from now on, in this tab. */
export function speak(tag) {
  lang = offered(tag) ?? lang;
  history.replaceState({ ...history.state, pageLanguage: lang }, '');
  sessionStorage.setItem('page language', lang);
  translate();
}

/** Called now and when the language changes. */
export function onLanguage(show) {
  listeners.push(show);
  show();
}

function translate() {
  document.documentElement.lang = lang;
  for (const element of document.querySelectorAll('[data-text]'))
    element.textContent = t(element.dataset.text);
  byId('page-language').value = lang;
  for (const show of listeners) show();
}

export function title(text) {
  document.title = `${text} · Lakeside Clinic`;
}

/** Said to who does not see it. */
export function say(text) {
  byId('status').textContent = text;
}

export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === 'onclick') element.addEventListener('click', value);
    else if (value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== undefined));
  return element;
}

/** Asks the portal's server. @throws Error with the `code` that it names */
export async function post(path, body) {
  return answered(
    await fetch(path, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(10_000),
    }),
  );
}

/** Of one visit. @throws Error with the `code` that the server names */
export async function getVisit(visit, path = '') {
  return answered(
    await fetch(`/api/visits/${encodeURIComponent(visit)}${path}`, {
      signal: AbortSignal.timeout(10_000),
    }),
  );
}

async function answered(response) {
  if (response.ok) return response.json();
  const { error } = await response.json().catch(() => ({}));
  throw Object.assign(new Error(`The portal answered ${response.status}`), { code: error?.code });
}

/** Random, for what nobody may guess. */
export const randomId = () =>
  crypto.randomUUID?.() ??
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) =>
    byte.toString(16).padStart(2, '0'),
  ).join('');

/** Random, easy to read out: "visit-7k3m-p2xq-9rtz". */
export function newVisitId() {
  const letters = 'abcdefghjkmnpqrstuvwxyz23456789';
  const random = crypto.getRandomValues(new Uint8Array(12));
  const text = Array.from(random, (byte) => letters[byte % letters.length]).join('');
  return `visit-${text.slice(0, 4)}-${text.slice(4, 8)}-${text.slice(8)}`;
}

/** The address of a visit; it keeps no more than what is asked for: no name, no token. */
export function visitAddress(visit, fields = {}) {
  const query = new URLSearchParams({ visit });
  for (const [key, value] of Object.entries(fields)) if (value) query.set(key, value);
  return `${location.origin}/?${query}`;
}

export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

byId('page-language').addEventListener('change', (event) => speak(event.target.value));
translate();
