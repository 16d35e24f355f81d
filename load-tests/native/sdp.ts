import type { ClientResponse } from '@bedside/protocol';

type TransportParameters = ClientResponse<'join'>['sendTransport'];

/** The DTLS fingerprint in an SDP, as `connect-transport` takes it. */
export function fingerprintOf(sdp: string): { algorithm: string; value: string } {
  const match = /^a=fingerprint:(\S+) (\S+)/m.exec(sdp);
  if (!match?.[1] || !match[2]) throw new Error('the local description has no fingerprint');
  return { algorithm: match[1].toLowerCase(), value: match[2] };
}

/**
 * The answer of an ICE-lite node to the offer of MediaTransport. Its one media section carries all
 * RTP of the transport: what is in it was agreed in `produce` and in the consumers' parameters.
 */
export function answerOf(transport: TransportParameters): string {
  const { iceParameters, iceCandidates, dtlsParameters } = transport;
  const fingerprint =
    dtlsParameters.fingerprints.find(({ algorithm }) => algorithm === 'sha-256') ??
    dtlsParameters.fingerprints[0];
  return [
    'v=0',
    'o=- 1 1 IN IP4 127.0.0.1',
    's=-',
    't=0 0',
    'a=ice-lite',
    'a=group:BUNDLE 0',
    'm=audio 9 UDP/TLS/RTP/SAVPF 111',
    'c=IN IP4 127.0.0.1',
    'a=mid:0',
    'a=sendrecv',
    'a=rtcp-mux',
    'a=rtpmap:111 opus/48000/2',
    `a=ice-ufrag:${iceParameters.usernameFragment}`,
    `a=ice-pwd:${iceParameters.password}`,
    `a=fingerprint:${fingerprint?.algorithm} ${fingerprint?.value}`,
    'a=setup:passive',
    ...iceCandidates
      .filter(({ protocol }) => protocol === 'udp')
      .map(
        (c) =>
          `a=candidate:${c.foundation} 1 udp ${c.priority} ${c.address} ${c.port} typ ${c.type}`,
      ),
    'a=end-of-candidates',
    '',
  ].join('\r\n');
}
