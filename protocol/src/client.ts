import * as z from 'zod/mini';
import {
  COMMON_ERRORS,
  type CommandEvents,
  defineCommand,
  defineEvent,
  type PayloadOf,
  type RequestOf,
  type ResponseOf,
  type ServerEvents,
} from './contract.ts';
import type { ErrorCode } from './errors.ts';
import { ConsumerId, ParticipantId, ProducerId, RequestId, SessionId, TransportId } from './ids.ts';
import { LIMITS } from './limits.ts';
import {
  ConsumerPreference,
  DtlsParameters,
  IceParameters,
  IceServer,
  MediaKind,
  MediaSource,
  RtpCapabilities,
  RtpParameters,
  TransportParameters,
} from './media.ts';
import { VersionRange } from './version.ts';
import { Grant, VisitChange, VisitView } from './visit.ts';

const token = z.string().check(z.minLength(1), z.maxLength(LIMITS.tokenLength));
const milliseconds = z.int().check(z.nonnegative());
const gain = z.number().check(z.minimum(0), z.maximum(1));

/** Socket.IO `auth` of the client's handshake. The visit id is also the query parameter `visit`, for the balancer. */
export const ClientHandshake = z.object({
  /** The JWT that the portal's server signed. */
  token,
  /** The protocol versions that the client speaks, lowest and highest. */
  versions: VersionRange,
  /** The session to resume after a dropped socket. */
  sessionId: z.optional(SessionId),
});
export type ClientHandshake = z.infer<typeof ClientHandshake>;

/** What a handshake may be refused with: `data` of Socket.IO's `connect_error`. */
export const CLIENT_HANDSHAKE_ERRORS = [
  'unauthorized',
  'unsupported-version',
  'invalid-request',
  'visit-ended',
  'limit-reached',
  'rate-limited',
  'moved',
  'media-unavailable',
  'state-unavailable',
  'shutting-down',
  'deadline',
  'internal',
] as const satisfies readonly ErrorCode[];

/** What every command of a client may be answered with, besides its own errors. */
export const CLIENT_COMMON_ERRORS = [
  ...COMMON_ERRORS,
  'moved',
  'replaced',
  'visit-ended',
] as const satisfies readonly ErrorCode[];

const request = { requestId: RequestId };
const Empty = z.object({});

/** What a listener receives of one producer. */
export const ConsumerParameters = z.object({
  consumerId: ConsumerId,
  /** What it comes from, as in the participant's `producers`. */
  producerId: ProducerId,
  /** Whose it is. */
  participantId: ParticipantId,
  kind: MediaKind,
  source: MediaSource,
  /** What the node will send. */
  rtpParameters: RtpParameters,
  /** The sender muted it. */
  producerPaused: z.boolean(),
  /** What the plan asks the listener to apply: linear, 1 is as it was sent. */
  gain,
});
export type ConsumerParameters = z.infer<typeof ConsumerParameters>;

const consumers = z.array(ConsumerParameters).check(z.maxLength(LIMITS.consumersPerParticipant));
const consumerIds = z.array(ConsumerId).check(z.maxLength(LIMITS.consumersPerParticipant));

