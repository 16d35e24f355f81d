/** What a page may send as far as the protocol goes, and mediasoup and its worker have to stand. */
import { BedsideError, type DtlsParameters, type RtpParameters } from '@bedside/protocol';
import * as fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import {
  closeAll,
  flow,
  metric,
  newPeer,
  newProducer,
  newVisit,
  rtpCapabilities,
  rtpParametersOf,
  startNode,
  TestGateway,
} from './testing.ts';

afterEach(closeAll);

const mimeTypes = rtpCapabilities.codecs.map(({ mimeType }) => mimeType);
const extensions = rtpCapabilities.headerExtensions?.map(({ uri }) => uri) ?? [];

/** Small, at an edge of some integer type, or anything. */
const uint = fc.oneof(
  fc.nat(300),
  fc.constantFrom(
    0,
    127,
    128,
    255,
    256,
    65_535,
    65_536,
    2 ** 31,
    2 ** 32 - 1,
    2 ** 32,
    2 ** 53 - 1,
  ),
  fc.maxSafeNat(),
);
const text = fc.oneof(
  fc.string({ maxLength: 256, unit: 'grapheme' }),
  fc.constantFrom('', '0', '1', 'r0', 'L3T3_KEY', 'L99T99', 'S1T1', '\0', '42e01f'),
);
const formatParameters = fc.dictionary(
  fc.oneof(
    fc.constantFrom('apt', 'profile-level-id', 'packetization-mode', 'profile-id', 'useinbandfec'),
    fc.string({ maxLength: 64 }),
  ),
  fc.oneof(text, fc.double({ noNaN: true, noDefaultInfinity: true }), uint, fc.boolean()),
  { maxKeys: 6 },
);
const rtcpFeedback = fc.array(
  fc.record({
    type: fc.oneof(fc.constantFrom('nack', 'ccm', 'transport-cc'), text),
    parameter: text,
  }),
  { maxLength: 4 },
);
const codec = {
  mimeType: fc.oneof({ weight: 5, arbitrary: fc.constantFrom(...mimeTypes) }, text),
  clockRate: fc.oneof({ weight: 5, arbitrary: fc.constantFrom(48_000, 90_000) }, uint),
  channels: fc.oneof(fc.constantFrom(1, 2), uint),
  parameters: formatParameters,
  rtcpFeedback,
};
const optional = { requiredKeys: [] };

const rtpParameters = fc.record(
  {
    mid: text,
    codecs: fc.array(
      fc.record(
        { ...codec, payloadType: fc.oneof(fc.integer({ min: 96, max: 127 }), uint) },
        { requiredKeys: ['mimeType', 'clockRate', 'payloadType'] },
      ),
      { minLength: 1, maxLength: 6 },
    ),
    headerExtensions: fc.array(
      fc.record(
        {
          uri: fc.oneof({ weight: 5, arbitrary: fc.constantFrom(...extensions) }, text),
          id: fc.oneof(fc.integer({ min: 1, max: 14 }), uint),
          encrypt: fc.boolean(),
          parameters: formatParameters,
        },
        { requiredKeys: ['uri', 'id'] },
      ),
      { maxLength: 6 },
    ),
    encodings: fc.array(
      fc.record(
        {
          ssrc: uint,
          rid: text,
          codecPayloadType: uint,
          rtx: fc.record({ ssrc: uint }),
          dtx: fc.boolean(),
          scalabilityMode: text,
          maxBitrate: uint,
        },
        optional,
      ),
      { maxLength: 8 },
    ),
    rtcp: fc.record({ cname: text, reducedSize: fc.boolean(), mux: fc.boolean() }, optional),
    msid: text,
  },
  { requiredKeys: ['codecs'] },
);

