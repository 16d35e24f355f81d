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
  VersionRange,
} from './contract.ts';
import type { ErrorCode } from './errors.ts';
import { QualityChange, qualityChanges, qualityEvidence } from './evidence.ts';
import {
  CallId,
  ConsumerId,
  InviteId,
  ParticipantId,
  ProducerId,
  RequestId,
  SessionId,
  TransportId,
} from './ids.ts';
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
import { Need } from './on-call.ts';
import {
  DisplayName,
  Grant,
  Hold,
  InterpretingMode,
  LanguageTags,
  Place,
  Role,
  VisitChange,
  VisitView,
} from './visit.ts';

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
  'removed',
  'invite-used',
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
  /** A signed conversation: shown large, never paused or scaled down by the page. */
  protected: z.optional(z.boolean()),
});
export type ConsumerParameters = z.infer<typeof ConsumerParameters>;

const consumers = z.array(ConsumerParameters).check(z.maxLength(LIMITS.consumersPerParticipant));
const consumerIds = z.array(ConsumerId).check(z.maxLength(LIMITS.consumersPerParticipant));

const participantIds = z
  .array(ParticipantId)
  .check(z.minLength(1), z.maxLength(LIMITS.participantsPerVisit));
const messageNumber = z.int().check(z.nonnegative());

/** Where a message goes. */
export const MessageTarget = z.discriminatedUnion('type', [
  /** Everybody who takes part, in whichever place. */
  z.object({ type: z.literal('all') }),
  /** Everybody in the sender’s own place. */
  z.object({ type: z.literal('room') }),
  z.object({ type: z.literal('participant'), participantId: ParticipantId }),
]);
export type MessageTarget = z.infer<typeof MessageTarget>;

const messageText = z.string().check(z.minLength(1), z.maxLength(LIMITS.messageLength));
const MessageKind = z.enum(['chat', 'caption']);
export const Reaction = z.enum(['applause', 'yes', 'no', 'heart', 'laugh']);
export type Reaction = z.infer<typeof Reaction>;
export const Cue = z.enum(['pause', 'repeat']);
export type Cue = z.infer<typeof Cue>;

/** A message, as those it was for receive it. */
export const Message = z.object({
  /** Grows from 1 over the visit; those that were for others are missing. */
  number: messageNumber,
  /** Absent where the clinic wrote it from outside the visit. */
  from: z.optional(ParticipantId),
  to: MessageTarget,
  kind: MessageKind,
  text: messageText,
  /** When the gateway took it, in milliseconds since 1970. */
  at: milliseconds,
});
export type Message = z.infer<typeof Message>;
const messages = z.array(Message).check(z.maxLength(LIMITS.messagesPerVisit));

/** Where participants are moved to. */
export const MoveTarget = z.discriminatedUnion('type', [
  z.object({ type: z.literal('main') }),
  z.object({ type: z.literal('hold'), ...Hold.shape }),
  /** An open room, or a new one where `room` is absent. */
  z.object({ type: z.literal('room'), room: z.optional(Place) }),
]);
export type MoveTarget = z.infer<typeof MoveTarget>;

