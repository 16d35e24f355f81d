/** The codec set with real encoders and decoders: Chromium at both ends of a node. */
import { createRequire } from 'node:module';
import type {
  ControlCommandName,
  ControlRequest,
  ControlResponse,
  RtpCapabilities,
} from '@bedside/protocol';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { launchChromium } from '../../scripts/lib/chromium.mjs';
import {
  closeAll,
  flow,
  newPeer,
  newProducer,
  newVisit,
  open,
  rtpCapabilities,
  startNode,
  TestGateway,
} from './testing.ts';

/** What the test's page has in its global scope. */
interface PageScope {
  mediasoupClient: typeof import('mediasoup-client');
  control(name: string, request: object): Promise<ControlResponse<'open-peer'>>;
  producer: import('mediasoup-client').types.Producer;
  video: HTMLVideoElement;
}
type ProducerOptions = import('mediasoup-client').types.ProducerOptions;

let browser: Browser;
let bundle: string;

beforeAll(async () => {
  // The SDK's tools: a page has to speak with a node as the SDK does.
  const sdk = createRequire(new URL('../../sdk/package.json', import.meta.url));
  const { build } = (await import(sdk.resolve('esbuild'))) as typeof import('esbuild');
  const { outputFiles } = await build({
    entryPoints: [sdk.resolve('mediasoup-client')],
    bundle: true,
    platform: 'browser',
    globalName: 'mediasoupClient',
    write: false,
    logLevel: 'error',
  });
  bundle = outputFiles[0]?.text ?? '';
  browser = await launchChromium();
});
afterAll(() => browser?.close());
afterEach(closeAll);

/** A page that is both a sender and a listener of one visit. */
async function openPage() {
  const gateway = await TestGateway.link(await startNode());
  const scope = { visit: newVisit(), epoch: 1 };
  const context = await browser.newContext();
  open.push(() => context.close());
  const page = await context.newPage();
  // A secure context, as cameras need.
  await page.route('http://localhost/', (route) =>
    route.fulfill({ contentType: 'text/html', body: '<!doctype html><title>visit</title>' }),
  );
  await page.goto('http://localhost/');
  await page.addScriptTag({ content: bundle });
  await page.exposeFunction(
    'control',
    <Name extends ControlCommandName>(name: Name, request: object) =>
      gateway.call(name, { ...scope, ...request } as ControlRequest<Name>),
  );
  return { page, gateway, scope };
}

/** Sends the page's camera or microphone; resolves with the RTP parameters that were agreed. */
function send(
  page: Page,
  kind: 'audio' | 'video',
  options: Omit<ProducerOptions, 'codec'> & { mimeType: string },
) {
  const producerId = newProducer();
  const peer = newPeer();
  return page.evaluate(
    async ({ rtpCapabilities, peer, producerId, kind, options: { mimeType, ...options } }) => {
      const scope = globalThis as unknown as PageScope;
      const { control } = scope;
      const device = new scope.mediasoupClient.Device();
      await device.load({ routerRtpCapabilities: rtpCapabilities as never });
      const { sendTransport } = await control('open-peer', { peer, rtpCapabilities, flows: [] });
      const { transportId, ...parameters } = sendTransport;
      const transport = device.createSendTransport({ id: transportId, ...parameters } as never);
      transport.on('connect', ({ dtlsParameters }, done, failed) => {
        control('connect-transport', { peer, transportId, dtlsParameters }).then(done, failed);
      });
      transport.on('produce', ({ kind, rtpParameters }, done, failed) => {
        const producer = { producerId, kind, rtpParameters, paused: false, observed: false };
        control('produce', { peer, ...producer }).then(() => done({ id: producerId }), failed);
      });
      const media = await navigator.mediaDevices.getUserMedia(
        kind === 'audio' ? { audio: true } : { video: { width: 640, height: 480 } },
      );
      const codec = device.sendRtpCapabilities.codecs?.find((one) => one.mimeType === mimeType);
      if (!codec) throw new Error(`this browser has no ${mimeType}`);
      scope.producer = await transport.produce({
        ...options,
        track: media.getTracks()[0] as MediaStreamTrack,
        codec,
      });
      return { producerId, rtpParameters: scope.producer.rtpParameters };
    },
    { rtpCapabilities, peer, producerId, kind, options },
  );
}

/** Only this codec, with its retransmissions. */
function only(mimeType: string, { codecs, headerExtensions }: RtpCapabilities): RtpCapabilities {
  const media = codecs.filter((codec) => codec.mimeType === mimeType);
  const types = media.map(({ preferredPayloadType }) => preferredPayloadType);
  const rtx = codecs.filter(({ parameters }) => types.includes(Number(parameters?.apt)));
  return { codecs: [...media, ...rtx], ...(headerExtensions ? { headerExtensions } : {}) };
}

