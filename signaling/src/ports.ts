import type {
  CallId,
  ClientCommandName,
  ClientEventName,
  ClientEventPayload,
  ClientRequest,
  ClientResponse,
  ClinicCommandName,
  ClinicEventName,
  ClinicEventPayload,
  ClinicGrant,
  ClinicId,
  ClinicRequest,
  ClinicResponse,
  CloseReason,
  CreateVisit,
  EvidenceResource,
  Grant,
  InviteId,
  LanguageTag,
  LedgerEntry,
  ParticipantId,
  QueueEntry,
  Role,
  SessionId,
  Skills,
  TenantId,
  VisitId,
  VisitKey,
  VisitKind,
  VisitResource,
  Wait,
} from '@bedside/protocol';
import type { Call } from './visit/call.ts';

/**
 * Where the two halves of the gateway meet: `sockets/` and `rest/` (who speaks, and may they connect)
 * call Visits; the visit's actor (what happens) answers, and speaks to a page through ClientLink.
 */

/** What a verified token says. */
export interface Identity {
  tenant: TenantId;
  visit: VisitId;
  participant: ParticipantId;
  role: Role;
  name?: string | undefined;
  lang?: LanguageTag | undefined;
  /** Grants of the token; undefined means those of the role. */
  grants?: readonly Grant[] | undefined;
  /** Milliseconds since 1970 at which the token expires. */
  expiresAt: number;
  /** The token's id. */
  jti: string;
  /** The invitation that the token is for. */
  invite?: InviteId | undefined;
  /** Staff of this clinic, who act on the visit from outside: no participant of it. */
  attendant?: { clinic: ClinicId } | undefined;
}

/** Signs tokens for who comes by an invitation. */
export interface GuestTokens {
  mint(guest: {
    tenant: TenantId;
    visit: VisitId;
    participant: ParticipantId;
    role: Role;
    name?: string | undefined;
    invite: InviteId;
  }): Promise<string>;
}

/** Where the clinic's queue learns who waits. Never throws, and never holds a visit up. */
export interface Clinics {
  /**
   * To be called when the entry changed, when a visit was taken up, and when Redis is back. While it
   * is away the newest entry of each visit is kept, and written when it returns.
   */
  entryChanged(
    clinic: { tenant: TenantId; clinic: ClinicId },
    visit: VisitKey,
    /** Undefined where nobody waits any more. */
    entry: QueueEntry | undefined,
    /** Of the visit's lease: what an owner of a lower one says is not believed. */
    epoch: number,
  ): void;
  /** Another gateway owns the visit now, and speaks for it. */
  forget(visit: VisitKey): void;
}

/** Rings who is on call, for the visits that call. Never throws. */
export interface CallDesk {
  /**
   * Rings, and stops ringing, as the calls of a visit say; called anew whenever they changed, and by a
   * gateway that took the visit over. Each signal may come more than once, and late.
   */
  follow(
    visit: { tenant: TenantId; clinic: ClinicId; visit: VisitId; key: VisitKey; kind: VisitKind },
    calls: readonly Call[],
    signals: {
      accepted(call: CallId, person: ParticipantId): void;
      /** Nobody of the group of that index is left to ask. */
      exhausted(call: CallId, group: number): void;
    },
  ): void;
  /** Who of those who may be on call is in the visit: nobody rings them meanwhile. Called anew whenever that changed. */
  engage(
    visit: { tenant: TenantId; clinic: ClinicId; key: VisitKey },
    people: readonly { person: ParticipantId; role: Role }[],
  ): void;
  /** Another gateway owns the visit now: its calls ring on. */
  forget(visit: VisitKey): void;
}

/** One page's socket, as the actor sees it. Never throws; a link that is gone ignores what is sent. */
export interface ClientLink {
  send<Name extends Exclude<ClientEventName, 'consumers' | 'welcome' | 'closing'>>(
    name: Name,
    payload: ClientEventPayload<Name>,
  ): void;
  /** Resolves true once the page has acted on it, false when it is gone or the deadline passed. */
  sendConsumers(payload: ClientEventPayload<'consumers'>): Promise<boolean>;
  /** Says `closing` and closes the socket. */
  close(reason: CloseReason, retryAfterMs?: number): void;
}

/** What the actor contributes to `welcome`; the socket layer adds version, ICE servers and the token's expiry. */
export type WelcomePart = Pick<
  ClientEventPayload<'welcome'>,
  'participantId' | 'sessionId' | 'resumed' | 'grants' | 'rtpCapabilities' | 'graceMs' | 'visit'
>;

/** Commands that the actor runs; `renew-token` stays with the socket layer, which calls `identify`. */
export type VisitCommandName = Exclude<ClientCommandName, 'renew-token'>;

