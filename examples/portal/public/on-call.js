/** Interpreters, specialists and providers who are on call: it rings here, and who answers first goes into the visit. */
import { Alarm } from './alarm.js';
import { enterAsGuest } from './guest-pass.js';
import { languageName } from './languages.js';
import { MissedCalls } from './missed-calls.js';
import { byId, el, onLanguage, t, title } from './page.js';
import { clinicToken, SPECIALTIES, signInForm, signOut, staffProfile } from './staff.js';

const COUNT_EVERY_MS = 1000;

const alarm = new Alarm();
const missed = new MissedCalls(wanted);
/** Calls that are being accepted or declined: they ring no more, whatever the answer will be. */
const answering = new Set();
const form = byId('sign-in-form');
let onCall;
let url;
/** What is to be known about what was just done: makes its text in the language of the page. */
let notice = () => '';

async function begin() {
  byId('sign-in').hidden = true;
  byId('duty').hidden = false;
  let first = clinicToken();
  try {
    const { clinic, ...answer } = await first;
    url = answer.url;
    onCall = new window.Bedside.OnCall({
      url,
      clinic,
      tokenProvider: async () => {
        const { token } = await (first ?? clinicToken());
        first = undefined;
        return token;
      },
    });
    onCall.on('changed', show);
    onCall.on('connectionStateChanged', show);
    onCall.on('ring', rings);
    onCall.on('ringEnded', ended);
    await onCall.signOn();
    byId('duty-title').focus();
  } catch {
    tell(() => t('page.unreachable'));
  }
  show();
}

function rings(call) {
  missed.remove(call);
  tell(() => '');
}

/** Nothing is missed by who declined it, here or in another window, or is told as the answer to what they pressed. */
function ended(call, reason) {
  if (reason === 'declined' || answering.has(call.callId)) return;
  missed.add(call, reason, Date.now());
  show();
}

function tell(text) {
  notice = text;
  show();
}

function show() {
  if (!onCall) title(t('onCall.signInTitle'));
  if (!onCall) return;
  const { name, role, languages, specialties } = staffProfile();
  const { calls, isBusy, isOnCall, state } = onCall;
  byId('me').textContent = `${name} · ${t(`role.${role}`)}`;
  const [heading, idle] = !isOnCall
    ? ['onCall.titleOff', 'onCall.idleOff']
    : isBusy
      ? ['onCall.titleBusy', 'onCall.idleBusy']
      : ['onCall.title', 'onCall.idle'];
  byId('duty-title').textContent = t(heading);
  byId('live').textContent = t(state === 'connected' ? 'clinic.live' : 'clinic.reconnecting');
  byId('live').dataset.state = state === 'connected' ? 'clinic.live' : 'clinic.reconnecting';
  byId('idle').hidden = calls.length > 0;
  byId('idle').dataset.busy = String(isBusy || !isOnCall);
  byId('idle-text').textContent = t(idle);
  byId('busy').setAttribute('aria-pressed', String(isBusy));
  byId('busy').textContent = t(isBusy ? 'onCall.free' : 'onCall.busy');
  byId('silent').hidden = alarm.isArmed;
  byId('notifications').hidden = globalThis.Notification?.permission !== 'default';
  byId('skills').replaceChildren(
    ...languages.map((tag) => el('li', { class: 'language' }, languageName(tag))),
    ...specialties.map((tag) => el('li', { class: 'need' }, t(`specialty.${tag}`))),
  );
  byId('notice').textContent = notice();
  byId('notice').hidden = notice() === '';
  missed.show();
  showCalls(calls);
  // The title is the alarm's while it rings.
  if (!alarm.isRinging)
    title((missed.count > 0 ? `(${missed.count}) ` : '') + byId('duty-title').textContent);
}

const cards = new Map();

