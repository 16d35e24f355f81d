/** The public surface for the staff of a clinic, outside of visits. */

import type {
  BedsideError,
  LanguageTag,
  ParticipantId,
  Role,
  VisitId,
  VisitKind,
  VisitState,
} from '@bedside/protocol';
import type { ConnectionState, DisconnectReason } from '../types.ts';

export interface ClinicOptions {
  /** Address of the gateway or its balancer: "https://visits.example.org". */
  url: string;
  /** The clinic's id, as in the token. */
  clinic: string;
  /** A token of the clinic; or `tokenProvider`, which is asked for the first and for each renewal. */
  token?: string;
  tokenProvider?: () => string | Promise<string>;
}

/** Somebody who waits in a visit. */
export interface QueuedParticipant {
  readonly participantId: ParticipantId;
  readonly role: Role;
  /** Since when, milliseconds since 1970 by the gateway's clock: see `Queue.now`. */
  readonly since: number;
  /** What they speak, sign and follow, the preferred one first. */
  readonly languages: readonly LanguageTag[];
  /** Whom they need beside the provider. */
  readonly needs: { readonly interpreter: boolean; readonly signLanguage: boolean };
  readonly connection: 'connected' | 'reconnecting';
  /** 0 lost, 1 poor, 2 fair, 3 good. */
  readonly quality?: number | undefined;
}

/** A visit in which somebody waits: ids and roles; the portal knows the names. */
export interface QueueEntry {
  readonly visit: VisitId;
  readonly kind: VisitKind;
  readonly state: VisitState;
  /** Whom it waits for: the `sub` of their tokens. Absent where anybody may take it. */
  readonly provider?: ParticipantId | undefined;
  /** To whom it is offered, until they answer. */
  readonly offeredTo?: ParticipantId | undefined;
  /** The longest wait first. */
  readonly waiting: readonly QueuedParticipant[];
  /** Somebody who may admit is in. */
  readonly attended: boolean;
}

export interface QueueEvents {
  /** The entries, or whether they are stale. */
  changed: () => void;
  connectionStateChanged: (state: ConnectionState, reason: DisconnectReason | undefined) => void;
}

/** What `new Queue(options)` gives: who waits in the visits of a clinic. */
export interface QueueApi {
  readonly state: ConnectionState;
  readonly disconnectReason: DisconnectReason | undefined;
  /** What ended the connection, where it failed. */
  readonly error: BedsideError | undefined;
  /** The visits in which somebody waits, the longest wait first. Kept while the connection is away. */
  readonly entries: readonly QueueEntry[];
  /** The entries are the last that were known: the connection is away, or the gateway's memory is. */
  readonly isStale: boolean;
  /** The gateway's clock, milliseconds since 1970, to be compared with `since`. */
  readonly now: number;
  /** Resolves when the entries are there; goes on until `close()`. @throws BedsideError */
  connect(): Promise<void>;
  close(): void;
  /**
   * Lets these participants in, or all who wait.
   * @throws BedsideError already-admitted: a colleague was faster; forbidden, not-found, unauthorized
   */
  admit(visit: QueueEntry | VisitId, participantIds?: readonly ParticipantId[]): Promise<void>;
  /** Sends somebody away who waits: they can not come back with the same token. @throws BedsideError */
  remove(visit: QueueEntry | VisitId, participantId: ParticipantId): Promise<void>;
  /** Writes to somebody who waits. @throws BedsideError */
  sendMessage(
    visit: QueueEntry | VisitId,
    participantId: ParticipantId,
    text: string,
  ): Promise<void>;
  /** Offers the visit to a colleague; null takes an offer back. @throws BedsideError */
  reassign(visit: QueueEntry | VisitId, to: ParticipantId | null): Promise<void>;
  /** Takes over the visit that a colleague offers, or refuses. @throws BedsideError */
  answerReassign(visit: QueueEntry | VisitId, accept: boolean): Promise<void>;
  on<Name extends keyof QueueEvents>(name: Name, listener: QueueEvents[Name]): this;
  off<Name extends keyof QueueEvents>(name: Name, listener: QueueEvents[Name]): this;
}
