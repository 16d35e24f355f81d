import fc from 'fast-check';
import { expect, test } from 'vitest';
import { asksForKeyFrame, isRtcp, readRtp, writeRtp } from './rtp.ts';

const packets = fc.record({
  // 64 to 95 with the marker bit set would read as RTCP, so nobody uses them (RFC 5761).
  payloadType: fc.integer({ min: 96, max: 127 }),
  sequenceNumber: fc.integer({ min: 0, max: 0xffff }),
  timestamp: fc.integer({ min: 0, max: 0xffffffff }),
  ssrc: fc.integer({ min: 0, max: 0xffffffff }),
  payload: fc.uint8Array({ maxLength: 1200 }).map((bytes) => Buffer.from(bytes)),
});

test('a packet that is written is read back', () => {
  fc.assert(
    fc.property(packets, (packet) => {
      expect(readRtp(writeRtp(packet))).toEqual(packet);
    }),
  );
});

test('an extension and contributing sources are skipped', () => {
  const plain = writeRtp({
    payloadType: 100,
    sequenceNumber: 1,
    timestamp: 2,
    ssrc: 3,
    payload: Buffer.from('x'),
  });
  const packet = Buffer.concat([
    plain.subarray(0, 12),
    Buffer.from([0, 0, 0, 9]),
    Buffer.from([0xbe, 0xde, 0, 1, 0x10, 0x55, 0, 0]),
    plain.subarray(12),
  ]);
  packet[0] = 0x80 | 0x10 | 1;
  expect(readRtp(packet)?.payload.toString()).toBe('x');
});

test('RTCP and random bytes are no RTP packet and no exception', () => {
  expect(isRtcp(Buffer.from([0x80, 200, 0, 6]))).toBe(true);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => void readRtp(Buffer.from(bytes))),
  );
});

test('a key frame is asked for by PLI and FIR, also behind a report, and by nothing else', () => {
  const rtcp = (format: number, type: number, words: number) => {
    const packet = Buffer.alloc(4 * (words + 1));
    packet[0] = 0x80 | format;
    packet[1] = type;
    packet.writeUInt16BE(words, 2);
    return packet;
  };
  const report = rtcp(1, 201, 7);
  const [pli, fir, remb, nack] = [
    rtcp(1, 206, 2),
    rtcp(4, 206, 4),
    rtcp(15, 206, 5),
    rtcp(1, 205, 3),
  ];
  expect([pli, fir, Buffer.concat([report, pli])].map(asksForKeyFrame)).toEqual([true, true, true]);
  expect([report, remb, nack].map(asksForKeyFrame)).toEqual([false, false, false]);
});