/** One page in one visit, from the handshake to the end of its socket. */
export interface VisitConnection {
  readonly welcome: WelcomePart;
  /** @throws BedsideError */
  command<Name extends VisitCommandName>(
    name: Name,
    request: ClientRequest<Name>,
  ): Promise<ClientResponse<Name>>;
  /** The page's token was renewed. Resolves with what it grants, once that is so. @throws BedsideError */
  identify(identity: Identity): Promise<Grant[]>;
  /** The socket is gone; the session waits for its grace time. Idempotent. */
  disconnected(): void;
}

/** All visits this gateway owns or can open. Every method throws BedsideError. */
export interface Visits {
  /**
   * A page comes in. Opens the visit where it is not open; resumes the session where it lives; replaces an older
   * page of the same participant. `isAstray`: it was sent to another gateway, and came here nevertheless.
   */
  connect(
    identity: Identity,
    link: ClientLink,
    sessionId?: SessionId,
    isAstray?: boolean,
  ): Promise<VisitConnection>;
  create(
    tenant: TenantId,
    request: CreateVisit,
  ): Promise<{ created: boolean; visit: VisitResource }>;
  read(tenant: TenantId, visit: VisitId): Promise<VisitResource>;
  end(tenant: TenantId, visit: VisitId): Promise<VisitResource>;
  /** How well signed conversations could be seen. */
  evidence(tenant: TenantId, visit: VisitId): Promise<EvidenceResource['evidence']>;
  /** What happened in the visit, oldest first. */
  events(tenant: TenantId, visit: VisitId): Promise<LedgerEntry[]>;
  /** Shares with who waits what the clinic knows of the wait. */
  share(tenant: TenantId, visit: VisitId, wait: Wait): Promise<VisitResource>;
  /** Whether a new visit could be opened now (a node is linked, Redis answers): for `/readyz`. */
  readiness(): { ready: boolean; reasons: string[] };
  /** Commits what is unwritten, releases the leases; media goes on at the nodes. */
  stop(deadlineMs: number): Promise<void>;
}

/** What the actor's side reports to metrics; `metrics.ts` implements it. Durations in seconds. */
export interface VisitTelemetry {
  command(name: VisitCommandName, outcome: 'ok' | string, seconds: number): void;
  joinPhase(phase: 'load' | 'decide' | 'node' | 'commit' | 'total', seconds: number): void;
  /** To Redis and back, one after the other, from the page's connection to the answer. */
  joined(redisRoundTrips: number): void;
  redis(operation: string, outcome: 'ok' | 'error', seconds: number): void;
  nodeCall(command: string, outcome: 'ok' | string, seconds: number): void;
  nodeLink(state: 'connected' | 'disconnected', count: number): void;
  /** Nodes that the region's load needs. */
  desiredNodes(count: number): void;
  /** Present counts; called when they change. */
  visits(count: number): void;
  participants(role: Role, count: number): void;
  unwrittenChanges(count: number): void;
}

/** What a verified token of a clinic says. */
export interface Staff {
  tenant: TenantId;
  clinic: ClinicId;
  participant: ParticipantId;
  role: Role;
  name?: string | undefined;
  /** Those of the token, or of the role. */
  grants: readonly ClinicGrant[];
  skills: Skills;
  /** Milliseconds since 1970 at which the token expires. */
  expiresAt: number;
}

/** One socket of a clinic's staff. Never throws; a link that is gone ignores what is sent. */
export interface ClinicLink {
  send<Name extends Exclude<ClinicEventName, 'welcome' | 'closing'>>(
    name: Name,
    payload: ClinicEventPayload<Name>,
  ): void;
}

/** Commands that a clinic answers; `renew-token` stays with the socket layer, which calls `identify`. */
export type StaffCommandName = Exclude<ClinicCommandName, 'renew-token'>;

/** One socket of a clinic's staff, from the handshake to its end. */
export interface ClinicConnection {
  /** @throws BedsideError */
  command<Name extends StaffCommandName>(
    name: Name,
    request: ClinicRequest<Name>,
  ): Promise<ClinicResponse<Name>>;
  /** The token was renewed. */
  identify(staff: Staff): void;
  /** The socket is gone. Idempotent. */
  disconnected(): void;
}

/** The clinics, as the socket layer sees them. */
export interface ClinicDoor {
  connect(staff: Staff, link: ClinicLink): ClinicConnection;
}

/** What clinics report to metrics; `metrics.ts` implements it. Durations in seconds. */
export interface ClinicTelemetry {
  command(name: StaffCommandName, outcome: 'ok' | string, seconds: number): void;
  redis(operation: string, outcome: 'ok' | 'error', seconds: number): void;
  /** Present counts; called when they change. */
  queueEntries(count: number): void;
  onCallSockets(count: number): void;
  unwrittenEntries(count: number): void;
}
