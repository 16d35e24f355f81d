/** The times of a visit, for who led it: who was there, who waited for how long, who was on hold or in private. */
import { byId, el, getVisit, onLanguage, params, t, title } from './page.js';
import { clock, day, lasting, length } from './times.js';

const visit = params.get('visit') ?? '';
let summary;
let problem;

async function load() {
  try {
    summary = await getVisit(visit, '/summary');
    problem = undefined;
  } catch ({ code }) {
    problem =
      code === 'not-found' || code === 'invalid-request' ? 'summary.unknown' : 'page.unreachable';
  }
  show();
}

function show() {
  title(t('summary.title'));
  byId('problem').hidden = problem === undefined;
  byId('problem').textContent = problem === undefined ? '' : t(problem);
  byId('summary').hidden = summary === undefined;
  byId('refresh').hidden = summary?.state === 'ended';
  if (summary === undefined) return;
  const { time, people, talks, state } = summary;
  byId('when').textContent = time ? `${day(time.from)} · ${t(`state.${state}`)}` : t('state.open');
  byId('figures').replaceChildren(
    ...(time
      ? [
          figure('summary.began', clock(time.from)),
          figure('summary.ended', time.to ? clock(time.to) : t('summary.goesOn')),
          figure('summary.lasted', lasting([time])),
        ]
      : []),
    figure('summary.longestWait', lasting(longest(people.map(({ waits }) => waits)))),
  );
  const nameOf = new Map(people.map((each) => [each.person, called(each)]));
  byId('people').replaceChildren(...people.map((each) => row(each, nameOf)));
  byId('no-talks').hidden = talks.length > 0;
  byId('talks').replaceChildren(
    ...talks.map((talk) =>
      el(
        'li',
        {},
        el('b', {}, span(talk)),
        ` (${lasting([talk])}) `,
        talk.people.map((person) => nameOf.get(person) ?? t('summary.somebody')).join(', '),
      ),
    ),
  );
}

const figure = (text, value) => el('div', {}, el('dt', {}, t(text)), el('dd', {}, value));
const called = ({ name, role }) => (name ? `${name} (${t(`role.${role}`)})` : t(`role.${role}`));
const span = ({ from, to }) => `${clock(from)} – ${to ? clock(to) : t('summary.goesOn')}`;
const longest = (several) =>
  several.reduce((most, each) => (length(each) > length(most) ? each : most), []);

function row({ name, role, waits, stays, holds, admittedBy, leftReason }, nameOf) {
  const by = waits.length > 0 ? nameOf.get(admittedBy) : undefined;
  return el(
    'tr',
    {},
    el('th', { scope: 'row' }, name || t(`role.${role}`), el('small', {}, t(`role.${role}`))),
    cell('summary.waited', waits, by && t('summary.admittedBy', { name: by })),
    cell('summary.stayed', stays, leftReason && t(`left.${leftReason}`)),
    cell('summary.held', holds),
  );
}

/** On a phone, where a row stands upright, each has its own label. */
function cell(label, periods, note) {
  const times = periods.map((each) => el('small', {}, span(each)));
  return el(
    'td',
    { 'data-label': t(label) },
    el('b', {}, periods.length > 0 ? lasting(periods) : '–'),
    times,
    note ? el('small', {}, note) : undefined,
  );
}

byId('refresh').addEventListener('click', load);
onLanguage(show);
await load();
