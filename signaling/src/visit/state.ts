import {
  ConnectionState,
  DisplayName,
  Grant,
  LanguageTag,
  LeaveReason,
  LIMITS,
  MediaKind,
  MediaSource,
  NodeId,
  ParticipantId,
  ParticipantState,
  PeerId,
  Place,
  ProducerId,
  RequestId,
  Role,
  TenantId,
  VisitId,
  VisitKind,
  VisitState,
} from '@bedside/protocol';
import * as z from 'zod/mini';

/**
 * A visit as the gateway knows it, and as Redis keeps it: one declaration for both, so that what is
 * read back is checked by the schema that the types come from. Times are milliseconds since 1970.
 * What only the node can say (transports, consumers) is not here: the node describes it.
 */

export const Producer = z.object({
  id: ProducerId,
  kind: MediaKind,
  source: MediaSource,
  paused: z.boolean(),
  /** The request that opened it: the same one again, even after a restart, is the same producer. */
  request: RequestId,
});
export type Producer = z.infer<typeof Producer>;

/** Both transports of one joined page, and what it sends. */
export const Endpoint = z.object({
  peer: PeerId,
  /** The `join` that opened it: the same one again is answered with the same peer. */
  request: RequestId,
  producers: z.array(Producer).check(z.maxLength(LIMITS.producersPerParticipant)),
});
export type Endpoint = z.infer<typeof Endpoint>;

export const Participant = z.object({
  id: ParticipantId,
  role: Role,
  name: z.optional(DisplayName),
  lang: z.optional(LanguageTag),
  grants: z.array(Grant),
  state: ParticipantState,
  connection: ConnectionState,
  place: Place,
  /** SHA-256 of the session id, base64url: who holds the id may resume; Redis alone may not. */
  session: z.string(),
  endpoint: z.optional(Endpoint),
  joinedAt: z.int(),
  leftAt: z.optional(z.int()),
  leftReason: z.optional(LeaveReason),
});
export type Participant = z.infer<typeof Participant>;

/** Where the media of the visit runs. Another boot of the same node has none of it. */
export const Media = z.object({ node: NodeId, bootId: z.string() });
export type Media = z.infer<typeof Media>;

/** Participants that are gone and still listed, newest last. */
export const DEPARTED_LIMIT = LIMITS.departedParticipants;

export const Visit = z.object({
  tenant: TenantId,
  visit: VisitId,
  kind: VisitKind,
  state: VisitState,
  /** Grows by one with each change. */
  seq: z.int().check(z.nonnegative()),
  createdAt: z.int(),
  startedAt: z.optional(z.int()),
  endedAt: z.optional(z.int()),
  media: z.optional(Media),
  participants: z
    .array(Participant)
    .check(z.maxLength(LIMITS.participantsPerVisit + DEPARTED_LIMIT)),
});
export type Visit = z.infer<typeof Visit>;

/** Who a command speaks for: the token's claims, with the grants worked out. */
export interface Person {
  id: ParticipantId;
  role: Role;
  name?: string | undefined;
  lang?: LanguageTag | undefined;
  grants: readonly Grant[];
}

/** What happened, for the ledger: opaque ids and roles, never names. */
export interface LedgerEvent {
  type:
    | 'visit-created'
    | 'visit-started'
    | 'visit-ended'
    | 'participant-admitted'
    | 'participant-waiting'
    | 'participant-replaced'
    | 'participant-reconnecting'
    | 'participant-reconnected'
    | 'participant-left'
    | 'producer-opened'
    | 'producer-paused'
    | 'producer-resumed'
    | 'producer-closed'
    | 'media-placed'
    | 'media-lost';
  /** Milliseconds since 1970. */
  at: number;
  participant?: ParticipantId;
  role?: Role;
  source?: MediaSource;
  reason?: LeaveReason;
}

/** A visit that nobody has come to yet. */
export function newVisit(tenant: TenantId, visit: VisitId, kind: VisitKind, now: number): Visit {
  return { tenant, visit, kind, state: 'open', seq: 0, createdAt: now, participants: [] };
}

/** The participant of that id who has not left. */
export function findPresent(visit: Visit, id: ParticipantId): Participant | undefined {
  return visit.participants.find(
    (participant) => participant.id === id && participant.state !== 'left',
  );
}

export function present(visit: Visit): Participant[] {
  return visit.participants.filter((participant) => participant.state !== 'left');
}
