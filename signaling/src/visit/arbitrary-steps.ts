import {
  type CallId,
  Cue,
  Grant,
  InterpretingMode,
  type InviteId,
  MediaSource,
  type ParticipantId,
  type PeerId,
  type ProducerId,
  QualityMeasure,
  Reaction,
  type RequestId,
  Role,
} from '@bedside/protocol';
import * as fc from 'fast-check';
import { nextDeadline } from './deadlines.ts';
import type { By, Command } from './decide.ts';
import { grantsOf } from './grants.ts';
import { roomsOf } from './places.ts';
import { findAdmitted, findPresent, type Media, type Person, type Visit } from './state.ts';

/** What may happen in a visit at random: commands, and what becomes one where it happens. */

export const NODE = { node: 'node-1', bootId: 'boot-1' } as Media;
/** The visit spreads over these. */
const NODES = ['node-1', 'node-2', 'node-3'].map((node) => ({ ...NODE, node }) as Media);

/** In the order of p0, p1, and so on. */
const ROLES = [
  'patient',
  'provider',
  'interpreter',
  'specialist',
  'interpreter',
  'moderator',
  // The audience, where the visit is a lecture.
  'observer',
  'observer',
] as const satisfies readonly Role[];
/** Comes by invitations alone. */
const GUEST = ROLES.length;
const idOf = (index: number) => `p${index}` as ParticipantId;
export const PEOPLE = Array.from({ length: GUEST + 1 }, (_, index) => idOf(index));

export const personOf = (id: string, role: Role, grants?: readonly Grant[]): Person => ({
  id: id as ParticipantId,
  role,
  grants: grantsOf(role, grants),
  token: `token of ${id}`,
});

type WithoutNow<Each> = Each extends Command ? Omit<Each, 'now'> : never;
/** A command that needs nothing of the visit. */
type Plain = WithoutNow<Command>;

const who = fc.nat(GUEST);
const someone = fc.constantFrom(...PEOPLE);
const page = fc.nat(1);
const nth = fc.nat(3);
const flag = fc.boolean();
const languages = fc.constantFrom(
  ['en'],
  ['es'],
  ['es-MX', 'en'],
  ['ase'],
  ['so'],
  ['en', 'es'],
  ['ase', 'en'],
  ['en', 'so'],
  [],
);
const said = {
  name: fc.constantFrom('Ana', 'Ben'),
  lang: fc.constantFrom('en', 'es', 'ase'),
  token: fc.constantFrom('first token', 'second token', 'third token'),
};
const claims = {
  grants: fc.subarray(Grant.options),
  role: fc.constant('specialist' as const),
};
/** What a token may say that differs from the one before; seldom what they may do. */
const token: fc.Arbitrary<{
  token: string;
  name?: string;
  lang?: string;
  grants?: Grant[];
  role?: Role;
}> = fc.oneof(
  { weight: 5, arbitrary: fc.record(said, { requiredKeys: ['token'] }) },
  fc.record({ ...said, ...claims }, { requiredKeys: ['token'] }),
);
const participant = fc.record({ participant: someone });
const DESK = 'desk' as ParticipantId;
const staff = fc.record({
  staff: fc.constant(DESK),
  grants: fc.subarray(['admit', 'remove', 'hand-over'] as Grant[]),
});
const insider: fc.Arbitrary<By> = participant;
/** Mostly who may, so that histories are not of refusals. */
const mostly = (...some: number[]): fc.Arbitrary<By> =>
  fc.oneof(
    { weight: 3, arbitrary: fc.record({ participant: fc.constantFrom(...some.map(idOf)) }) },
    participant,
  );
const provider = mostly(1, 5);
const interpreter = mostly(2, 4);
const colleague: fc.Arbitrary<By> = fc.oneof(provider, staff);
const anybody: fc.Arbitrary<By> = fc.oneof({ weight: 4, arbitrary: participant }, staff);
const orNull = <Value>(value: fc.Arbitrary<Value>) => fc.option(value, { freq: 4 });

