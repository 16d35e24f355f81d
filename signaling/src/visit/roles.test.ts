import {
  CLIENT_COMMON_ERRORS,
  type ClientCommandName,
  clientCommands,
  type ErrorCode,
  type InviteId,
  type MediaSource,
  type ParticipantId,
  type ProducerId,
  type RequestId,
  Role,
} from '@bedside/protocol';
import { expect, test } from 'vitest';
import { personOf } from './arbitrary.ts';
import { type By, type Command, decide } from './decide.ts';
import { after, join, visitWith } from './examples.ts';
import { grantsOf } from './grants.ts';
import type { Visit } from './state.ts';

/**
 * Every role and every command: may who has the role, by its grants alone? They are admitted to a visit
 * with a provider, a patient, and somebody who waits. Then the same for who waits, who is not in, and the
 * clinic's staff outside.
 *
 * `+` is done, `-` is `forbidden`, `?` is `not-joined`, `0` is `not-found`: there is nothing of that kind
 * for who asks.
 */
const TABLE = `
                    patient  provider  interpreter  specialist  caregiver  observer  moderator  device  waiting  outside  staff
produce microphone  +        +         +            +           +          -         +          +       +        ?
produce camera      +        +         +            +           +          -         +          +       +        ?
produce screen      +        +         -            +           -          -         +          +       +        ?
produce exam        +        +         -            +           -          -         +          +       +        ?
leave               +        +         +            +           +          +         +          +       +        +
end                 -        +         -            -           -          -         +          -       -        ?
admit               -        +         -            -           -          -         +          -       -        ?        +
remove              -        +         -            -           -          -         +          -       -        ?        +
move to hold        -        +         -            -           -          -         +          -       -        ?        -
move to room        -        +         -            -           -          -         +          -       -        ?        -
mute                -        +         -            -           -          -         +          -       -        ?        -
ask-unmute          -        +         -            -           -          -         +          -       -        ?        -
invite              -        +         -            -           -          -         +          -       -        ?        -
revoke-invite       -        +         -            -           -          -         +          -       -        ?        -
call                -        +         -            -           -          -         +          -       -        ?        -
cancel-call         -        0         -            -           -          -         0          -       -        ?        -
hand-over           -        +         -            -           -          -         +          -       -        ?        -
answer-hand-over    0        0         0            0           0          0         0          0       0        ?        ?
reassign            -        +         -            -           -          -         +          -       -        ?        +
answer-reassign     -        0         -            -           -          -         0          -       -        ?        0
set-languages       +        +         +            +           +          +         +          +       +        ?        ?
set-interpreting    -        +         +            -           -          -         +          -       -        ?        -
take-turn           -        -         +            -           -          -         -          -       -        ?        -
cue                 -        -         +            -           -          -         -          -       -        ?        -
whisper             -        -         -            -           -          -         -          -       -        ?        -
chat to all         +        +         +            +           +          +         +          -       -        ?        0
chat to provider    +        +         +            +           +          +         +          -       +        ?        0
chat to waiting     0        +         0            0           0          0         +          -       -        ?        +
caption             -        -         -            -           -          -         -          -       -        ?        0
report-quality      +        +         +            +           +          +         +          +       -        ?        -
raise-hand          +        +         +            +           +          +         +          +       -        ?        -
react               +        +         +            +           +          +         +          +       -        ?        -
`;

const PROVIDER = 'provider' as ParticipantId;
const PATIENT = 'patient' as ParticipantId;
const WAITING = 'waiting' as ParticipantId;
const ME = 'me' as ParticipantId;
const INVITE = 'invite' as InviteId;
const now = 2_000;

const base = visitWith(
  { admission: 'on-admit', reactions: true, clinic: 'clinic-1' as never },
  join(PROVIDER, 'provider'),
  join(PATIENT, 'patient'),
  { type: 'admit', now, by: { participant: PROVIDER }, participants: [PATIENT] },
  join(WAITING, 'patient'),
  {
    type: 'invite',
    now,
    by: { participant: PROVIDER },
    invite: INVITE,
    role: 'caregiver',
    ttlMs: 60_000,
    knock: false,
  },
);

