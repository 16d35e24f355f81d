import { createRequire } from 'node:module';
import { runInThisContext } from 'node:vm';
import { build } from 'esbuild';
import { ortc, parseScalabilityMode } from 'mediasoup-client';
import { describe, expect, test } from 'vitest';
import { grammarInUse, lighten, toModule, withoutMethods } from './lighten.ts';

const require = createRequire(import.meta.url);

const CAPABILITIES = {
  codecs: [
    {
      kind: 'audio',
      mimeType: 'audio/opus',
      clockRate: 48_000,
      channels: 2,
      preferredPayloadType: 100,
    },
    {
      kind: 'video',
      mimeType: 'video/H264',
      clockRate: 90_000,
      preferredPayloadType: 101,
      parameters: { 'packetization-mode': 1, 'profile-level-id': '42e01f' },
    },
  ],
  headerExtensions: [],
} as never;

describe('a module made of a CommonJS file', () => {
  test('does what the file did', async () => {
    const contents = `
      export * as ortc from 'mediasoup-client/lib/ortc.js';
      export { parse } from 'mediasoup-client/lib/scalabilityModes.js';`;
    const { outputFiles } = await build({
      stdin: { contents, resolveDir: import.meta.dirname },
      alias: { 'mediasoup-client/lib': dirnameOf('mediasoup-client') },
      bundle: true,
      write: false,
      format: 'iife',
      globalName: 'made',
      define: { structuredClone: 'undefined' },
      plugins: [lighten],
    });
    const [output] = outputFiles;
    const made = runInThisContext(`${output?.text}; made`);
    expect(Object.keys(made.ortc).sort()).toEqual(Object.keys(ortc).sort());
    const extended = (one: typeof ortc) =>
      JSON.stringify(one.getExtendedRtpCapabilities(CAPABILITIES, CAPABILITIES, false));
    expect(extended(made.ortc)).toBe(extended(ortc));
    expect(made.parse('L3T2_KEY')).toMatchObject({ ...parseScalabilityMode('L3T2_KEY') });
  });

  test('is refused where the file is written in another way', () => {
    expect(() => toModule('exports.one = two;', 'some.js')).toThrow('some.js is no module yet');
    expect(() => toModule("use(require('other'));", 'some.js')).toThrow('some.js is no module yet');
  });
});

const dirnameOf = (name: string): string => require.resolve(name).replace(/\/[^/]+$/, '');

test('methods are left out by name, and no others', () => {
  const source = [
    'class One {',
    '    async kept() {\n        if (true) {\n        }\n    }',
    '    async gone({ a, }) {\n        if (a) {\n        }\n    }',
    '    other() {\n        this.gone({});\n    }',
    '}',
  ];
  expect(withoutMethods(source.join('\n'), ['gone'])).toBe(source.toSpliced(2, 1).join('\n'));
});

describe('the grammar in use', () => {
  const SDP = `v=0
o=- 4327261771880257373 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0
a=extmap-allow-mixed
a=msid-semantic: WMS x
m=video 9 UDP/TLS/RTP/SAVPF 96 97
c=IN IP4 0.0.0.0
b=AS:4000
a=rtcp:9 IN IP4 0.0.0.0
a=candidate:1 1 udp 2113937151 192.0.2.1 50000 typ host generation 0 network-cost 999
a=ice-ufrag:abcd
a=ice-pwd:0123456789abcdef
a=ice-options:trickle
a=fingerprint:sha-256 00:11:22
a=setup:actpass
a=mid:0
a=extmap:1 urn:ietf:params:rtp-hdrext:toffset
a=sendonly
a=msid:stream track
a=rtcp-mux
a=rtcp-rsize
a=rtpmap:96 VP8/90000
a=rtcp-fb:96 nack pli
a=rtcp-fb:96 trr-int 100
a=rtpmap:97 rtx/90000
a=fmtp:97 apt=96
a=framerate:29.97
a=keywds:one
a=rid:r0 send
a=rid:r1 send
a=ssrc-group:FID 1 2
a=ssrc:1 cname:name
a=ssrc:2 cname:name
a=simulcast:send r0;r1
a=x-of-tomorrow:yes
`.replaceAll('\n', '\r\n');
  const made = { exports: {} };
  runInThisContext(`(module) => { ${grammarInUse()} }`)(made);
  const write = (session: object, options: object): string =>
    require('sdp-transform').write(session, options);

  /** Parsed by these rules in place of the package's own, and written again. */
  function roundTrip(rules: object): { session: { media: object[] }; lines: string[] } {
    const grammar = require('sdp-transform/lib/grammar');
    const own = { ...grammar };
    Object.assign(grammar, rules);
    try {
      const session = require('sdp-transform').parse(SDP);
      return { session, lines: write(session, {}).split('\r\n').sort() };
    } finally {
      Object.assign(grammar, own);
    }
  }

  test('is smaller', () => {
    const all: unknown[] = require('sdp-transform/lib/grammar').a;
    const { a: some } = made.exports as { a: unknown[] };
    expect(some.length).toBeLessThan(all.length * 0.7);
  });

  test('loses no line, and reads those that a handler asks for as before', () => {
    const before = roundTrip({});
    const after = roundTrip(made.exports);
    expect(after.lines).toEqual(before.lines);
    expect(after.lines).toEqual(SDP.split('\r\n').sort());
    const [one, other] = [before.session.media[0] ?? {}, after.session.media[0]];
    for (const [name, value] of Object.entries(one))
      if (!['framerate', 'keywords', 'invalid'].includes(name))
        expect(other).toHaveProperty(name, value);
  });
});