/** Commands from the SDK to the gateway. */
export const clientCommands = {
  /**
   * Take part with media. Sent once after `welcome`; again after `media-lost`, when it replaces
   * all transports, producers and consumers of the session. The consumers are live as soon as the
   * receiving transport is connected.
   */
  join: defineCommand({
    request: z.object({ ...request, rtpCapabilities: RtpCapabilities }),
    response: z.object({
      /** For what the client sends. */
      sendTransport: TransportParameters,
      /** For what it receives. */
      recvTransport: TransportParameters,
      /** All that the plan gives this participant. */
      consumers,
      visit: VisitView,
    }),
    errors: ['limit-reached', 'media-unsupported', 'capacity', 'media-unavailable'],
  }),
  /**
   * After a `welcome` with `resumed: true`: make the consumers equal to the plan again. Media has
   * gone on meanwhile.
   */
  resume: defineCommand({
    request: z.object({
      ...request,
      /** Those that the page has set up. */
      consumerIds,
    }),
    response: z.object({
      /** Those that the page lacks; they are live. */
      added: consumers,
      /** Those that are not there any more. */
      removed: consumerIds,
      visit: VisitView,
    }),
    errors: ['not-joined', 'media-lost', 'media-unavailable'],
  }),
  /**
   * The client’s DTLS parameters for one of its transports. Need not be awaited before `produce`.
   */
  'connect-transport': defineCommand({
    request: z.object({ ...request, transportId: TransportId, dtlsParameters: DtlsParameters }),
    response: Empty,
    errors: ['not-joined', 'not-found', 'media-unavailable'],
  }),
  /** New ICE credentials for one transport, after the network changed or ICE failed. */
  'restart-ice': defineCommand({
    request: z.object({ ...request, transportId: TransportId }),
    response: z.object({ iceParameters: IceParameters }),
    errors: ['not-joined', 'not-found', 'media-unavailable'],
  }),
  /** Send a track. One producer per source and participant. */
  produce: defineCommand({
    request: z.object({
      ...request,
      /** The sending one. */
      transportId: TransportId,
      source: MediaSource,
      rtpParameters: RtpParameters,
      /** Begin muted. */
      paused: z.boolean(),
    }),
    response: z.object({
      /** What the visit calls it from now on. */
      producerId: ProducerId,
    }),
    errors: [
      'not-joined',
      'not-found',
      'forbidden',
      'conflict',
      'limit-reached',
      'media-unsupported',
      'media-unavailable',
    ],
  }),
  /** Mute or unmute one’s own producer, for everybody. */
  'pause-producer': defineCommand({
    request: z.object({
      ...request,
      producerId: ProducerId,
      /** True mutes, false unmutes. */
      paused: z.boolean(),
    }),
    response: Empty,
    errors: ['not-joined', 'not-found', 'media-unavailable'],
  }),
  /** Stop sending a track. */
  'close-producer': defineCommand({
    request: z.object({ ...request, producerId: ProducerId }),
    response: Empty,
    errors: ['not-joined', 'not-found', 'media-unavailable'],
  }),
  /**
   * What the tiles need now: pause what is not seen, pick layers by size. Never more than the plan
   * allows.
   */
  'prefer-consumers': defineCommand({
    request: z.object({
      ...request,
      /** Of the consumers that changed; the others stay as they are. */
      preferences: z
        .array(ConsumerPreference)
        .check(z.minLength(1), z.maxLength(LIMITS.participantsPerVisit * 2)),
    }),
    response: Empty,
    errors: ['not-joined', 'not-found', 'media-unavailable'],
  }),
  /** A fresh token for the same visit, participant and role, before the old one expires. */
  'renew-token': defineCommand({
    request: z.object({ ...request, token }),
    response: z.object({
      /** Milliseconds until the new token expires. */
      expiresInMs: milliseconds,
      /** What the new token grants. Producers that it does not grant are closed. */
      grants: z.optional(z.array(Grant).check(z.maxLength(LIMITS.grants))),
    }),
    errors: ['unauthorized'],
  }),
  /** Leave the visit for good; the session can not be resumed. The participant may join again. */
  leave: defineCommand({
    request: z.object({ ...request }),
    response: Empty,
    errors: [],
  }),
  /** End the visit for everybody. Needs the grant `end`. */
  end: defineCommand({
    request: z.object({ ...request }),
    response: Empty,
    errors: ['forbidden'],
  }),
};

/** Why a gateway closes a socket. */
export const CloseReason = z.enum([
  'replaced',
  'removed',
  'visit-ended',
  'token-expired',
  'shutting-down',
  'moved',
]);
export type CloseReason = z.infer<typeof CloseReason>;

