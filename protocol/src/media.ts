import * as z from 'zod/mini';
import { TransportId } from './ids.ts';
import { LIMITS } from './limits.ts';

/**
 * The shapes of mediasoup's RTP, ICE and DTLS parameters, as far as a boundary must check them:
 * sizes and types of what a stranger may send. mediasoup checks the meaning.
 */
const short = z.string().check(z.maxLength(256));
const uint = z.int().check(z.nonnegative());
const codecParameters = z.record(
  z.string().check(z.maxLength(64)),
  z.union([short, z.number(), z.boolean()]),
);
const rtcpFeedback = z
  .array(z.looseObject({ type: short, parameter: z.optional(short) }))
  .check(z.maxLength(16));

export const MediaKind = z.enum(['audio', 'video']);
export type MediaKind = z.infer<typeof MediaKind>;

/** What a producer shows or plays. `microphone` and `screen-audio` are audio, the others video. */
export const MediaSource = z.enum(['camera', 'microphone', 'screen', 'screen-audio']);
export type MediaSource = z.infer<typeof MediaSource>;

/** The kind that each source has. */
export const KIND_OF_SOURCE: Readonly<Record<MediaSource, MediaKind>> = {
  camera: 'video',
  microphone: 'audio',
  screen: 'video',
  'screen-audio': 'audio',
};

export const RtpCapabilities = z.looseObject({
  codecs: z
    .array(
      z.looseObject({
        kind: MediaKind,
        mimeType: short,
        clockRate: uint,
        preferredPayloadType: z.optional(uint),
        channels: z.optional(uint),
        parameters: z.optional(codecParameters),
        rtcpFeedback: z.optional(rtcpFeedback),
      }),
    )
    .check(z.maxLength(LIMITS.codecs)),
  headerExtensions: z.optional(
    z
      .array(z.looseObject({ kind: MediaKind, uri: short, preferredId: uint }))
      .check(z.maxLength(LIMITS.headerExtensions)),
  ),
});
export type RtpCapabilities = z.infer<typeof RtpCapabilities>;

export const RtpParameters = z.looseObject({
  mid: z.optional(short),
  codecs: z
    .array(
      z.looseObject({
        mimeType: short,
        payloadType: uint,
        clockRate: uint,
        channels: z.optional(uint),
        parameters: z.optional(codecParameters),
        rtcpFeedback: z.optional(rtcpFeedback),
      }),
    )
    .check(z.minLength(1), z.maxLength(LIMITS.codecs)),
  headerExtensions: z.optional(
    z.array(z.looseObject({ uri: short, id: uint })).check(z.maxLength(LIMITS.headerExtensions)),
  ),
  encodings: z.optional(
    z
      .array(
        z.looseObject({
          ssrc: z.optional(uint),
          rid: z.optional(short),
          scalabilityMode: z.optional(short),
        }),
      )
      .check(z.maxLength(LIMITS.encodings)),
  ),
  rtcp: z.optional(
    z.looseObject({ cname: z.optional(short), reducedSize: z.optional(z.boolean()) }),
  ),
});
export type RtpParameters = z.infer<typeof RtpParameters>;

export const DtlsParameters = z.object({
  role: z.optional(z.enum(['auto', 'client', 'server'])),
  fingerprints: z
    .array(z.object({ algorithm: short, value: short }))
    .check(z.minLength(1), z.maxLength(8)),
});
export type DtlsParameters = z.infer<typeof DtlsParameters>;

export const IceParameters = z.object({
  usernameFragment: short,
  password: short,
  iceLite: z.optional(z.boolean()),
});
export type IceParameters = z.infer<typeof IceParameters>;

export const IceCandidate = z.looseObject({
  foundation: short,
  priority: uint,
  address: short,
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
  urls: z.array(short).check(z.minLength(1), z.maxLength(8)),
  username: z.optional(short),
  credential: z.optional(short),
});
export type IceServer = z.infer<typeof IceServer>;
