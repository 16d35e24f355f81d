import { randomBytes, randomUUID } from 'node:crypto';
import { deflateRawSync } from 'node:zlib';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { pack, unpack } from './packing.ts';

/** The text of a visit of so many, with ids as random as they are. */
const visitOf = (people: number): string =>
  JSON.stringify({
    tenant: 'clinic',
    visit: randomUUID(),
    kind: 'visit',
    state: 'active',
    seq: 24,
    createdAt: 1_795_503_420_054,
    participants: Array.from({ length: people }, () => ({
      role: 'patient',
      grants: ['publish-audio', 'publish-video', 'chat', 'publish-screen'],
      name: 'A Name of Some Length',
      id: randomUUID(),
      state: 'admitted',
      connection: 'connected',
      place: 'main',
      session: randomBytes(32).toString('base64url'),
      endpoint: {
        peer: randomUUID(),
        request: 'request-1',
        producers: [
          {
            id: randomUUID(),
            kind: 'audio',
            source: 'microphone',
            paused: true,
            request: 'request-2',
          },
          {
            id: randomUUID(),
            kind: 'video',
            source: 'camera',
            paused: false,
            request: 'request-3',
          },
        ],
      },
      joinedAt: 1_795_503_420_055,
    })),
  });

test('what is unpacked is what was packed', () => {
  fc.assert(
    fc.property(fc.json({ stringUnit: 'grapheme' }), (text) => unpack(pack(text)) === text),
  );
  for (const people of [0, 1, 4, 64, 192]) {
    const text = visitOf(people);
    expect(unpack(pack(text))).toBe(text);
  }
});

test('a snapshot that a version before packed is read for ever: its form and dictionary do not change', () => {
  const packed = 'AUMqHqD5FVFIlCFshVXSiNAHlw+IggEtP8XqIGqm2FoA';
  expect(unpack(Buffer.from(packed, 'base64'))).toBe(
    '{"tenant":"clinic","visit":"v","kind":"consult","state":"open","seq":1,"participants":[],"barred":[]}',
  );
});

test('a snapshot from before there were forms is plain JSON, and is read', () => {
  fc.assert(
    fc.property(fc.json({ stringUnit: 'grapheme' }), (text) => unpack(Buffer.from(text)) === text),
  );
});

test('broken bytes are an error, a form of a later version is no JSON', () => {
  const packed = pack(visitOf(4));
  expect(() => unpack(packed.subarray(0, -1))).toThrow();
  expect(() => unpack(packed.subarray(0, 1))).toThrow();
  const later = Buffer.concat([Buffer.of(2), packed.subarray(1)]);
  expect(() => JSON.parse(unpack(later))).toThrow();
});

test('a visit of four takes less than a third of its text, a fifth less than without the dictionary', () => {
  const text = visitOf(4);
  const { length } = pack(text);
  expect(length).toBeLessThan(text.length / 3);
  expect(length).toBeLessThan(0.8 * deflateRawSync(text).length);
});
