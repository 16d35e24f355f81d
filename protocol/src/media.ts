import * as z from 'zod/mini';
import { ConsumerId, TransportId } from './ids.ts';
import { LIMITS } from './limits.ts';

/**
 * The shapes of mediasoup's RTP, ICE and DTLS parameters: sizes and types of what a stranger may
 * send. mediasoup checks the meaning. Fields that are not named here are dropped: browsers add some,
 * and mediasoup reads none of them.
 */
const short = z.string().check(z.maxLength(LIMITS.textLength));
const byte = z.int().check(z.minimum(0), z.maximum(0xff));
const uint32 = z.int().check(z.minimum(0), z.maximum(0xffff_ffff));
const formatParameters = z
  .record(z.string().check(z.maxLength(64)), z.union([short, z.number(), z.boolean()]))
  .check(
    z.refine((parameters) => Object.keys(parameters).length <= LIMITS.codecParameters),
    // Zod has no check for it, so JSON Schema is told by hand.
    z.meta({ maxProperties: LIMITS.codecParameters }),
  );
const rtcpFeedback = z
  .array(z.object({ type: short, parameter: z.optional(short) }))
  .check(z.maxLength(16));

/** Sound or picture. */
export const MediaKind = z.enum(['audio', 'video']);
export type MediaKind = z.infer<typeof MediaKind>;

/**
 * What a producer shows or plays: `microphone` and `screen-audio` are audio, the others video. `exam` is
 * a second camera, for what is examined: a room cart's, an otoscope, a dermatoscope.
 */
export const MediaSource = z.enum(['camera', 'microphone', 'screen', 'screen-audio', 'exam']);
export type MediaSource = z.infer<typeof MediaSource>;

/** What a browser or router can receive: mediasoup's RtpCapabilities. */
export const RtpCapabilities = z.object({
  codecs: z
    .array(
      z.object({
        kind: MediaKind,
        mimeType: short,
        clockRate: uint32,
        preferredPayloadType: z.optional(byte),
        channels: z.optional(byte),
        parameters: z.optional(formatParameters),
        rtcpFeedback: z.optional(rtcpFeedback),
      }),
    )
    .check(z.maxLength(LIMITS.codecs)),
  headerExtensions: z.optional(
    z
      .array(
        z.object({
          kind: MediaKind,
          uri: short,
          preferredId: byte,
          preferredEncrypt: z.optional(z.boolean()),
          direction: z.optional(z.enum(['sendrecv', 'sendonly', 'recvonly', 'inactive'])),
        }),
      )
      .check(z.maxLength(LIMITS.headerExtensions)),
  ),
});
export type RtpCapabilities = z.infer<typeof RtpCapabilities>;

/** How one track is sent: mediasoup's RtpParameters. */
export const RtpParameters = z.object({
  mid: z.optional(short),
  codecs: z
    .array(
      z.object({
        mimeType: short,
        payloadType: byte,
        clockRate: uint32,
        channels: z.optional(byte),
        parameters: z.optional(formatParameters),
        rtcpFeedback: z.optional(rtcpFeedback),
      }),
    )
    .check(z.minLength(1), z.maxLength(LIMITS.codecs)),
  headerExtensions: z.optional(
    z
      .array(
        z.object({
          uri: short,
          id: byte,
          encrypt: z.optional(z.boolean()),
          parameters: z.optional(formatParameters),
        }),
      )
      .check(z.maxLength(LIMITS.headerExtensions)),
  ),
  /** Simulcast layers from the smallest to the largest, or one entry. */
  encodings: z.optional(
    z
      .array(
        z.object({
          ssrc: z.optional(uint32),
          rid: z.optional(short),
          codecPayloadType: z.optional(byte),
          rtx: z.optional(z.object({ ssrc: uint32 })),
          dtx: z.optional(z.boolean()),
          scalabilityMode: z.optional(short),
          /** Bits a second. */
          maxBitrate: z.optional(uint32),
        }),
      )
      .check(z.maxLength(LIMITS.encodings)),
  ),
  rtcp: z.optional(
    z.object({
      cname: z.optional(short),
      reducedSize: z.optional(z.boolean()),
      mux: z.optional(z.boolean()),
    }),
  ),
  msid: z.optional(short),
});
export type RtpParameters = z.infer<typeof RtpParameters>;

/** One end of DTLS: its role, and the hashes of its certificate. */
export const DtlsParameters = z.object({
  role: z.optional(z.enum(['auto', 'client', 'server'])),
  fingerprints: z
    .array(z.object({ algorithm: short, value: short }))
    .check(z.minLength(1), z.maxLength(8)),
});
export type DtlsParameters = z.infer<typeof DtlsParameters>;

/** The node's end of ICE. */
export const IceParameters = z.object({
  usernameFragment: short,
  password: short,
  iceLite: z.optional(z.boolean()),
});
export type IceParameters = z.infer<typeof IceParameters>;

/** An address at which the node can be reached. */
export const IceCandidate = z.object({
  foundation: short,
  priority: uint32,
  address: short,
  /** The same as `address`, under its older name. */
  ip: z.optional(short),
  protocol: z.enum(['udp', 'tcp']),
  port: z.int().check(z.minimum(0), z.maximum(65535)),
  type: short,
  tcpType: z.optional(short),
});
export type IceCandidate = z.infer<typeof IceCandidate>;

/** The node's half of one WebRTC transport, as mediasoup-client takes it. */
export const TransportParameters = z.object({
  transportId: TransportId,
  iceParameters: IceParameters,
  iceCandidates: z.array(IceCandidate).check(z.maxLength(32)),
  dtlsParameters: DtlsParameters,
});
export type TransportParameters = z.infer<typeof TransportParameters>;

/** An entry of RTCConfiguration.iceServers; TURN credentials are short-lived. */
export const IceServer = z.object({
  /** stun:, turn: and turns: addresses. */
  urls: z.array(short).check(z.minLength(1), z.maxLength(8)),
  username: z.optional(short),
  credential: z.optional(short),
});
export type IceServer = z.infer<typeof IceServer>;

/** A simulcast or SVC layer; 0 is the smallest. */
export const Layer = z.int().check(z.minimum(0), z.maximum(3));
export type Layer = z.infer<typeof Layer>;

/** How a consumer should be delivered; decided by the tile that shows it. */
export const ConsumerPreference = z.object({
  consumerId: ConsumerId,
  /** The tile is not visible: send nothing. */
  paused: z.boolean(),
  /** The largest simulcast or SVC layer that is wanted; 0 is the smallest. */
  spatialLayer: z.optional(Layer),
  /** As spatialLayer, for the frame rate. */
  temporalLayer: z.optional(Layer),
});
export type ConsumerPreference = z.infer<typeof ConsumerPreference>;