const plain = <Type extends Plain['type']>(
  type: Type,
  fields: {
    [Key in keyof Omit<Extract<Plain, { type: Type }>, 'type'>]: fc.Arbitrary<
      Extract<Plain, { type: Type }>[Key]
    >;
  },
) => fc.record({ type: fc.constant(type), ...fields }) as unknown as fc.Arbitrary<Plain>;

const target = fc.oneof(
  fc.constant({ type: 'all' as const }),
  fc.constant({ type: 'room' as const }),
  fc.record({ type: fc.constant('participant' as const), participantId: someone }),
);

/** By weight; what fills the visit is frequent, so that histories get somewhere before something empties it. */
const PLAIN: [number, fc.Arbitrary<Plain>][] = [
  [1, plain('end', { by: someone })],
  [1, plain('leave', { participant: someone })],
  [6, plain('admit', { by: provider, participants: fc.uniqueArray(someone, { minLength: 1 }) })],
  [3, plain('admit', { by: anybody, participants: fc.constant(undefined) })],
  [1, plain('remove', { by: anybody, participant: someone })],
  [2, plain('mute', { by: provider, participant: someone })],
  [1, plain('ask-unmute', { by: provider, participant: someone })],
  [4, plain('hand-over', { by: provider, to: orNull(fc.constantFrom(idOf(1), idOf(5), idOf(3))) })],
  [4, plain('answer-hand-over', { by: provider, accept: flag })],
  [2, plain('reassign', { by: colleague, to: orNull(fc.constantFrom(DESK, idOf(1), idOf(5))) })],
  [2, plain('answer-reassign', { by: colleague, accept: flag })],
  [
    8,
    plain('set-languages', {
      by: insider,
      speaks: languages,
      hears: fc.option(languages, { nil: undefined }),
      signs: fc.option(flag, { nil: undefined }),
      duckDb: fc.constantFrom(undefined, 0, -20),
    }),
  ],
  [
    2,
    plain('set-interpreting', {
      by: interpreter,
      mode: fc.constantFrom(...InterpretingMode.options),
    }),
  ],
  [3, plain('take-turn', { by: interpreter })],
  [
    1,
    plain('cue', { by: interpreter, participant: someone, cue: fc.constantFrom(...Cue.options) }),
  ],
  [4, plain('whisper', { by: interpreter, to: orNull(someone) })],
  [
    4,
    plain('send-message', {
      by: anybody,
      to: target,
      kind: fc.constantFrom('chat', 'caption'),
      text: fc.constantFrom('10 minutes late', 'hello'),
    }),
  ],
  [
    1,
    plain('report-quality', {
      by: insider,
      changes: fc.array(
        fc.record({
          participantId: someone,
          what: fc.constantFrom(...QualityMeasure.options),
          value: fc.nat(),
          threshold: fc.nat(),
          breached: flag,
        }),
        { maxLength: 2 },
      ),
      evidence: fc.constant([]),
    }),
  ],
  [2, plain('raise-hand', { by: insider, raised: flag })],
  [1, plain('react', { by: insider, reaction: fc.constantFrom(...Reaction.options) })],
  [
    1,
    plain('wait', {
      ahead: fc.option(fc.nat(3), { nil: undefined }),
      expectedAt: fc.constant(undefined),
    }),
  ],
  [1, plain('recover', {})],
  [1, plain('media-lost', { node: fc.constantFrom(...NODES.map(({ node }) => node)) })],
];

