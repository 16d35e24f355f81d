/** A provider's day: who waits, live, and what can be done for them. */
import { askForColleague, askForMessage, askToTurnAway } from './clinic-dialogs.js';
import { QueueList } from './clinic-list.js';
import { byId, el, getVisit, onLanguage, post, say, t, title, visitAddress } from './page.js';
import { clinicToken, signInForm, signOut, staffProfile } from './staff.js';
import { clock } from './times.js';

const COUNT_EVERY_MS = 10_000;
const VISITS_KEY = 'visits of the day';

/** What the portal knows of who waits, by visit. */
const appointments = new Map();
let colleagues = [];
let queue;
/** This person, as the gateway calls them. */
let me;
/** What is to be known about what was just done: makes its text in the language of the page. */
let notice = () => '';

const list = new QueueList(byId('queue'), { admit, message, handOver, turnAway, takeBack, answer });

async function begin() {
  byId('sign-in').hidden = true;
  byId('day').hidden = false;
  let first = clinicToken();
  try {
    const { url, clinic, person } = await first;
    me = person;
    queue = new window.Bedside.Queue({
      url,
      clinic,
      tokenProvider: async () => {
        const { token } = await (first ?? clinicToken());
        first = undefined;
        return token;
      },
    });
    queue.on('changed', () => void changed());
    queue.on('connectionStateChanged', show);
    await queue.connect();
    await changed();
  } catch {
    tell(() => t('page.unreachable'));
  }
}

/** Shows what is there at once, and what the portal knows of it as soon as it has said so. */
async function changed() {
  show();
  const visits = queue.entries.map(({ visit }) => visit).slice(0, 100);
  const [known, duty] = await Promise.all([
    post('/api/clinic/queue', { visits }),
    post('/api/clinic/colleagues', { role: 'provider' }),
  ]).catch(() => [{ appointments: [] }, { colleagues }]);
  for (const appointment of known.appointments) appointments.set(appointment.visit, appointment);
  colleagues = duty.colleagues;
  show();
}

function show() {
  title(t('clinic.title'));
  const profile = staffProfile();
  if (!profile || !queue) return;
  const entries = queue.entries.filter(
    ({ provider, offeredTo }) =>
      !byId('mine').checked || provider === undefined || provider === me || offeredTo === me,
  );
  const waiting = entries.filter((each) => each.waiting.length > 0);
  if (waiting.length > 0) title(`(${waiting.length}) ${t('clinic.title')}`);
  byId('me').textContent = profile.name;
  byId('live').textContent = t(liveness());
  byId('live').dataset.state = liveness();
  byId('empty').hidden = waiting.length > 0;
  const arrived = list.show(waiting, { appointments, colleagues, me, now: queue.now });
  if (arrived.length > 0) say(t('clinic.arrived', { name: arrived.join(', ') }));
  byId('notice').textContent = notice();
  byId('notice').hidden = notice() === '';
  showVisits();
}

function liveness() {
  if (queue.state !== 'connected') return 'clinic.reconnecting';
  return queue.isStale ? 'clinic.stale' : 'clinic.live';
}

function tell(text) {
  notice = text;
  show();
}

/** Does what was asked for, and says so where somebody else was faster or they have gone. */
async function act(entry, deed) {
  try {
    await deed();
    return true;
  } catch ({ code }) {
    if (code === 'already-admitted') await tellWhoWon(entry);
    else if (code === 'not-found' || code === 'visit-ended') tell(() => t('clinic.gone'));
    else tell(() => t('clinic.failed'));
    return false;
  }
}

async function tellWhoWon({ visit }) {
  const { name } = await getVisit(visit, '/admitted').catch(() => ({}));
  tell(() => (name ? t('clinic.takenBy', { name }) : t('clinic.taken')));
}

async function admit(entry) {
  const admitted = await act(entry, () =>
    queue.admit(
      entry.visit,
      entry.waiting.map(({ participantId }) => participantId),
    ),
  );
  if (!admitted) return;
  remember(entry.visit);
  goInto(entry.visit);
}

const goInto = (visit) =>
  location.assign(
    visitAddress(visit, { role: 'provider', lang: staffProfile().languages[0], auto: '1' }),
  );

async function message(entry, name) {
  const text = await askForMessage(name, appointments.get(entry.visit)?.lang);
  if (text === undefined) return;
  const sent = await act(entry, () =>
    Promise.all(
      entry.waiting.map(({ participantId }) => queue.sendMessage(entry.visit, participantId, text)),
    ),
  );
  if (sent) tell(() => t('clinic.sent', { name }));
}

async function handOver(entry, name) {
  const others = colleagues.filter(({ person }) => person !== me);
  const colleague = await askForColleague(name, others);
  if (colleague === undefined) return;
  const offered = await act(entry, () => queue.reassign(entry.visit, colleague.person));
  if (offered) tell(() => t('clinic.offered', { name: colleague.name ?? t('role.provider') }));
}

function takeBack(entry) {
  return act(entry, () => queue.reassign(entry.visit, null));
}

function answer(entry, accept) {
  return act(entry, () => queue.answerReassign(entry.visit, accept));
}

async function turnAway(entry, name) {
  if (!(await askToTurnAway(name))) return;
  const denied = await act(entry, () =>
    Promise.all(entry.waiting.map(({ participantId }) => queue.remove(entry.visit, participantId))),
  );
  if (denied) tell(() => t('clinic.denied', { name }));
}

/** The visits that this person admitted somebody to, the latest first. */
const visitsOfTheDay = () => JSON.parse(sessionStorage.getItem(VISITS_KEY) ?? '[]');

function remember(visit) {
  const name = appointments.get(visit)?.name;
  const others = visitsOfTheDay().filter((each) => each.visit !== visit);
  sessionStorage.setItem(
    VISITS_KEY,
    JSON.stringify([{ visit, name, at: Date.now() }, ...others].slice(0, 20)),
  );
}

function showVisits() {
  const visits = visitsOfTheDay();
  byId('earlier').hidden = visits.length === 0;
  byId('visits').replaceChildren(
    ...visits.map(({ visit, name, at }) => {
      const called = name || t('role.patient');
      const query = new URLSearchParams({ visit });
      return el(
        'li',
        {},
        el('span', {}, `${clock(at)} · ${called}`),
        el(
          'button',
          {
            type: 'button',
            class: 'link',
            onclick: () => goInto(visit),
            'aria-label': t('clinic.reenterOf', { name: called }),
          },
          t('clinic.reenter'),
        ),
        el(
          'a',
          {
            class: 'link',
            href: `/summary?${query}`,
            'aria-label': t('clinic.summaryOf', { name: called }),
          },
          t('clinic.summary'),
        ),
      );
    }),
  );
}

byId('mine').addEventListener('change', show);
byId('sign-out').addEventListener('click', async () => {
  queue?.close();
  await signOut();
  location.reload();
});
signInForm(byId('sign-in-form'), { onSignIn: begin, read: () => ({ role: 'provider' }) });
onLanguage(show);
setInterval(show, COUNT_EVERY_MS);
if (staffProfile()?.role === 'provider') void begin();
else byId('sign-in').hidden = false;
