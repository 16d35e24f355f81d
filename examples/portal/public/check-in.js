/** A patient comes to the clinic. */
import { languageOptions } from './languages.js';
import {
  byId,
  el,
  newVisitId,
  onLanguage,
  pageLanguage,
  params,
  post,
  speak,
  t,
  title,
  visitAddress,
} from './page.js';
import { nameOrRole } from './staff.js';

const form = byId('check-in');
let colleagues = [];
/** Once somebody has said so themselves, it stays. */
let interpreterIsChosen = false;

function show() {
  title(t('checkIn.title'));
  byId('language').replaceChildren(
    ...languageOptions(byId('language').value || params.get('lang') || pageLanguage()),
  );
  const provider = byId('provider').value;
  byId('provider').replaceChildren(
    el('option', { value: '' }, t('checkIn.anybody')),
    ...colleagues.map(({ person, name, role }) =>
      el('option', { value: person }, nameOrRole(name, role)),
    ),
  );
  byId('provider').value = provider;
  proposeInterpreter();
}

function proposeInterpreter() {
  if (!interpreterIsChosen) byId('interpreter').checked = byId('language').value !== 'en';
}

byId('interpreter').addEventListener('change', () => {
  interpreterIsChosen = true;
});

byId('language').addEventListener('change', ({ target }) => {
  proposeInterpreter();
  speak(target.value);
});

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  const data = new FormData(form);
  const [name, lang, provider] = [data.get('name').trim(), data.get('lang'), data.get('provider')];
  const visit = newVisitId();
  byId('problem').hidden = true;
  form.querySelector('[type=submit]').disabled = true;
  try {
    await post('/api/check-in', {
      visit,
      lang,
      interpreter: data.has('interpreter'),
      ...(name ? { name } : {}),
      ...(provider ? { provider } : {}),
    });
  } catch {
    byId('problem').textContent = t('page.unreachable');
    byId('problem').hidden = false;
    form.querySelector('[type=submit]').disabled = false;
    return;
  }
  // In this tab alone: an address that carries a name would end up in logs.
  sessionStorage.setItem(`name ${visit} patient`, name);
  location.assign(visitAddress(visit, { role: 'patient', lang, waiting: '1' }));
});

onLanguage(show);
({ colleagues } = await post('/api/clinic/colleagues', { role: 'provider' }).catch(() => ({
  colleagues: [],
})));
show();
