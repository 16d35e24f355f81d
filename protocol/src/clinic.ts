import * as z from 'zod/mini';
import { CloseReason } from './client.ts';
import {
  COMMON_ERRORS,
  type CommandEvents,
  defineCommand,
  defineEvent,
  type PayloadOf,
  type RequestOf,
  type ResponseOf,
  type ServerEvents,
  VersionRange,
} from './contract.ts';
import type { ErrorCode } from './errors.ts';
import { ParticipantId, RequestId, VisitId } from './ids.ts';
import { LIMITS } from './limits.ts';
import { onCallCommands, onCallEvents } from './on-call.ts';
import { ClinicGrant, SignedToken } from './token.ts';
import { ConnectionState, LanguageTag, Role, VisitKind, VisitState } from './visit.ts';

/**
 * What the staff of a clinic say to a gateway, and hear from it, without being in a visit: Socket.IO's
 * namespace `/clinic`, on the port of the visits.
 */

/** Socket.IO `auth` of a clinic's handshake. The clinic's id is the query parameter `clinic`, too. */
export const ClinicHandshake = z.object({
  /** The JWT that the portal's server signed, for the audience `bedside-clinic`. */
  token: SignedToken,
  /** The protocol versions that the client speaks, lowest and highest. */
  versions: VersionRange,
});
export type ClinicHandshake = z.infer<typeof ClinicHandshake>;

/** What a clinic's handshake may be refused with: `data` of Socket.IO's `connect_error`. */
export const CLINIC_HANDSHAKE_ERRORS = [
  'unauthorized',
  'unsupported-version',
  'invalid-request',
  'rate-limited',
  'shutting-down',
  'deadline',
  'internal',
] as const satisfies readonly ErrorCode[];

const milliseconds = z.int().check(z.nonnegative());

/** Somebody who waits in a visit. */
export const QueuedParticipant = z.object({
  participantId: ParticipantId,
  role: Role,
  /** Since when, milliseconds since 1970. A re-entry within the grace time does not change it. */
  since: milliseconds,
  /** What they speak, sign and follow, the preferred one first. */
  languages: z.array(LanguageTag).check(z.maxLength(LIMITS.languages * 2)),
  /** Whom they need beside the provider. */
  needs: z.object({ interpreter: z.boolean(), signLanguage: z.boolean() }),
  connection: ConnectionState,
  /** 0 lost, 1 poor, 2 fair, 3 good; absent while nothing was measured. */
  quality: z.optional(z.int().check(z.minimum(0), z.maximum(3))),
});
export type QueuedParticipant = z.infer<typeof QueuedParticipant>;

/** One visit of a clinic's queue: ids and roles, no names and no clinical text. */
export const QueueEntry = z.object({
  visit: VisitId,
  kind: VisitKind,
  state: VisitState,
  /** Whom the visit waits for: the `sub` of their tokens. Absent where anybody may take it. */
  provider: z.optional(ParticipantId),
  /** To whom it is offered, until they answer. */
  offeredTo: z.optional(ParticipantId),
  /** Who waits, the longest first. */
  waiting: z.array(QueuedParticipant).check(z.maxLength(LIMITS.participantsPerVisit)),
  /** Somebody who may admit is in. */
  attended: z.boolean(),
});
export type QueueEntry = z.infer<typeof QueueEntry>;

const request = { requestId: RequestId };
const entries = z.array(QueueEntry).check(z.maxLength(LIMITS.queueEntriesPerMessage));
/** Redis is away: what is shown is the last that was known. */
const stale = z.boolean();

/** Commands from the SDK to the gateway, of a clinic's socket. */
export const clinicCommands = {
  /**
   * Hear of the clinic’s queue from now on. The answer has its first entries, in order; those beyond
   * follow in `queue` at once. Needs the grant `queue`.
   */
  'watch-queue': defineCommand({
    request: z.object({ ...request }),
    response: z.object({ entries, stale }),
    errors: ['forbidden', 'state-unavailable'],
  }),
  /** A fresh token for the same clinic, person and role, before the old one expires. */
  'renew-token': defineCommand({
    request: z.object({ ...request, token: SignedToken }),
    response: z.object({
      /** Milliseconds until the new token expires. */
      expiresInMs: milliseconds,
      /** What the new token grants. */
      grants: z.array(ClinicGrant).check(z.maxLength(LIMITS.grants)),
    }),
    errors: ['unauthorized'],
  }),
  ...onCallCommands,
};

/** Events from the gateway to the SDK, of a clinic's socket. */
export const clinicEvents = {
  /** First message on every socket. */
  welcome: defineEvent({
    payload: z.object({
      /** The highest version that both sides speak. */
      version: z.int(),
      /** The `sub` of the token. */
      participantId: ParticipantId,
      /** What this person may do. */
      grants: z.array(ClinicGrant).check(z.maxLength(LIMITS.grants)),
      /** Milliseconds until the token expires: renew before. */
      tokenExpiresInMs: milliseconds,
      /** The gateway’s clock, milliseconds since 1970, to tell how long somebody has waited. */
      now: milliseconds,
    }),
  }),
  /** Entries that changed, each whole, so that applying one twice is harmless. At most four a second. */
  queue: defineEvent({
    payload: z.object({
      entries,
      /** Visits that are in the queue no more. */
      removed: z.array(VisitId).check(z.maxLength(LIMITS.queueEntriesPerMessage)),
      stale,
    }),
  }),
  /** The gateway is about to close this socket, and why. Reconnect only for `shutting-down`. */
  closing: defineEvent({
    payload: z.object({
      reason: CloseReason,
      /** Milliseconds to wait, at the least, before connecting again. */
      retryAfterMs: z.optional(milliseconds),
    }),
  }),
  ...onCallEvents,
};

export type ClinicCommands = typeof clinicCommands;
export type ClinicCommandName = keyof ClinicCommands;
export type ClinicRequest<Name extends ClinicCommandName> = RequestOf<ClinicCommands, Name>;
export type ClinicResponse<Name extends ClinicCommandName> = ResponseOf<ClinicCommands, Name>;
export type ClinicEventMap = typeof clinicEvents;
export type ClinicEventName = keyof ClinicEventMap;
export type ClinicEventPayload<Name extends ClinicEventName> = PayloadOf<ClinicEventMap, Name>;

/** What every command of a clinic's socket may be answered with, besides its own errors. */
export const CLINIC_COMMON_ERRORS = COMMON_ERRORS;

export type ClinicToGateway = CommandEvents<ClinicCommands>;
export type GatewayToClinic = ServerEvents<ClinicEventMap>;