/** What depends on the visit in which it happens, or needs a new id. */
const situated = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('connect'), who, page, token, nth }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('identify'), who, token, nth }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('disconnect'), who }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('expire'), who }) },
  {
    weight: 14,
    arbitrary: fc.record({ do: fc.constant('join'), who, page, token, nth, at: fc.nat(2) }),
  },
  {
    weight: 12,
    arbitrary: fc.record({
      do: fc.constant('produce'),
      who,
      source: fc.constantFrom(...MediaSource.options),
      paused: flag,
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('pause-producer'), who, nth, paused: flag }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('close-producer'), who, nth }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('endpoints-lost'), who }) },
  {
    weight: 12,
    arbitrary: fc.record({
      do: fc.constant('move'),
      by: provider,
      participants: fc.uniqueArray(someone, { minLength: 1, maxLength: 4 }),
      to: fc.constantFrom('main', 'hold', 'music', 'new-room', 'open-room'),
      nth,
      /** Whether those are named, too, who are not in. */
      strict: fc.boolean(),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('invite'),
      by: provider,
      role: fc.constantFrom(...Role.options),
      ttlMs: fc.integer({ min: 1, max: 60 }),
      knock: flag,
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('revoke-invite'), by: provider, nth }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('call'),
      by: provider,
      groups: fc.integer({ min: 1, max: 3 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('cancel-call'), by: provider, nth }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constantFrom('call-accepted', 'call-exhausted'), nth }),
  },
  /** What was said before is said once more, or only now. */
  { weight: 10, arbitrary: fc.record({ do: fc.constant('again'), back: fc.nat(12) }) },
  /** Time passes until something is due. */
  { weight: 1, arbitrary: fc.record({ do: fc.constant('tick') }) },
);

export const step = fc.oneof(...PLAIN.map(([weight, arbitrary]) => ({ weight, arbitrary })), {
  weight: 86,
  arbitrary: situated,
});
export type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

/** Of interpreters, to have all commands. */
const MORE: readonly Grant[] = [...grantsOf('interpreter', undefined), 'whisper', 'caption'];

/** What they speak, in the order of p0, p1, and so on: two pairs that make a relay from ase to es. */
const SPOKEN = [['es'], ['en'], ['en', 'es'], ['ase'], ['ase', 'en'], ['en'], ['es'], ['ase']];

/** Everybody comes, and sends: so that a history need not begin with nobody. */
export const GATHERING: readonly Step[] = SPOKEN.flatMap((speaks, index): Step[] => [
  { do: 'join', who: index, page: 0, token: { token: 'first token' }, nth: 0, at: 0 },
  { do: 'produce', who: index, source: 'microphone', paused: false },
  { do: 'produce', who: index, source: 'camera', paused: false },
  { type: 'set-languages', by: { participant: idOf(index) }, speaks },
]);

/** Where a step happens. */
export interface Moment {
  visit: Visit;
  now: number;
  /** Makes its new ids. */
  index: number;
  /** What was commanded before. */
  past: readonly Command[];
}

/** The step as a command. */
export function commandOf(each: Step, at: Moment): Command {
  const { visit, now, index, past } = at;
  if ('type' in each) return { ...each, now } as Command;
  switch (each.do) {
    case 'connect':
    case 'identify':
    case 'join':
      return coming(each, at);
    case 'disconnect':
    case 'expire':
    case 'produce':
    case 'pause-producer':
    case 'close-producer':
    case 'endpoints-lost':
      return ofParticipant(each, at);
    case 'move':
      return moving(each, at);
    case 'invite': {
      const { by, role, ttlMs, knock } = each;
      return { type: 'invite', now, by, invite: `invite-${index}` as InviteId, role, ttlMs, knock };
    }
    case 'revoke-invite': {
      const invite = nthOf(visit.invites, each.nth)?.id ?? ('none' as InviteId);
      return { type: 'revoke-invite', now, by: each.by, invite };
    }
    case 'call': {
      const groups = Array.from({ length: each.groups }, () => ({}));
      const call = `call-${index}` as CallId;
      return { type: 'call', now, by: each.by, call, role: 'specialist', groups, ringMs: 10 };
    }
    case 'cancel-call':
    case 'call-accepted':
    case 'call-exhausted': {
      const called = nthOf(visit.calls, each.nth);
      const call = called?.id ?? ('none' as CallId);
      if (each.do === 'cancel-call') return { type: each.do, now, by: each.by, call };
      if (each.do === 'call-exhausted')
        return { type: each.do, now, call, group: called?.index ?? 0 };
      return { type: each.do, now, call, person: idOf(GUEST) };
    }
    case 'again':
      return { ...(past.at(-1 - each.back) ?? { type: 'tick' }), now };
    case 'tick':
      return { type: 'tick', now: Math.max(now, nextDeadline(visit) ?? 0) };
  }
}