/** Sound but for some fields, so that it comes further than what is wrong all over. */
const nearlySound = fc
  .record({
    base: fc.constantFrom(...mimeTypes.filter((mimeType) => !mimeType.endsWith('/rtx'))),
    wrong: rtpParameters,
    fields: fc.subarray(['mid', 'headerExtensions', 'encodings', 'rtcp', 'msid'] as const, {
      minLength: 1,
      maxLength: 2,
    }),
  })
  .map(({ base, wrong, fields }) => ({
    ...rtpParametersOf(base),
    ...Object.fromEntries(fields.map((field) => [field, wrong[field]])),
  }));

const hostileCapabilities = fc.record(
  {
    codecs: fc
      .array(
        fc.record(
          {
            ...codec,
            kind: fc.constantFrom('audio' as const, 'video'),
            preferredPayloadType: uint,
          },
          { requiredKeys: ['kind', 'mimeType', 'clockRate'] },
        ),
        { maxLength: 6 },
      )
      .map((codecs) => [...codecs, ...rtpCapabilities.codecs]),
    headerExtensions: fc.array(
      fc.record({
        kind: fc.constantFrom('audio' as const, 'video' as const),
        uri: fc.oneof(fc.constantFrom(...extensions), text),
        preferredId: uint,
        direction: fc.constantFrom('sendrecv', 'recvonly', 'inactive'),
      }),
      { maxLength: 6 },
    ),
  },
  { requiredKeys: ['codecs'] },
);

const hostileDtls = fc.record(
  {
    role: fc.constantFrom('auto' as const, 'client' as const, 'server' as const),
    fingerprints: fc.array(
      fc.record({
        algorithm: fc.oneof(fc.constantFrom('sha-256', 'sha-1', 'sha-512', 'md5'), text),
        value: fc.oneof(text, fc.constant(Array(32).fill('AB').join(':'))),
      }),
      { minLength: 1, maxLength: 4 },
    ),
  },
  { requiredKeys: ['fingerprints'] },
);

/** JSON leaves out what is undefined, as the wire does. */
const onWire = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;

/** Fine, or an error that names who is at fault; never ours. */
async function blameless(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    expect(error).toBeInstanceOf(BedsideError);
    expect(['invalid-request', 'media-unsupported']).toContain((error as BedsideError).code);
  }
}

describe('whatever a page sends', () => {
  test('the worker goes on, and the error is the page\u2019s', { timeout: 120_000 }, async () => {
    const node = await startNode();
    const gateway = await TestGateway.link(node);
    const [pid] = node.workerPids;
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(rtpParameters, nearlySound),
        fc.constantFrom('audio' as const, 'video' as const),
        hostileCapabilities,
        hostileDtls,
        async (parameters, kind, capabilities, dtls) => {
          const scope = { visit: newVisit(), epoch: 1 };
          const peer = newPeer();
          const join = { ...scope, peer, rtpCapabilities, flows: [] };
          const { sendTransport } = await gateway.call('open-peer', join);
          const { transportId } = sendTransport;
          const dtlsParameters = onWire(dtls) as DtlsParameters;
          await blameless(
            gateway.call('connect-transport', { ...scope, peer, transportId, dtlsParameters }),
          );
          const producerId = newProducer();
          await blameless(
            gateway.call('produce', {
              ...scope,
              peer,
              producerId,
              kind,
              rtpParameters: onWire(parameters) as RtpParameters,
              paused: false,
              observed: true,
            }),
          );
          await blameless(
            gateway.call('open-peer', {
              ...join,
              peer: newPeer(),
              rtpCapabilities: onWire(capabilities) as typeof rtpCapabilities,
              flows: [flow(producerId)],
            }),
          );
          // A listener whose browser is sound.
          await gateway.call('open-peer', { ...join, peer: newPeer(), flows: [flow(producerId)] });
          await gateway.call('close-visit', scope);
        },
      ),
      { numRuns: Number(process.env.RUNS ?? 300) },
    );
    expect(node.workerPids).toEqual([pid]);
    expect(await metric(node, 'bedside_node_routers')).toBe(0);
    expect(await metric(node, 'bedside_node_worker_deaths_total')).toBe(0);
  });
});