/** Joins as somebody who decodes this codec alone, and plays the flow. */
async function watch(page: Page, mimeType: string, flows: ReturnType<typeof flow>[]) {
  const peer = newPeer();
  await page.evaluate(
    async ({ rtpCapabilities, capable, peer, flows }) => {
      const scope = globalThis as unknown as PageScope;
      const { control } = scope;
      const device = new scope.mediasoupClient.Device();
      await device.load({ routerRtpCapabilities: rtpCapabilities as never });
      const opened = await control('open-peer', { peer, rtpCapabilities: capable, flows });
      const { transportId, ...parameters } = opened.recvTransport;
      const transport = device.createRecvTransport({ id: transportId, ...parameters } as never);
      transport.on('connect', ({ dtlsParameters }, done, failed) => {
        control('connect-transport', { peer, transportId, dtlsParameters }).then(done, failed);
      });
      const [offered] = opened.consumers;
      if (!offered) throw new Error(`refused: ${JSON.stringify(opened.refused)}`);
      const { consumerId: id, ...consumer } = offered;
      const { track } = await transport.consume({ id, ...consumer } as never);
      scope.video = document.createElement('video');
      scope.video.muted = true;
      scope.video.srcObject = new MediaStream([track]);
      await scope.video.play();
    },
    { rtpCapabilities, capable: only(mimeType, rtpCapabilities), peer, flows },
  );
  return peer;
}

/** Resolves once a decoded frame of this width is shown. */
const showsWidth = (page: Page, width: number) =>
  page.waitForFunction(
    (width) => {
      const { video } = globalThis as unknown as PageScope;
      return video.videoWidth === width && video.getVideoPlaybackQuality().totalVideoFrames > 5;
    },
    width,
    { timeout: 30_000 },
  );

type Options = Omit<ProducerOptions, 'codec'>;
/** Low bitrates: the upper layer need not wait for an estimate of the bandwidth. */
const simulcast = [
  { scaleResolutionDownBy: 2, maxBitrate: 100_000 },
  { scaleResolutionDownBy: 1, maxBitrate: 200_000 },
];
const svc = [{ scalabilityMode: 'L2T3_KEY' }];
const temporal = [{ scalabilityMode: 'L1T3' }];

describe('video', () => {
  test.each<[string, Options, number]>([
    ['video/VP8', { encodings: simulcast }, 320],
    ['video/H264', {}, 640],
    ['video/VP9', { encodings: svc }, 320],
    ['video/AV1', { encodings: temporal }, 640],
  ])(
    '%s is seen by who decodes it alone, in the layers that the plan allows',
    async (mimeType, options, lowest) => {
      const { page, gateway, scope } = await openPage();
      const { producerId } = await send(page, 'video', { ...options, mimeType });
      const peer = await watch(page, mimeType, [flow(producerId, { maxSpatialLayer: 0 })]);
      await showsWidth(page, lowest);
      const listeners = [{ peer, flows: [flow(producerId)] }];
      await gateway.call('apply-plan', { ...scope, listeners });
      await showsWidth(page, 640);
    },
  );
});

describe('what is negotiated', () => {
  test('video has retransmissions, feedback, and the extensions of congestion control, rotation and layers', async () => {
    const { page } = await openPage();
    const { rtpParameters } = await send(page, 'video', { encodings: svc, mimeType: 'video/VP9' });
    const [media, rtx] = rtpParameters.codecs;
    expect(rtx?.mimeType).toBe('video/rtx');
    const feedback = media?.rtcpFeedback?.map(({ type, parameter }) =>
      `${type} ${parameter}`.trim(),
    );
    expect(feedback).toEqual(expect.arrayContaining(['nack', 'nack pli', 'transport-cc']));
    const uris = rtpParameters.headerExtensions?.map(({ uri }) => uri).join();
    for (const part of [
      'transport-wide-cc',
      'abs-send-time',
      'video-orientation',
      'dependency-descriptor',
    ]) {
      expect(uris).toContain(part);
    }
  });

  test('speech is Opus in mono with error correction, and next to nothing in silence', async () => {
    const { page } = await openPage();
    const { rtpParameters } = await send(page, 'audio', { mimeType: 'audio/opus' });
    expect(rtpParameters.headerExtensions?.map(({ uri }) => uri).join()).toContain('audio-level');
    const format = await page.evaluate(async () => {
      const { producer } = globalThis as unknown as PageScope;
      const stats = [...(await producer.getStats()).values()];
      return stats.find(({ type }) => type === 'codec')?.sdpFmtpLine as string;
    });
    expect(format.split(';').sort()).toEqual([
      'sprop-stereo=0',
      'stereo=0',
      'usedtx=1',
      'useinbandfec=1',
    ]);
  });
});