type Situated<Do extends string> = Extract<Step, { do: Do }>;

const nthOf = <Item>(items: readonly Item[] | undefined, n: number): Item | undefined =>
  items?.[n % Math.max(items.length, 1)];

function coming(each: Situated<'connect' | 'identify' | 'join'>, at: Moment): Command {
  const { visit, now, index } = at;
  const id = idOf(each.who);
  const role = each.token.role ?? ROLES[each.who] ?? 'specialist';
  const { grants = role === 'interpreter' ? MORE : undefined, ...said } = each.token;
  // Who is in keeps the invitation that they came with.
  const invite =
    each.who === GUEST
      ? (findPresent(visit, id)?.invite ??
        nthOf(visit.invites, each.nth)?.id ??
        ('none' as InviteId))
      : undefined;
  const person: Person = {
    ...personOf(id, role, grants),
    ...said,
    ...(invite === undefined ? {} : { invite }),
  };
  if (each.do === 'identify') return { type: 'identify', now, person };
  const session = `${id}-page-${each.page}`;
  if (each.do === 'connect') return { type: 'connect', now, person, session };
  const request = `request-${index}` as RequestId;
  const peer = `peer-${index}` as PeerId;
  return { type: 'join', now, person, session, request, peer, media: NODES[each.at] ?? NODE };
}

function ofParticipant(
  each: Situated<
    'disconnect' | 'expire' | 'produce' | 'pause-producer' | 'close-producer' | 'endpoints-lost'
  >,
  { visit, now, index }: Moment,
): Command {
  const id = idOf(each.who);
  const { session = 'none', endpoint } = findPresent(visit, id) ?? {};
  const producerOf = (n: number) => nthOf(endpoint?.producers, n)?.id ?? ('none' as ProducerId);
  switch (each.do) {
    case 'disconnect':
    case 'expire':
      return { type: each.do, now, participant: id, session };
    case 'produce': {
      const request = `request-${index}` as RequestId;
      const producer = `producer-${index}` as ProducerId;
      const { source, paused } = each;
      return { type: 'produce', now, participant: id, request, producer, source, paused };
    }
    case 'pause-producer': {
      const { paused } = each;
      return { type: each.do, now, participant: id, producer: producerOf(each.nth), paused };
    }
    case 'close-producer':
      return { type: each.do, now, participant: id, producer: producerOf(each.nth) };
    case 'endpoints-lost':
      return { type: each.do, now, peers: endpoint ? [endpoint.peer] : [], producers: [] };
  }
}

function moving(
  { by, participants: named, to, nth, strict }: Situated<'move'>,
  at: Moment,
): Command {
  const there = named.filter((id) => findAdmitted(at.visit, id));
  const participants = strict || there.length === 0 ? named : there;
  const open = nthOf([...roomsOf(at.visit).keys()], nth) ?? 'none';
  const where = {
    main: { type: 'main' },
    hold: { type: 'hold', audio: 'none' },
    music: { type: 'hold', audio: 'music', notice: 'a moment' },
    'new-room': { type: 'room' },
    'open-room': { type: 'room', room: open },
  } as const;
  const room = `room-${at.index}`;
  return { type: 'move', now: at.now, by, participants, to: where[to], room };
}
