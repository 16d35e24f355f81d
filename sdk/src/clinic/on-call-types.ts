/** The public surface for who is on call, outside of visits. */

import type {
  BedsideError,
  CallId,
  LanguageTag,
  RingEndReason,
  Role,
  VisitId,
  VisitKind,
} from '@bedside/protocol';
import type { ConnectionState, DisconnectReason } from '../types.ts';

/** A call that rings here. */
export interface IncomingCall {
  readonly callId: CallId;
  /** What is asked for, and fits; tags are the portal's. */
  readonly need: {
    readonly specialty?: string | undefined;
    readonly language?: LanguageTag | undefined;
    readonly region?: string | undefined;
    readonly role?: Role | undefined;
  };
  /** In which one would come. */
  readonly role: Role;
  /** Of the visit. */
  readonly kind: VisitKind;
  /** Until when it rings, by the gateway's clock, in milliseconds since 1970: see `OnCall.now`. It may go on. */
  readonly until: number;
}

export interface OnCallEvents {
  /** Somebody calls. */
  ring: (call: IncomingCall) => void;
  /** A call rings here no more: `declined` by the same person, in another window; `unanswered` also where the connection is away. Not for one that was accepted or declined here. */
  ringEnded: (call: IncomingCall, reason: RingEndReason) => void;
  /** `calls`, `isOnCall` or `isBusy`. */
  changed: () => void;
  connectionStateChanged: (state: ConnectionState, reason: DisconnectReason | undefined) => void;
}

/** What `new OnCall(options)` gives: to be called into visits of a clinic. */
export interface OnCallApi {
  readonly state: ConnectionState;
  readonly disconnectReason: DisconnectReason | undefined;
  /** What ended the connection, where it failed. */
  readonly error: BedsideError | undefined;
  /** What rings here, the oldest first. */
  readonly calls: readonly IncomingCall[];
  /** Signed on, and the gateway knows. */
  readonly isOnCall: boolean;
  /**
   * Not to be rung now; so is who has accepted a call, until `setBusy(false)`. Who is in a visit of the clinic
   * is not rung either, by the gateway's own knowledge: the page says nothing for it.
   */
  readonly isBusy: boolean;
  /** The gateway's clock, milliseconds since 1970, to be compared with `until`. */
  readonly now: number;
  /** Resolves when connected; goes on until `close()`. @throws BedsideError */
  connect(): Promise<void>;
  close(): void;
  /** To be rung from now on, also after a reconnection. Connects where that is not done. @throws BedsideError forbidden */
  signOn(): Promise<void>;
  signOff(): Promise<void>;
  /** Not to be rung for a while, or again. @throws BedsideError conflict where one is not signed on */
  setBusy(busy: boolean): Promise<void>;
  /**
   * Takes a call: `new Visit({ token })` joins the visit.
   * @throws BedsideError call-taken: a colleague was faster; not-found: it is over; state-unavailable
   */
  accept(call: IncomingCall | CallId): Promise<{ visit: VisitId; token: string }>;
  /** Not to be rung for this call any more. @throws BedsideError */
  decline(call: IncomingCall | CallId): Promise<void>;
  on<Name extends keyof OnCallEvents>(name: Name, listener: OnCallEvents[Name]): this;
  off<Name extends keyof OnCallEvents>(name: Name, listener: OnCallEvents[Name]): this;
}
