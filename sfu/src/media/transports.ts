import { TransportId, type TransportParameters } from '@bedside/protocol';
import type { types } from 'mediasoup';

/**
 * Where the estimate of a listener's bandwidth starts, bits a second. The default of 600 kbps makes
 * the first seconds of a visit with three others blurred; 1 Mbps is what nearly every line carries.
 */
const INITIAL_OUTGOING_BITRATE = 1_000_000;

/** The most one participant may send, bits a second: a camera and a sharp screen share. */
export const MAX_INCOMING_BITRATE = 6_000_000;

/**
 * Least milliseconds between two key frame requests to one producer: many listeners losing packets
 * must not make the sender send nothing but key frames, and who joins right after somebody else must
 * not wait long for their first picture. Chromium drops a request within 300 ms of the last one
 * (encoder_rtcp_feedback.cc), and mediasoup asks again only after a second: so, a little more than that.
 */
export const KEY_FRAME_REQUEST_DELAY_MS = 400;

/** Options of both of a peer's transports. UDP where it passes, TCP on the same port where not. */
export const transportOptions = (
  webRtcServer: types.WebRtcServer,
): types.WebRtcTransportOptions => ({
  webRtcServer,
  enableUdp: true,
  enableTcp: true,
  preferUdp: true,
  initialAvailableOutgoingBitrate: INITIAL_OUTGOING_BITRATE,
});

/** The node's half of a transport, as the other side takes it. */
export const parametersOf = (transport: types.WebRtcTransport): TransportParameters => ({
  transportId: TransportId.parse(transport.id),
  iceParameters: transport.iceParameters,
  iceCandidates: transport.iceCandidates.map((candidate) => ({ ...candidate })),
  dtlsParameters: transport.dtlsParameters,
});
