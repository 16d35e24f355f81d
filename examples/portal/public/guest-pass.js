/** The token of an invitation or of a call that was accepted. It stays in this tab: no address carries it. */
import { pageLanguage, visitAddress } from './page.js';

const key = (visit, role) => `guest ${visit} ${role}`;

/** Goes into the visit. */
export function enterAsGuest({ visit, role, token, url }) {
  sessionStorage.setItem(key(visit, role), JSON.stringify({ token, url }));
  location.assign(visitAddress(visit, { role, lang: pageLanguage() }));
}

/** `{ token, url }`, where this tab has come as a guest. */
export function guestCredentials(visit, role) {
  const kept = sessionStorage.getItem(key(visit, role));
  return kept ? JSON.parse(kept) : undefined;
}
