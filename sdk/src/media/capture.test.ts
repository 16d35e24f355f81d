import { afterEach, describe, expect, it, vi } from 'vitest';
import { Capture, captureError } from './capture.ts';

afterEach(() => vi.unstubAllGlobals());

const failed = (name: string) => Object.assign(new Error(), { name });
type Wanted = { audio?: unknown; video?: unknown };

function stubPage(
  getUserMedia: (wanted: Wanted) => Promise<unknown>,
  page: object = {},
  secure = true,
) {
  const spy = vi.fn(getUserMedia);
  vi.stubGlobal('isSecureContext', secure);
  vi.stubGlobal('document', page);
  vi.stubGlobal('navigator', { mediaDevices: { getUserMedia: spy } });
  return spy;
}

const stream = ({ audio, video }: Wanted) => {
  const tracks = [audio && { kind: 'audio' }, video && { kind: 'video' }].filter(Boolean);
  const of = (kind: string) => tracks.filter((track) => (track as { kind: string }).kind === kind);
  return {
    getTracks: () => tracks,
    getAudioTracks: () => of('audio'),
    getVideoTracks: () => of('video'),
  };
};
const openBoth = (capture = new Capture()) =>
  Promise.allSettled([capture.open('audio', {}), capture.open('video', {})]);

describe('Capture', () => {
  it('asks once for camera and microphone wanted at the same time', async () => {
    const spy = stubPage(async (wanted) => stream(wanted));
    const results = await openBoth();
    expect(results).toMatchObject([{ value: { kind: 'audio' } }, { value: { kind: 'video' } }]);
    expect(spy).toHaveBeenCalledOnce();
  });

  it('gives the microphone where there is no camera', async () => {
    stubPage(async (wanted) => {
      if (wanted.video) throw failed('NotFoundError');
      return stream(wanted);
    });
    const results = await openBoth();
    expect(results).toMatchObject([
      { status: 'fulfilled' },
      { reason: { code: 'device-not-found' } },
    ]);
  });

  it('does not pester a person who said no', async () => {
    const spy = stubPage(async () => {
      throw failed('NotAllowedError');
    });
    const results = await openBoth();
    expect(results.map((result) => result.status === 'rejected' && result.reason.code)).toEqual([
      'permission-denied',
      'permission-denied',
    ]);
    expect(spy).toHaveBeenCalledOnce();
  });

  it('names a page that is not secure, and a frame that may not', async () => {
    stubPage(async (wanted) => stream(wanted), {}, false);
    await expect(new Capture().open('audio', {})).rejects.toMatchObject({
      code: 'insecure-context',
    });
    stubPage(async (wanted) => stream(wanted), {
      featurePolicy: { allowsFeature: (feature: string) => feature === 'microphone' },
    });
    await expect(new Capture().open('video', {})).rejects.toMatchObject({
      code: 'permissions-policy',
    });
    await expect(new Capture().open('audio', {})).resolves.toMatchObject({ kind: 'audio' });
  });
});

describe('captureError', () => {
  it.each([
    ['NotAllowedError', 'permission-denied'],
    ['SecurityError', 'permission-denied'],
    ['NotFoundError', 'device-not-found'],
    ['OverconstrainedError', 'device-not-found'],
    ['NotReadableError', 'device-in-use'],
    ['AbortError', 'device-in-use'],
    ['TypeError', 'internal'],
  ])('%s is %s', (name, code) => {
    expect(captureError(failed(name)).code).toBe(code);
  });
});