function admitted(role: Role): Visit {
  const joined = after(base, join(ME, role));
  return grantsOf(role, undefined).includes('admit')
    ? joined
    : after(joined, { type: 'admit', now, by: { participant: PROVIDER }, participants: [ME] });
}

type Row = { name: ClientCommandName; label?: string; command: (by: By) => WithoutNow | undefined };
type WithoutNow = Command extends infer Each
  ? Each extends Command
    ? Omit<Each, 'now'>
    : never
  : never;

/** A command that nobody can give from outside. */
const inside =
  (command: (participant: ParticipantId) => WithoutNow): Row['command'] =>
  (by) =>
    'staff' in by ? undefined : command(by.participant);

const producing = (source: MediaSource): Row => ({
  name: 'produce',
  label: `produce ${source}`,
  command: inside((participant) => ({
    type: 'produce',
    participant,
    request: source as string as RequestId,
    producer: source as string as ProducerId,
    source,
    paused: false,
  })),
});

const writing = (label: string, kind: 'chat' | 'caption', to?: ParticipantId): Row => ({
  name: 'send-message',
  label,
  command: (by) => ({
    type: 'send-message',
    by,
    to: to
      ? { type: 'participant', participantId: to }
      : { type: kind === 'caption' ? 'room' : 'all' },
    kind,
    text: 'text',
  }),
});

const moving = (label: string, to: Extract<Command, { type: 'move' }>['to']): Row => ({
  name: 'move',
  label,
  command: (by) => ({ type: 'move', by, participants: [PATIENT], to, room: 'room-1' }),
});

const ROWS: readonly Row[] = [
  producing('microphone'),
  producing('camera'),
  producing('screen'),
  producing('exam'),
  { name: 'leave', command: inside((participant) => ({ type: 'leave', participant })) },
  { name: 'end', command: inside((by) => ({ type: 'end', by })) },
  { name: 'admit', command: (by) => ({ type: 'admit', by, participants: [WAITING] }) },
  { name: 'remove', command: (by) => ({ type: 'remove', by, participant: PATIENT }) },
  moving('move to hold', { type: 'hold', audio: 'none' }),
  moving('move to room', { type: 'room' }),
  { name: 'mute', command: (by) => ({ type: 'mute', by, participant: PATIENT }) },
  { name: 'ask-unmute', command: (by) => ({ type: 'ask-unmute', by, participant: PATIENT }) },
  {
    name: 'invite',
    command: (by) => ({
      type: 'invite',
      by,
      invite: 'another' as InviteId,
      role: 'caregiver',
      ttlMs: 60_000,
      knock: false,
    }),
  },
  { name: 'revoke-invite', command: (by) => ({ type: 'revoke-invite', by, invite: INVITE }) },
  {
    name: 'call',
    command: (by) => ({
      type: 'call',
      by,
      call: 'call' as never,
      role: 'specialist',
      groups: [{}],
      ringMs: 10_000,
    }),
  },
  { name: 'cancel-call', command: (by) => ({ type: 'cancel-call', by, call: 'none' as never }) },
  { name: 'hand-over', command: (by) => ({ type: 'hand-over', by, to: null }) },
  { name: 'answer-hand-over', command: (by) => ({ type: 'answer-hand-over', by, accept: true }) },
  {
    name: 'reassign',
    command: (by) => ({ type: 'reassign', by, to: 'colleague' as ParticipantId }),
  },
  { name: 'answer-reassign', command: (by) => ({ type: 'answer-reassign', by, accept: true }) },
  { name: 'set-languages', command: (by) => ({ type: 'set-languages', by, speaks: ['en'] }) },
  {
    name: 'set-interpreting',
    command: (by) => ({ type: 'set-interpreting', by, mode: 'consecutive' }),
  },
  { name: 'take-turn', command: (by) => ({ type: 'take-turn', by }) },
  { name: 'cue', command: (by) => ({ type: 'cue', by, participant: PATIENT, cue: 'pause' }) },
  { name: 'whisper', command: (by) => ({ type: 'whisper', by, to: PATIENT }) },
  writing('chat to all', 'chat'),
  writing('chat to provider', 'chat', PROVIDER),
  writing('chat to waiting', 'chat', WAITING),
  writing('caption', 'caption'),
  {
    name: 'report-quality',
    command: (by) => ({ type: 'report-quality', by, changes: [], evidence: [] }),
  },
  { name: 'raise-hand', command: (by) => ({ type: 'raise-hand', by, raised: true }) },
  { name: 'react', command: (by) => ({ type: 'react', by, reaction: 'yes' }) },
];

