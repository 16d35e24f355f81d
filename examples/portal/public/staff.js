/** Who works here, in this tab: a real portal has a login instead. */
import { languageBoxes } from './languages.js';
import { byId, post, randomId, t } from './page.js';

const KEY = 'staff';
/** Opaque tags for the gateway; the portal gives them their meaning, where one signs on and where one calls. */
export const SPECIALTIES = ['cardiology', 'dermatology', 'neurology', 'psychiatry'];

/** `{ id, role, name, languages, specialties, region, onCall }` of who is signed in here, if anybody is. */
export function staffProfile() {
  const stored = sessionStorage.getItem(KEY);
  return stored ? JSON.parse(stored) : undefined;
}

function signIn(profile) {
  const id = staffProfile()?.id ?? randomId();
  sessionStorage.setItem(KEY, JSON.stringify({ id, specialties: [], ...profile }));
}

export function signOut() {
  const body = tokenRequest();
  sessionStorage.removeItem(KEY);
  return post('/api/clinic/off-duty', body).catch(() => {
    // They are off duty when their token expires.
  });
}

function tokenRequest() {
  const { id, role, name, languages, specialties, region } = staffProfile();
  return {
    staff: id,
    role,
    name,
    skills: { specialties, languages, regions: region ? [region] : [] },
  };
}

/** `{ token, url, clinic, person }`: a token of the clinic, for `Queue` and `OnCall`. */
export const clinicToken = () => post('/api/clinic/token', tokenRequest());

/** Fills the form of the page in as it was last time, and reads it into a profile. */
export function signInForm(form, { onSignIn, read }) {
  const profile = staffProfile();
  const boxes = form.querySelector('.languages');
  boxes.replaceChildren(...languageBoxes(profile?.languages ?? ['en']));
  form.elements.name.value = profile?.name ?? '';
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const data = new FormData(form);
    const languages = data.getAll('languages');
    const problem = byId('sign-in-problem');
    problem.hidden = languages.length > 0;
    if (languages.length === 0) {
      boxes.querySelector('input').focus();
      return;
    }
    signIn({ name: data.get('name').trim(), languages, ...read(data) });
    onSignIn();
  });
}

/** How somebody is called who may have left their name empty. */
export const nameOrRole = (name, role) => name || t(`role.${role}`);
