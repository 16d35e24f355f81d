/** A visit with the SDK's element in it, from the first token to what comes after. */
import { guestCredentials } from './guest-pass.js';
import {
  byId,
  el,
  onLanguage,
  pageLanguage,
  params,
  post,
  randomId,
  t,
  visitAddress,
} from './page.js';
import { SPECIALTIES, staffProfile } from './staff.js';

/** The same over a reload of this tab, so that it takes its own place again; another tab is another person. */
function participantId(visit, role) {
  const key = `participant ${visit} ${role}`;
  const id = sessionStorage.getItem(key) ?? randomId();
  sessionStorage.setItem(key, id);
  return id;
}

/** `{ token, url }` for who this tab is. */
async function credentials(visit, role, lang, name) {
  const guest = guestCredentials(visit, role);
  if (guest) return guest;
  // The visit is made with its waiting room before anybody gets a token for it.
  if (params.get('waiting') === '1') await post('/api/check-in', { visit });
  const staff = staffProfile();
  const who =
    staff?.role === role ? { staff: staff.id } : { participant: participantId(visit, role) };
  const called = name || (staff?.role === role ? staff.name : '');
  return post('/api/token', { visit, role, lang, ...who, ...(called ? { name: called } : {}) });
}

/** @param lang BCP 47: what this person speaks or signs, known to the page or not */
export function showVisit({ visit, role, lang, auto }) {
  document.body.classList.add('in-room');
  /** What a reload of this tab keeps, with the entry of its history: links and bookmarks do not carry it. */
  const kept = history.state ?? {};
  const name = kept.name ?? sessionStorage.getItem(`name ${visit} ${role}`) ?? '';
  const keep = (change) =>
    history.replaceState(
      { ...history.state, ...change },
      '',
      visitAddress(visit, { role, lang, waiting: params.get('waiting') }),
    );
  const element = document.createElement('bedside-visit');
  if (auto) element.setAttribute('auto', '');
  onLanguage(() => {
    element.setAttribute('lang', pageLanguage());
    element.specialties = SPECIALTIES.map((tag) => ({ tag, label: t(`specialty.${tag}`) }));
  });
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
  let first = credentials(visit, role, lang, name);
  first.catch(() => {});
  element.tokenProvider = async () => {
    const { token } = await (first ?? credentials(visit, role, lang, name));
    first = undefined;
    return token;
  };
  element.addEventListener('bedside-connected', ({ detail }) => {
    // A reload goes straight back in; after leaving it does not.
    keep({ rejoin: true });
    byId('after').hidden = true;
    void speakAsStaff(detail.visit, role);
  });
  element.addEventListener('bedside-disconnected', () => {
    keep({ rejoin: false });
    showAfter(visit, role);
  });
  element.addEventListener('bedside-invite', ({ detail }) => detail.respondWith(guestLink(detail)));
  byId('room').replaceChildren(element);
  byId('room').hidden = false;
  first.then(
    ({ url }) => element.setAttribute('url', url),
    () => element.setAttribute('url', location.origin),
  );
}

/** A token names one language; who works in several says so in the visit. */
async function speakAsStaff(visit, role) {
  const staff = staffProfile();
  if (staff?.role !== role || staff.languages.length < 2) return;
  await visit.setLanguages({ speaks: staff.languages, hears: staff.languages }).catch(() => {
    // The first one stands; they can set the others in the visit.
  });
}

/** Where to go from here, for those who work here. */
function showAfter(visit, role) {
  const staff = staffProfile();
  const links = [];
  if (role === 'provider' || role === 'moderator')
    links.push([`/summary?${new URLSearchParams({ visit })}`, 'after.summary']);
  if (staff?.role === 'provider') links.push(['/clinic', 'after.clinic']);
  else if (staff) links.push(['/on-call', 'after.onCall']);
  onLanguage(() =>
    byId('after').replaceChildren(
      ...links.map(([href, text]) => el('a', { href, class: 'plain' }, t(text))),
    ),
  );
  byId('after').hidden = links.length === 0;
}

/** An invitation as a link that carries a code, which this portal's server exchanges for the token once. */
async function guestLink({ token, expiresAt }) {
  const { code } = await post('/api/guest-links', { token, expiresAt });
  // Behind the hash: not even the code is sent with a request for the page.
  return `${location.origin}/guest#${code}`;
}