const me: By = { participant: ME };
const COLUMNS: readonly { head: string; visit: Visit; by: By }[] = [
  ...Role.options.map((role) => ({ head: role as string, visit: admitted(role), by: me })),
  { head: 'waiting', visit: after(base, join(ME, 'patient')), by: me },
  { head: 'outside', visit: base, by: me },
  {
    head: 'staff',
    visit: base,
    by: { staff: 'desk' as ParticipantId, grants: grantsOf('provider', undefined) },
  },
];

const SIGNS: Partial<Record<ErrorCode | 'ok', string>> = {
  ok: '+',
  forbidden: '-',
  'not-joined': '?',
  'not-found': '0',
};

function outcome(visit: Visit, command: WithoutNow | undefined): ErrorCode | 'ok' | undefined {
  if (!command) return undefined;
  const decision = decide(visit, { ...command, now } as Command);
  return decision.ok ? 'ok' : decision.code;
}

const table = (rows: readonly string[][]): string => {
  const width = (at: number) => Math.max(...rows.map((row) => row[at]?.length ?? 0));
  const line = (row: string[]) => row.map((cell, at) => cell.padEnd(width(at))).join('  ');
  return rows.map((row) => line(row).trimEnd()).join('\n');
};

test('every role may do what the table says, and is refused all else', () => {
  const rows = ROWS.map(({ name, label = name, command }) => [
    label,
    ...COLUMNS.map(({ visit, by }) => {
      const code = outcome(visit, command(by));
      return code === undefined ? '' : (SIGNS[code] ?? code);
    }),
  ]);
  expect(`\n${table([['', ...COLUMNS.map(({ head }) => head)], ...rows])}\n`).toBe(TABLE);
});

test('a refusal has a code that the protocol declares for the command', () => {
  for (const { name, command } of ROWS)
    for (const { head, visit, by } of COLUMNS) {
      const code = outcome(visit, command(by));
      if (code === undefined || code === 'ok') continue;
      expect(
        [...clientCommands[name].errors, ...CLIENT_COMMON_ERRORS],
        `${name}: ${head}`,
      ).toContain(code);
    }
});

test('a token overrides what its role may do', () => {
  const command: Command = { type: 'end', now, by: ME };
  const strong = after(base, {
    ...join(ME, 'patient'),
    person: personOf(ME, 'patient', ['admit', 'end']),
  } as Command);
  expect(decide(strong, command).ok).toBe(true);
  const weak = after(base, {
    ...join(ME, 'provider'),
    person: personOf(ME, 'provider', ['admit']),
  } as Command);
  expect(decide(weak, command)).toEqual({ ok: false, code: 'forbidden' });
});

test('every command of a participant in the visit is in the table', () => {
  // What is the shell's and the node's, or is for the own producers and consumers.
  const elsewhere: readonly ClientCommandName[] = [
    'join',
    'resume',
    'relocate',
    'relocated',
    'connect-transport',
    'restart-ice',
    'pause-producer',
    'close-producer',
    'prefer-consumers',
    'renew-token',
  ];
  const names = Object.keys(clientCommands).filter((name) => !elsewhere.includes(name as never));
  expect([...new Set(ROWS.map(({ name }) => name))].toSorted()).toEqual(names.toSorted());
});