/** Events from the gateway to the SDK. */
export const clientEvents = {
  /** First message on every socket: all that the client needs to prepare before `join`. */
  welcome: defineEvent({
    payload: z.object({
      /** The highest version that both sides speak. */
      version: z.int(),
      /** The `sub` of the token. */
      participantId: ParticipantId,
      /** Keep it in memory, for this page alone: it resumes the session. */
      sessionId: SessionId,
      /** True where the handshake named a session that lives: send `resume`, not `join`. */
      resumed: z.boolean(),
      /** What this participant may do. */
      grants: z.array(Grant).check(z.maxLength(LIMITS.grants)),
      /** The same constant set on every node of the cluster: a Device loaded once serves all visits. */
      rtpCapabilities: RtpCapabilities,
      /** For both transports. */
      iceServers: z.array(IceServer).check(z.maxLength(8)),
      /** Milliseconds for which a session outlives its socket. */
      graceMs: milliseconds,
      /** Milliseconds until the token expires: renew before. */
      tokenExpiresInMs: milliseconds,
      /** As this participant may see it: without anybody before they have joined. */
      visit: VisitView,
    }),
  }),
  /** The visit changed. */
  changed: defineEvent({
    payload: z.object({
      /** The visit's number after these changes. */
      seq: z.int().check(z.nonnegative()),
      changes: z.array(VisitChange).check(z.maxLength(LIMITS.changes)),
    }),
  }),
  /**
   * The plan for this listener changed. Acknowledge once the added consumers are set up: they
   * start then. `updated` changes gain.
   */
  consumers: defineEvent({
    payload: z.object({
      /** To be set up. */
      added: consumers,
      /** To be closed, before the others are set up. */
      removed: consumerIds,
      /** To be played at another gain. */
      updated: z
        .array(
          z.object({
            consumerId: ConsumerId,
            /** As in ConsumerParameters. */
            gain,
          }),
        )
        .check(z.maxLength(LIMITS.consumersPerParticipant)),
    }),
    ack: true,
  }),
  /** Who speaks now. At most about three a second. */
  speaker: defineEvent({
    payload: z.object({
      /** Null for silence. */
      participantId: z.nullable(ParticipantId),
    }),
  }),
  /** Connection quality of participants whose level changed. */
  quality: defineEvent({
    payload: z.object({
      participants: z
        .array(
          z.object({
            participantId: ParticipantId,
            /** 0 lost, 1 poor, 2 fair, 3 good. */
            level: z.int().check(z.minimum(0), z.maximum(3)),
          }),
        )
        .check(z.maxLength(LIMITS.participantsPerVisit)),
    }),
  }),
  /** The node sees that this transport lost its path: restart ICE. */
  'transport-failed': defineEvent({
    payload: z.object({ transportId: TransportId }),
  }),
  /** The node that carried the media is gone. All transports are dead: send `join` again. */
  'media-lost': defineEvent({
    payload: Empty,
  }),
  /**
   * The gateway is about to close this socket, and why. Reconnect only for `shutting-down` and
   * `moved`.
   */
  closing: defineEvent({
    payload: z.object({
      reason: CloseReason,
      /** Milliseconds to wait, at the least, before connecting again. */
      retryAfterMs: z.optional(milliseconds),
    }),
  }),
};

export type ClientCommands = typeof clientCommands;
export type ClientCommandName = keyof ClientCommands;
export type ClientRequest<Name extends ClientCommandName> = RequestOf<ClientCommands, Name>;
export type ClientResponse<Name extends ClientCommandName> = ResponseOf<ClientCommands, Name>;
export type ClientEventMap = typeof clientEvents;
export type ClientEventName = keyof ClientEventMap;
export type ClientEventPayload<Name extends ClientEventName> = PayloadOf<ClientEventMap, Name>;

/** For `new Server<ClientToGateway, GatewayToClient>` and its mirror in the SDK. */
export type ClientToGateway = CommandEvents<ClientCommands>;
export type GatewayToClient = ServerEvents<ClientEventMap>;
