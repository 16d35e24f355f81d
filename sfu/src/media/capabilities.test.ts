import type { RtpCapabilities } from '@bedside/protocol';
import { expect, test } from 'vitest';
import { CapabilitySets } from './capabilities.ts';
import { ROUTER_RTP_CAPABILITIES } from './codecs.ts';

/** A browser's answer, parsed from its own message. */
const received = (payloadType = 0): RtpCapabilities => {
  const capabilities = structuredClone(ROUTER_RTP_CAPABILITIES);
  const [first] = capabilities.codecs;
  if (payloadType && first) first.preferredPayloadType = payloadType;
  return capabilities;
};

test('peers that can receive the same share one set', () => {
  const sets = new CapabilitySets();
  expect(sets.checked(received())).toBe(sets.checked(received()));
  expect(sets.checked(received(99))).not.toBe(sets.checked(received()));
});

test('the caller\u2019s own object is neither kept nor changed', () => {
  const own = received();
  const before = structuredClone(own);
  expect(new CapabilitySets().checked(own)).not.toBe(own);
  expect(own).toEqual(before);
});

test('however many different sets come, few are kept', () => {
  const sets = new CapabilitySets();
  const first = sets.checked({ ...received(), page: 'first' } as RtpCapabilities);
  for (let page = 0; page < 64; page += 1)
    sets.checked({ ...received(), page } as unknown as RtpCapabilities);
  expect(sets.checked({ ...received(), page: 'first' } as RtpCapabilities)).not.toBe(first);
});

test('a set that is refused is refused again', () => {
  const sets = new CapabilitySets();
  for (let time = 0; time < 2; time += 1) {
    expect(() => sets.checked({ codecs: [] })).toThrow(
      expect.objectContaining({ code: 'media-unsupported' }),
    );
    expect(() =>
      sets.checked({ codecs: [{ kind: 'video', mimeType: 'no type', clockRate: 90_000 }] }),
    ).toThrow(expect.objectContaining({ code: 'invalid-request', field: 'rtpCapabilities' }));
  }
});
