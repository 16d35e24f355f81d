import type {
  ParticipantId,
  PeerId,
  ProducerId,
  RequestId,
  TenantId,
  VisitId,
} from '@bedside/protocol';
import { Grant, MediaSource, type Role } from '@bedside/protocol';
import * as fc from 'fast-check';
import { type Command, decide } from './decide.ts';
import { grantsOf } from './grants.ts';
import { findPresent, type Media, newVisit, type Person, type Visit } from './state.ts';

/** Random histories of a visit, for property tests. */

export const NODE = { node: 'node-1', bootId: 'boot-1' } as Media;

export const emptyVisit = (): Visit => newVisit('clinic' as TenantId, 'visit-1' as VisitId, 1_000);

export const personOf = (id: string, role: Role, grants?: readonly Grant[]): Person => ({
  id: id as ParticipantId,
  role,
  grants: grantsOf(role, grants),
  token: `token of ${id}`,
});

const who = fc.integer({ min: 0, max: 3 });
const page = fc.integer({ min: 0, max: 1 });
/** What a token may say that differs from the one before. */
const token = fc.record(
  {
    name: fc.constantFrom('Ana', 'Ben'),
    grants: fc.subarray(Grant.options),
    role: fc.constant('specialist' as const),
  },
  { requiredKeys: [] },
);

/**
 * What may happen next; ids are filled in as the history is run. What fills the visit is frequent, so
 * that histories get somewhere before something empties it.
 */
export const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('connect' as const), who, page, token }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('identify' as const), who, token }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('disconnect' as const), who }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('expire' as const), who }) },
  { weight: 12, arbitrary: fc.record({ do: fc.constant('join' as const), who, page, token }) },
  {
    weight: 12,
    arbitrary: fc.record({
      do: fc.constant('produce' as const),
      who,
      source: fc.constantFrom(...MediaSource.options),
      paused: fc.boolean(),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('pause-producer' as const),
      who,
      nth: fc.nat(3),
      paused: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('close-producer' as const), who, nth: fc.nat(3) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('leave' as const), who }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('end' as const), who }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('recover' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('media-lost' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('endpoints-lost' as const), who }) },
);
export type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

/** Long enough to get anywhere. */
export const history = fc.array(step, { maxLength: 40, size: 'max' });

const ROLES = ['patient', 'provider', 'interpreter', 'specialist'] as const;

/** The step as a command; `index` makes its new ids. */
export function commandOf(visit: Visit, each: Step, index: number): Command {
  const now = 1_000 + index;
  const id = `p${'who' in each ? each.who : 0}` as ParticipantId;
  const role = ROLES['who' in each ? each.who : 0] ?? 'observer';
  const person =
    'token' in each
      ? { ...personOf(id, each.token.role ?? role, each.token.grants), name: each.token.name }
      : personOf(id, role);
  const participant = findPresent(visit, id);
  const producers = participant?.endpoint?.producers ?? [];
  const nth =
    'nth' in each ? (producers[each.nth % Math.max(producers.length, 1)]?.id ?? 'none') : 'none';
  const session = participant?.session ?? 'none';
  const request = `request-${index}` as RequestId;
  switch (each.do) {
    case 'connect':
      return {
        type: 'connect',
        now,
        person,
        session: `${id}-page-${each.page}`,
      };
    case 'identify':
      return { type: 'identify', now, person };
    case 'disconnect':
    case 'expire':
      return { type: each.do, now, participant: id, session };
    case 'join':
      return {
        type: 'join',
        now,
        person,
        session: `${id}-page-${each.page}`,
        request,
        peer: `peer-${index}` as PeerId,
        media: NODE,
      };
    case 'produce':
      return {
        type: 'produce',
        now,
        participant: id,
        request,
        producer: `producer-${index}` as ProducerId,
        source: each.source,
        paused: each.paused,
      };
    case 'pause-producer':
      return {
        type: 'pause-producer',
        now,
        participant: id,
        producer: nth as ProducerId,
        paused: each.paused,
      };
    case 'close-producer':
      return { type: 'close-producer', now, participant: id, producer: nth as ProducerId };
    case 'leave':
      return { type: 'leave', now, participant: id };
    case 'end':
      return { type: 'end', now, by: id };
    case 'recover':
    case 'media-lost':
      return { type: each.do, now };
    case 'endpoints-lost':
      return {
        type: 'endpoints-lost',
        now,
        peers: participant?.endpoint ? [participant.endpoint.peer] : [],
        producers: [],
      };
  }
}

/** Every state of the visit on the way, with the command that led there. */
export function run(steps: readonly Step[]): { command: Command; before: Visit; after: Visit }[] {
  let visit = emptyVisit();
  return steps.map((each, index) => {
    const before = visit;
    const command = commandOf(before, each, index);
    const decision = decide(before, command);
    if (decision.ok) visit = decision.visit;
    return { command, before, after: visit };
  });
}
