import { parse, RtpCapabilities } from '@bedside/protocol';
import { describe, expect, test } from 'vitest';
import { ROUTER_RTP_CAPABILITIES, sharesCodec } from './codecs.ts';

describe('router capabilities', () => {
  const mimeTypes = ROUTER_RTP_CAPABILITIES.codecs.map(({ mimeType }) => mimeType);

  test('fit the protocol', () => {
    expect(() => parse(RtpCapabilities, ROUTER_RTP_CAPABILITIES)).not.toThrow();
  });

  test('prefer VP8, which works everywhere', () => {
    expect(mimeTypes.find((type) => type.startsWith('video/'))).toBe('video/VP8');
  });

  test('have a retransmission codec for each video codec', () => {
    const video = mimeTypes.filter((type) => type.startsWith('video/'));
    expect(video.filter((type) => type === 'video/rtx')).toHaveLength(video.length / 2);
  });

  test('carry what congestion control, rotation, levels and SVC need', () => {
    const uris = ROUTER_RTP_CAPABILITIES.headerExtensions?.map(({ uri }) => uri).join();
    for (const part of [
      'transport-wide-cc',
      'abs-send-time',
      'video-orientation',
      'audio-level',
      'dependency-descriptor',
    ]) {
      expect(uris).toContain(part);
    }
  });
});

test('a browser without any of our codecs shares none', () => {
  expect(sharesCodec({ codecs: [] })).toBe(false);
  expect(
    sharesCodec({ codecs: [{ kind: 'video', mimeType: 'video/theora', clockRate: 90_000 }] }),
  ).toBe(false);
  expect(
    sharesCodec({ codecs: [{ kind: 'audio', mimeType: 'audio/OPUS', clockRate: 48_000 }] }),
  ).toBe(true);
});