/** Cards stay the same elements while it rings: the focus stays where it is. */
function showCalls(calls) {
  for (const [callId, card] of cards) {
    if (calls.some((each) => each.callId === callId)) continue;
    card.remove();
    cards.delete(callId);
  }
  for (const call of calls) {
    let card = cards.get(call.callId);
    if (!card) {
      card = cardOf(call);
      cards.set(call.callId, card);
      byId('calls').append(card);
      card.querySelector('.primary').focus();
    }
    card.querySelector('h2').textContent = wanted(call);
    card.querySelector('.since').textContent = t('onCall.left', {
      seconds: Math.max(0, Math.ceil((call.until - onCall.now) / 1000)),
    });
    card.querySelector('.primary').textContent = t('onCall.accept');
    card.querySelector('.plain').textContent = t('onCall.decline');
  }
  const loudest = calls.find(({ callId }) => !answering.has(callId));
  byId('ringing').textContent = loudest ? wanted(loudest) : '';
  if (loudest) alarm.start(t('onCall.ringing'));
  else alarm.stop();
}

function cardOf(call) {
  const deed = (style, act) =>
    el('button', {
      type: 'button',
      class: style,
      onclick: async () => {
        const buttons = card.querySelectorAll('button');
        for (const button of buttons) button.disabled = true;
        answering.add(call.callId);
        show();
        await act(call);
        answering.delete(call.callId);
        for (const button of buttons) button.disabled = false;
        show();
      },
    });
  const card = el(
    'li',
    { class: 'card entry ringing', 'data-call': call.callId },
    el('div', { class: 'who' }, el('h2'), el('p', { class: 'since' })),
    el('div', { class: 'row deeds' }, deed('primary', accept), deed('plain', decline)),
  );
  return card;
}

/** "Interpreter: Spanish" */
function wanted({ need, role }) {
  const what = [
    need.language && languageName(need.language),
    need.specialty &&
      (SPECIALTIES.includes(need.specialty) ? t(`specialty.${need.specialty}`) : need.specialty),
    need.region,
  ].filter(Boolean);
  return what.length > 0 ? `${t(`role.${role}`)}: ${what.join(', ')}` : t(`role.${role}`);
}

async function accept({ callId, role }) {
  try {
    const { visit, token } = await onCall.accept(callId);
    enterAsGuest({ visit, role, token, url });
  } catch ({ code }) {
    tell(() => t(code === 'call-taken' ? 'ringEnded.taken' : 'onCall.failed'));
  }
}

async function decline({ callId }) {
  await onCall.decline(callId).catch(() => tell(() => t('onCall.failed')));
}

function specialtyTicks() {
  const before = new FormData(form).getAll('specialties');
  const chosen = before.length > 0 ? before : (staffProfile()?.specialties ?? []);
  return SPECIALTIES.map((value) => {
    const box = el('input', { type: 'checkbox', name: 'specialties', value });
    box.checked = chosen.includes(value);
    return el('label', { class: 'tick' }, box, el('span', {}, t(`specialty.${value}`)));
  });
}

const showSpecialties = () => {
  byId('specialties').hidden = new FormData(form).get('role') === 'interpreter';
};

form.addEventListener('change', showSpecialties);
byId('busy').addEventListener('click', async () => {
  await onCall.setBusy(!onCall.isBusy).catch(() => tell(() => t('onCall.failed')));
  show();
});
byId('notifications').addEventListener('click', async () => {
  await Notification.requestPermission();
  show();
});
byId('sign-off').addEventListener('click', async () => {
  await onCall?.signOff().catch(() => {
    // The end of the socket says the same.
  });
  onCall?.close();
  await signOut();
  location.reload();
});
// Any click lets it ring aloud: after a reload nobody signs in anew.
for (const gesture of ['pointerdown', 'keydown'])
  addEventListener(gesture, () => void alarm.arm().then(show));

signInForm(form, {
  onSignIn: begin,
  read: (data) => ({
    role: data.get('role'),
    specialties: data.get('role') === 'interpreter' ? [] : data.getAll('specialties'),
    onCall: true,
  }),
});
// Not with every look: what somebody is about to tick stays.
onLanguage(() => {
  byId('specialty-ticks').replaceChildren(...specialtyTicks());
  show();
});
setInterval(show, COUNT_EVERY_MS);
const profile = staffProfile();
// Not who sees the queue in this tab: they may be a provider, too.
if (profile?.onCall) void begin();
else byId('sign-in').hidden = false;
