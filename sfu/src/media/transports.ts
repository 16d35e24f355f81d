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
 * Milliseconds in which further requests for a key frame of one producer are answered by the first:
 * many listeners losing packets must not make the sender send nothing but key frames.
 */
export const KEY_FRAME_REQUEST_DELAY_MS = 1_000;

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
