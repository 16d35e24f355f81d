/**
 * `npm run bench:plan`: what it costs to plan a visit's media, and to find whom a change concerns. Pure
 * functions in one process, without a machine around them. A change is one participant put on hold, which
 * concerns everybody; others have their languages, an interpreter for each pair, and a signer.
 */
import { parseArgs } from 'node:util';
import type { ParticipantId, TenantId, VisitId } from '@bedside/protocol';
import { plan, replanned } from '../signaling/src/plan/plan.ts';
import { grantsOf } from '../signaling/src/visit/grants.ts';
import { newVisit, type Participant, type Visit } from '../signaling/src/visit/state.ts';
import { record, table } from './lib/results.ts';
import { percentile } from './lib/statistics.ts';

const { values } = parseArgs({ options: { record: { type: 'boolean', default: false } } });
const SIZES = [4, 20, 200];
const ROUNDS = 200;
const LANGUAGES = [['en'], ['es'], ['ase'], ['so']];
const PAIRS = [
  ['en', 'es'],
  ['en', 'ase'],
  ['en', 'so'],
];

function participant(index: number): Participant {
  const interprets = index % 4 === 3;
  const role = interprets ? 'interpreter' : index === 0 ? 'provider' : 'patient';
  const languages = interprets ? PAIRS[(index >> 2) % 3] : LANGUAGES[index % 3];
  const source = (name: 'microphone' | 'camera', kind: 'audio' | 'video') => ({
    id: `${name}-${index}` as never,
    kind,
    source: name,
    paused: false,
    request: 'r' as never,
  });
  return {
    id: `p${index}` as ParticipantId,
    role,
    grants: [...grantsOf(role, undefined)],
    state: 'admitted',
    connection: 'connected',
    place: 'main',
    speaks: [...(languages ?? [])],
    tokens: [],
    session: 's',
    joinedAt: index,
    admittedAt: index,
    endpoint: {
      peer: `peer-${index}` as never,
      request: 'r' as never,
      producers: [source('microphone', 'audio'), source('camera', 'video')],
    },
  };
}

const visitOf = (size: number): Visit => ({
  ...newVisit('bench' as TenantId, 'visit' as VisitId, 0),
  state: 'active',
  participants: Array.from({ length: size }, (_, index) => participant(index)),
});

function times(run: () => unknown): number[] {
  for (let i = 0; i < 20; i++) run();
  return Array.from({ length: ROUNDS }, () => {
    const started = performance.now();
    run();
    return performance.now() - started;
  });
}

const rows = SIZES.map((size) => {
  const before = visitOf(size);
  const after: Visit = {
    ...before,
    participants: before.participants.map((each, index) =>
      index === 1 ? { ...each, place: 'hold', hold: { audio: 'none' } } : each,
    ),
  };
  const ms = (samples: number[]) =>
    [0.5, 0.95].map((share) => percentile(samples, share).toFixed(2)).join(' / ');
  return [
    `${size} participants`,
    ms(times(() => plan({ ...before }))),
    ms(times(() => replanned({ ...before }, { ...after }))),
    `${replanned(before, after).length}`,
  ];
});
const body = [
  'Milliseconds, p50 / p95 of 200 rounds: one plan; both plans and their difference, as after each change of a visit. Nothing in it knows of other visits.',
  '',
  table(['', 'plan', 'plans and difference', 'listeners concerned'], rows),
].join('\n');
process.stdout.write(`\n${body}\n`);
if (values.record) record({ command: 'npm run bench:plan', body });