/** Commands from the SDK to the gateway. */
export const clientCommands = {
  /**
   * Take part with media. Sent once after `welcome`; again after `media-lost`, when it replaces
   * all transports, producers and consumers of the session. The consumers are live as soon as the
   * receiving transport is connected.
   */
  join: defineCommand({
    request: z.object({
      ...request,
      rtpCapabilities: RtpCapabilities,
      /** The highest number of a message that the page has; 0 where absent. */
      messagesAfter: z.optional(messageNumber),
      /** No media passed between the page and the node that it was at last: to another one, if there is one. */
      unreachable: z.optional(z.boolean()),
    }),
    response: z.object({
      /** For what the client sends. */
      sendTransport: TransportParameters,
      /** For what it receives. */
      recvTransport: TransportParameters,
      /** All that the plan gives this participant. */
      consumers,
      visit: VisitView,
      /** Those above `messagesAfter` that are for this participant, as many as are kept. */
      messages,
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
      /** The page's receiving transport: `media-lost` where the visit has another of this participant. */
      recvTransportId: z.optional(TransportId),
      /** The highest number of a message that the page has; 0 where absent. */
      messagesAfter: z.optional(messageNumber),
    }),
    response: z.object({
      /** Those that the page lacks; they are live. */
      added: consumers,
      /** Those that are not there any more. */
      removed: consumerIds,
      visit: VisitView,
      /** Those above `messagesAfter` that are for this participant, as many as are kept. */
      messages,
    }),
    errors: ['not-joined', 'media-lost', 'media-unavailable'],
  }),
  /**
   * After `relocating`: a second pair of transports, at the node that the visit goes to. Set them up,
   * produce again on them what is produced, and play on what the old ones bring until the new ones bring
   * all of it steadily; then send `relocated`. Commands that name a transport or a consumer may name those
   * of either pair.
   */
  relocate: defineCommand({
    request: z.object({ ...request, rtpCapabilities: RtpCapabilities }),
    response: z.object({
      /** For what the client sends. */
      sendTransport: TransportParameters,
      /** For what it receives. */
      recvTransport: TransportParameters,
      /** What is there by now; more comes with `consumers`, which names this receiving transport. */
      consumers,
    }),
    errors: ['not-joined', 'not-found', 'media-unsupported', 'capacity', 'media-unavailable'],
  }),
  /** What the new transports bring is played. The old ones are to be kept until `relocation-ended`. */
  relocated: defineCommand({
    request: z.object(request),
    response: Empty,
    errors: ['not-joined', 'not-found'],
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
  /**
   * A fresh token for the same visit, participant and role, before the old one expires. In a lecture it may
   * bring somebody from the audience to those who take part, where there is room, and back.
   */
  'renew-token': defineCommand({
    request: z.object({ ...request, token }),
    response: z.object({
      /** Milliseconds until the new token expires. */
      expiresInMs: milliseconds,
      /** What the new token grants. Producers that it does not grant are closed. */
      grants: z.optional(z.array(Grant).check(z.maxLength(LIMITS.grants))),
    }),
    errors: ['unauthorized', 'limit-reached'],
  }),
  /** Leave the visit for good; the session can not be resumed. The participant may join again. */
  leave: defineCommand({
    request: z.object({ ...request }),
    response: Empty,
    errors: [],
  }),
  /** Let participants who wait take part. Needs the grant `admit`. */
  admit: defineCommand({
    request: z.object({
      ...request,
      /** Everybody who waits where absent. */
      participantIds: z.optional(participantIds),
    }),
    response: Empty,
    errors: ['forbidden', 'not-joined', 'not-found', 'already-admitted'],
  }),
  /**
   * Send a participant away, or deny one who waits; their token is refused from then on. Needs the
   * grant `remove`.
   */
  remove: defineCommand({
    request: z.object({ ...request, participantId: ParticipantId }),
    response: Empty,
    errors: ['forbidden', 'not-joined', 'not-found', 'media-unavailable'],
  }),
  /**
   * Bring participants together in another place of the visit: the main room, hold, or a private
   * room. Needs the grant `hold` or `private-room`; to bring back, that of where they are.
   */
  move: defineCommand({
    request: z.object({ ...request, participantIds, to: MoveTarget }),
    response: z.object({
      /** Where they are now. */
      place: Place,
    }),
    errors: ['forbidden', 'not-joined', 'not-found', 'media-unavailable'],
  }),
  /** Mute a participant’s microphone. They alone can unmute it. Needs the grant `mute`. */
  mute: defineCommand({
    request: z.object({ ...request, participantId: ParticipantId }),
    response: Empty,
    errors: ['forbidden', 'not-joined', 'not-found', 'media-unavailable'],
  }),
  /** Ask a participant to unmute: they get `unmute-asked`. Needs the grant `mute`. */
  'ask-unmute': defineCommand({
    request: z.object({ ...request, participantId: ParticipantId }),
    response: Empty,
    errors: ['forbidden', 'not-joined', 'not-found'],
  }),
  /** A token for one person more, good for one use within a short time. Needs the grant `invite`. */
  invite: defineCommand({
    request: z.object({
      ...request,
      role: Role,
      name: z.optional(DisplayName),
      /** For how long it can be used, in milliseconds. Default 15 minutes. */
      ttlMs: z.optional(z.int().check(z.minimum(10_000), z.maximum(24 * 60 * 60 * 1000))),
      /** Who comes with it waits until they are admitted. */
      knock: z._default(z.boolean(), false),
    }),
    response: z.object({
      inviteId: InviteId,
      /** As good as a token of the portal’s, for one page. */
      token,
      /** Until when it can be used, in milliseconds since 1970. */
      expiresAt: milliseconds,
    }),
    errors: ['forbidden', 'not-joined', 'limit-reached'],
  }),
  /** An invitation that was not used is good for nothing any more. Needs the grant `invite`. */
  'revoke-invite': defineCommand({
    request: z.object({ ...request, inviteId: InviteId }),
    response: Empty,
    errors: ['forbidden', 'not-joined', 'not-found', 'invite-used'],
  }),
  /**
   * Ring everybody on call who fits, group after group, until one accepts: they come with a token for
   * `role`. How it goes shows in `calls`. Needs the grant `invite`.
   */
  call: defineCommand({
    request: z.object({
      ...request,
      role: Role,
      /** Whom to ring: the first group, and where nobody answers the next. */
      groups: z.array(Need).check(z.minLength(1), z.maxLength(LIMITS.callGroups)),
      /** For how long each group rings, in milliseconds. Default 30 s. */
      ringMs: z.optional(z.int().check(z.minimum(5_000), z.maximum(300_000))),
    }),
    response: z.object({ callId: CallId }),
    errors: ['forbidden', 'not-joined', 'conflict', 'limit-reached', 'state-unavailable'],
  }),
  /** Stop ringing. Needs the grant `invite`. */
  'cancel-call': defineCommand({
    request: z.object({ ...request, callId: CallId }),
    response: Empty,
    errors: ['forbidden', 'not-joined', 'not-found'],
  }),
  /**
   * Offer the responsibility for the visit to somebody else who may admit; they answer with
   * `answer-hand-over`. Needs the grant `hand-over`, or to be responsible.
   */
  'hand-over': defineCommand({
    request: z.object({
      ...request,
      /** Null takes an offer back. */
      to: z.nullable(ParticipantId),
    }),
    response: Empty,
    errors: ['forbidden', 'not-joined', 'not-found', 'conflict'],
  }),
  /** Take the responsibility that was offered, or refuse it. */
  'answer-hand-over': defineCommand({
    request: z.object({ ...request, accept: z.boolean() }),
    response: Empty,
    errors: ['not-joined', 'not-found'],
  }),
  /**
   * For the staff of the visit’s clinic, from outside of it: offer who waits to a colleague, who
   * answers with `answer-reassign`. Needs the grant `hand-over`.
   */
  reassign: defineCommand({
    request: z.object({
      ...request,
      /** The `sub` of the colleague’s clinic token. Null takes an offer back. */
      to: z.nullable(ParticipantId),
    }),
    response: Empty,
    errors: ['forbidden', 'not-joined'],
  }),
  /** Take over who waits, as a colleague offered, or refuse. */
  'answer-reassign': defineCommand({
    request: z.object({ ...request, accept: z.boolean() }),
    response: Empty,
    errors: ['forbidden', 'not-joined', 'not-found'],
  }),
  /** One’s own languages; what is absent stays as it is. */
  'set-languages': defineCommand({
    request: z.object({
      ...request,
      speaks: z.optional(LanguageTags),
      hears: z.optional(LanguageTags),
      signs: z.optional(z.boolean()),
      /** -60 to 0: by how much originals are turned down under an interpreter, 0 for not at all. */
      duckDb: z.optional(z.number().check(z.minimum(-60), z.maximum(0))),
    }),
    response: Empty,
    errors: ['not-joined'],
  }),
  /** How the visit is interpreted. Needs the grant `interpret` or `admit`. */
  'set-interpreting': defineCommand({
    request: z.object({ ...request, mode: InterpretingMode }),
    response: Empty,
    errors: ['forbidden', 'not-joined'],
  }),
  /** Be the one who interprets now, of those with the same pair of languages. Needs `interpret`. */
  'take-turn': defineCommand({
    request: z.object({ ...request }),
    response: Empty,
    errors: ['forbidden', 'not-joined'],
  }),
  /** Ask a speaker, without words, to pause or to repeat: they get `cue`. Needs `interpret`. */
  cue: defineCommand({
    request: z.object({
      ...request,
      participantId: ParticipantId,
      cue: Cue,
    }),
    response: Empty,
    errors: ['forbidden', 'not-joined', 'not-found'],
  }),
  /** Speak to one participant alone, or to everybody again. Needs the grant `whisper`. */
  whisper: defineCommand({
    request: z.object({
      ...request,
      /** Null ends it. */
      to: z.nullable(ParticipantId),
    }),
    response: Empty,
    errors: ['forbidden', 'not-joined', 'not-found', 'media-unavailable'],
  }),
  /**
   * Write to others. Needs the grant `chat` or `caption`; who waits, or is of a lecture's audience, may write
   * to who may admit alone, and be written to by them.
   */
  'send-message': defineCommand({
    request: z.object({ ...request, to: MessageTarget, kind: MessageKind, text: messageText }),
    response: z.object({ number: messageNumber }),
    errors: ['forbidden', 'not-joined', 'not-found'],
  }),
  /** Raise one’s own hand, or lower it. */
  'raise-hand': defineCommand({
    request: z.object({ ...request, raised: z.boolean() }),
    response: Empty,
    errors: ['forbidden', 'not-joined'],
  }),
  /**
   * How well this page sees signed conversations: at once where a measure went beyond its threshold or
   * came back, and now and then the sums so far.
   */
  'report-quality': defineCommand({
    request: z.object({ ...request, changes: qualityChanges, evidence: qualityEvidence }),
    response: Empty,
    errors: ['forbidden', 'not-joined'],
  }),
  /** A short-lived reaction that everybody in the same place sees. */
  react: defineCommand({
    request: z.object({ ...request, reaction: Reaction }),
    response: Empty,
    errors: ['forbidden', 'not-joined'],
  }),
  /** End the visit for everybody. Needs the grant `end`. */
  end: defineCommand({
    request: z.object({ ...request }),
    response: Empty,
    errors: ['forbidden', 'not-joined'],
  }),
};

/** Why a gateway closes a socket. */
export const CloseReason = z.enum([
  'replaced',
  'removed',
  'denied',
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
      /** The number of the page's view of the visit after these changes. */
      seq: z.int().check(z.nonnegative()),
      changes: z.array(VisitChange).check(z.maxLength(LIMITS.changes)),
    }),
  }),
  /**
   * The plan for this listener changed. Acknowledge once the added consumers are set up: they
   * start then. `updated` changes how they are played.
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
            /** As in ConsumerParameters. */
            protected: z.optional(z.boolean()),
          }),
        )
        .check(z.maxLength(LIMITS.consumersPerParticipant)),
      /** The receiving transport of these, while there are two: that of `relocate`. */
      recvTransportId: z.optional(TransportId),
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
  /** A message for this participant. */
  message: defineEvent({ payload: Message }),
  /** Somebody asks this participant to unmute. */
  'unmute-asked': defineEvent({ payload: z.object({ by: ParticipantId }) }),
  /** The interpreter asks this participant to pause or to repeat. */
  cue: defineEvent({
    payload: z.object({ by: ParticipantId, cue: Cue }),
  }),
  /**
   * The one to whom this participant whispered does not hear them any more. The microphone was muted,
   * so that nobody hears what was not meant for them.
   */
  'whisper-ended': defineEvent({ payload: z.object({ to: ParticipantId }) }),
  /** Somebody sees a signed conversation too badly, or well again: told to who may admit. */
  'quality-changed': defineEvent({
    payload: z.object({
      /** Who sees it so. */
      by: ParticipantId,
      ...QualityChange.shape,
    }),
  }),
  /** Somebody in the same place reacts. */
  reaction: defineEvent({
    payload: z.object({
      from: ParticipantId,
      reaction: Reaction,
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
  /** The media goes to another node while it goes on here: send `relocate`. */
  relocating: defineEvent({ payload: Empty }),
  /**
   * The relocation is over. `moved`: the transports of `relocate` are the ones, close the others.
   * Otherwise close those of `relocate`: it is tried again, or not.
   */
  'relocation-ended': defineEvent({ payload: z.object({ moved: z.boolean() }) }),
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
