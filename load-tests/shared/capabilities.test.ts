import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type Capabilities,
  chromiumCapabilities,
  plainCapabilities,
  sendParameters,
} from './capabilities.ts';

const nack = { type: 'nack' };
const transportCc = { type: 'transport-cc' };
const offered: Capabilities = {
  codecs: [
    {
      kind: 'audio',
      mimeType: 'audio/opus',
      clockRate: 48_000,
      channels: 2,
      preferredPayloadType: 100,
      rtcpFeedback: [nack, transportCc],
    },
    { kind: 'audio', mimeType: 'audio/PCMU', clockRate: 8_000, preferredPayloadType: 0 },
    {
      kind: 'video',
      mimeType: 'video/VP8',
      clockRate: 90_000,
      preferredPayloadType: 101,
      rtcpFeedback: [nack, { type: 'ccm', parameter: 'fir' }, transportCc, { type: 'goog-remb' }],
    },
    {
      kind: 'video',
      mimeType: 'video/rtx',
      clockRate: 90_000,
      preferredPayloadType: 102,
      parameters: { apt: 101 },
    },
    { kind: 'video', mimeType: 'video/H265', clockRate: 90_000, preferredPayloadType: 103 },
    {
      kind: 'video',
      mimeType: 'video/rtx',
      clockRate: 90_000,
      preferredPayloadType: 104,
      parameters: { apt: 103 },
    },
  ],
  headerExtensions: [
    {
      kind: 'audio',
      uri: 'urn:ietf:params:rtp-hdrext:sdes:mid',
      preferredId: 1,
      direction: 'sendrecv',
    },
    {
      kind: 'audio',
      uri: 'urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id',
      preferredId: 2,
      direction: 'recvonly',
    },
    { kind: 'video', uri: 'urn:example:unknown', preferredId: 3, direction: 'sendrecv' },
  ],
};

describe('chromiumCapabilities', () => {
  test('codecs that Chromium lacks are left out, with their RTX', () => {
    const { codecs } = chromiumCapabilities(offered);
    expect(codecs.map(({ preferredPayloadType }) => preferredPayloadType)).toEqual([100, 101, 102]);
  });

  test('extensions are those that the router sends and Chromium receives', () => {
    expect(
      chromiumCapabilities(offered).headerExtensions?.map(({ preferredId }) => preferredId),
    ).toEqual([1]);
  });

  test('no RTX is ever left without its codec', () => {
    const subset = fc.subarray(offered.codecs);
    fc.assert(
      fc.property(subset, (codecs) => {
        const kept = chromiumCapabilities({ codecs }).codecs;
        const payloadTypes = kept.map(({ preferredPayloadType }) => preferredPayloadType);
        for (const { parameters } of kept) {
          if (parameters?.apt !== undefined) expect(payloadTypes).toContain(parameters.apt);
        }
      }),
    );
  });
});

test('a native client asks for no congestion control and no RTX', () => {
  const { codecs, headerExtensions } = plainCapabilities(offered);
  expect(codecs.map(({ mimeType }) => mimeType)).toEqual(['audio/opus', 'video/VP8']);
  expect(codecs[1]?.rtcpFeedback).toEqual([nack, { type: 'ccm', parameter: 'fir' }]);
  expect(headerExtensions).toEqual([]);
});

test('what is sent is in a codec that was offered', () => {
  expect(sendParameters(offered, 'audio', 7)).toMatchObject({
    codecs: [{ mimeType: 'audio/opus', payloadType: 100, clockRate: 48_000, channels: 2 }],
    encodings: [{ ssrc: 7 }],
  });
  expect(() => sendParameters({ codecs: [] }, 'video', 7)).toThrow('does not offer video/vp8');
});
