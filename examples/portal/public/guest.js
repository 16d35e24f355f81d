/** Somebody who was invited: their code is exchanged for a token, once, when they say so. */

import { enterAsGuest } from './guest-pass.js';
import { byId, onLanguage, post, t, title } from './page.js';

// Not by itself: what looks at links before people do would use the invitation up.
byId('code').value = location.hash.slice(1);
// Whoever looks over a shoulder or into the history finds no code.
history.replaceState(null, '', location.pathname);

let problem;
onLanguage(() => {
  title(t('guest.title'));
  byId('problem').textContent = problem ? t(problem) : '';
});

byId('guest').addEventListener('submit', async (event) => {
  event.preventDefault();
  byId('problem').hidden = true;
  try {
    enterAsGuest(await post('/api/guest-links/redeem', { code: byId('code').value.trim() }));
  } catch ({ code }) {
    problem = code === 'invite-used' ? 'guest.used' : 'page.unreachable';
    byId('problem').textContent = t(problem);
    byId('problem').hidden = false;
    byId('code').select();
  }
});
