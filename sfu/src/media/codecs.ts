import type { RtpCapabilities } from '@bedside/protocol';
import type { types } from 'mediasoup';
import { generateRouterRtpCapabilities } from 'mediasoup/ortc';

/**
 * The codecs of every router of the cluster, in order of preference. VP8 leads because its simulcast
 * works in every browser; H.264 serves hardware, VP9 and AV1 serve SVC where both sides have them.
 * mediasoup adds RTX, NACK, PLI, transport-cc and the header extensions. It reads the dependency
 * descriptor and does not send it on, without which Chromium does not put the spatial layers of AV1
 * together: send AV1 in temporal layers only (L1T3); spatial layers are VP9's. The order and the
 * parameters are part of the contract between nodes: pages load them once for all nodes.
 */
export const ROUTER_CODECS: types.RouterRtpCodecCapability[] = [
  {
    kind: 'audio',
    mimeType: 'audio/opus',
    clockRate: 48_000,
    channels: 2,
    // Forward error correction against single losses; silence costs next to nothing; speech is mono.
    parameters: { useinbandfec: 1, usedtx: 1, 'sprop-stereo': 0, stereo: 0 },
  },
  { kind: 'video', mimeType: 'video/VP8', clockRate: 90_000, parameters: {} },
  {
    kind: 'video',
    mimeType: 'video/H264',
    clockRate: 90_000,
    parameters: {
      'packetization-mode': 1,
      'profile-level-id': '42e01f',
      'level-asymmetry-allowed': 1,
    },
  },
  { kind: 'video', mimeType: 'video/VP9', clockRate: 90_000, parameters: { 'profile-id': 0 } },
  { kind: 'video', mimeType: 'video/AV1', clockRate: 90_000, parameters: {} },
];

/** What every router of the cluster can receive: a constant, computed without a worker. */
export const ROUTER_RTP_CAPABILITIES: RtpCapabilities = structuredClone(
  generateRouterRtpCapabilities(structuredClone(ROUTER_CODECS)),
) as RtpCapabilities;

/** Whether a browser with these capabilities has a codec, audio or video, that routers know. */
export function sharesCodec(capabilities: RtpCapabilities): boolean {
  return capabilities.codecs.some((theirs) =>
    ROUTER_CODECS.some(
      (ours) =>
        ours.mimeType.toLowerCase() === theirs.mimeType.toLowerCase() &&
        ours.clockRate === theirs.clockRate,
    ),
  );
}
