/**
 * What a client can receive, derived from what `welcome` offers, as a browser's Device derives it.
 * Free of dependencies: k6 loads this file too.
 */

interface Codec {
  kind: 'audio' | 'video';
  mimeType: string;
  clockRate: number;
  preferredPayloadType?: number | undefined;
  channels?: number | undefined;
  parameters?: Record<string, string | number | boolean> | undefined;
  rtcpFeedback?: { type: string; parameter?: string | undefined }[] | undefined;
}

interface HeaderExtension {
  kind: 'audio' | 'video';
  uri: string;
  preferredId: number;
  direction?: string | undefined;
}

/** The part of mediasoup's RtpCapabilities that is read here. */
export interface Capabilities {
  codecs: Codec[];
  headerExtensions?: HeaderExtension[] | undefined;
}

/** What Chromium decodes. Other parameters of H.264 and the other profiles of VP9 need no mention here. */
const CHROMIUM_CODECS = ['audio/opus', 'video/vp8', 'video/vp9', 'video/h264', 'video/av1'];

/** Header extensions of an RtpReceiver in Chromium. */
const CHROMIUM_EXTENSIONS = [
  'urn:ietf:params:rtp-hdrext:sdes:mid',
  'http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time',
  'http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01',
  'urn:ietf:params:rtp-hdrext:ssrc-audio-level',
  'urn:3gpp:video-orientation',
  'urn:ietf:params:rtp-hdrext:toffset',
  'http://www.webrtc.org/experiments/rtp-hdrext/playout-delay',
  'https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension',
];

const isRtx = (codec: Codec) => codec.mimeType.toLowerCase().endsWith('/rtx');

/** The offered codecs whose type is in `mimeTypes`, each with its RTX. */
function pick(offered: Codec[], mimeTypes: readonly string[]): Codec[] {
  const media = offered.filter((codec) => mimeTypes.includes(codec.mimeType.toLowerCase()));
  const payloadTypes = media.map((codec) => codec.preferredPayloadType);
  const rtx = offered.filter(
    (codec) => isRtx(codec) && payloadTypes.includes(Number(codec.parameters?.apt)),
  );
  return [...media, ...rtx];
}

/** As a current Chromium would answer this offer: all its codecs with RTX and every feedback. */
export function chromiumCapabilities(offered: Capabilities): Capabilities {
  return {
    codecs: pick(offered.codecs, CHROMIUM_CODECS),
    headerExtensions: (offered.headerExtensions ?? []).filter(
      ({ uri, direction }) =>
        CHROMIUM_EXTENSIONS.includes(uri) &&
        (direction === undefined || direction.startsWith('send')),
    ),
  };
}

/**
 * For a native load client: Opus and VP8 without RTX or congestion feedback, so that the node sends
 * every packet at once and a run measures forwarding, not a bandwidth estimate.
 */
export function plainCapabilities(offered: Capabilities): Capabilities {
  return {
    codecs: offered.codecs
      .filter((codec) => ['audio/opus', 'video/vp8'].includes(codec.mimeType.toLowerCase()))
      .map((codec) => ({
        ...codec,
        rtcpFeedback: (codec.rtcpFeedback ?? []).filter(
          ({ type }) => type === 'ccm' || type === 'nack',
        ),
      })),
    headerExtensions: [],
  };
}

/**
 * RTP parameters of one microphone or camera without simulcast, in the codecs that were offered.
 * Its packets are told apart by their SSRC, so it needs no MID.
 */
export function sendParameters(offered: Capabilities, kind: 'audio' | 'video', ssrc: number) {
  const wanted = kind === 'audio' ? 'audio/opus' : 'video/vp8';
  const codec = offered.codecs.find(({ mimeType }) => mimeType.toLowerCase() === wanted);
  if (codec?.preferredPayloadType === undefined)
    throw new Error(`the router does not offer ${wanted}`);
  return {
    codecs: [
      {
        mimeType: codec.mimeType,
        payloadType: codec.preferredPayloadType,
        clockRate: codec.clockRate,
        ...(codec.channels === undefined ? {} : { channels: codec.channels }),
        parameters: codec.parameters ?? {},
        rtcpFeedback: (codec.rtcpFeedback ?? []).filter(
          ({ type }) => type === 'ccm' || type === 'nack',
        ),
      },
    ],
    headerExtensions: [],
    encodings: [{ ssrc }],
    rtcp: { cname: 'load', reducedSize: true },
  };
}
