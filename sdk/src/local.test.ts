import {
  BedsideError,
  type Grant,
  type MediaSource,
  type ParticipantView,
  type ProducerId,
} from '@bedside/protocol';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { LocalMedia } from './local.ts';
import type { MediaPath, Sender } from './media/path.ts';
import type { ExamCameraOptions } from './types.ts';

class FakeTrack {
  enabled = true;
  readyState: MediaStreamTrackState = 'live';
  onended: (() => void) | null = null;
  contentHint = '';
  readonly deviceId: string;
  constructor(deviceId = 'default') {
    this.deviceId = deviceId;
  }
  stop(): void {
    this.readyState = 'ended';
  }
  getSettings() {
    return { deviceId: this.deviceId };
  }
}

/** A prompt of the browser that the person has not answered yet. */
interface Prompt {
  asked: { video?: { deviceId?: { exact: string } } };
  allow(...tracks: FakeTrack[]): void;
  deny(name?: string): void;
}

let prompts: Prompt[] = [];
let cameras: string[] = [];
const ask = (asked: Prompt['asked']) =>
  new Promise((resolve, reject) => {
    prompts.push({
      asked,
      allow: (first, second) =>
        resolve({
          getTracks: () => [first],
          getVideoTracks: () => [first],
          getAudioTracks: () => (second ? [second] : []),
        }),
      deny: (name = 'NotAllowedError') => reject(Object.assign(new Error(), { name })),
    });
  });

beforeEach(() => {
  prompts = [];
  cameras = ['face', 'scope'];
  vi.stubGlobal('isSecureContext', true);
  vi.stubGlobal('document', {});
  const enumerateDevices = async () =>
    cameras.map((deviceId) => ({ kind: 'videoinput', deviceId }));
  vi.stubGlobal('navigator', {
    mediaDevices: { getUserMedia: ask, getDisplayMedia: ask, enumerateDevices },
  });
});
afterEach(() => vi.unstubAllGlobals());

/** The next prompt, once it is there. */
async function prompt(): Promise<Prompt> {
  await vi.waitUntil(() => prompts.length > 0, { interval: 1 });
  return prompts.shift() as Prompt;
}
/** All that can happen without an answer from outside has happened. */
const settled = () => new Promise((resolve) => setTimeout(resolve, 5));

/** A path whose gateway answers a pause only when `answer` is called, where `isSlow`. */
function fakePath() {
  const path = {
    published: [] as {
      source: MediaSource;
      id: ProducerId;
      track: unknown;
      closed: boolean;
      motion: boolean;
    }[],
    /** By producer, what the gateway was told last. */
    paused: new Map<ProducerId, boolean>(),
    isSlow: false,
    isAway: false,
    answers: [] as (() => void)[],
    /** By their id alone, as nothing here sends them. */
    strays: [] as ProducerId[],
    closeProducer: async (id: ProducerId) => {
      path.strays.push(id);
    },
    publish(source: MediaSource, track: unknown, paused: boolean): Sender {
      const id = `p${path.published.length}` as ProducerId;
      const entry = { source, id, track, closed: false, motion: false };
      const away = path.isAway;
      path.published.push(entry);
      path.paused.set(id, paused);
      return {
        published: away ? Promise.reject(new BedsideError('deadline')) : Promise.resolve(id),
        producerId: away ? undefined : id,
        replaceTrack: async (next) => {
          entry.track = next;
        },
        setPaused: async (value) => {
          if (path.isSlow) await new Promise<void>((resolve) => path.answers.push(resolve));
          path.paused.set(id, value);
        },
        favourMotion: async (motion) => {
          entry.motion = motion;
        },
        close: () => {
          entry.closed = true;
        },
      };
    },
  };
  return path;
}

const GRANTS: Grant[] = ['publish-audio', 'publish-video', 'publish-screen', 'publish-exam'];

function setUp() {
  const failed = vi.fn();
  const outOfStep = vi.fn();
  const muted = vi.fn();
  const local = new LocalMedia(
    { url: '' },
    { changed: () => {}, published: () => {}, unpublished: () => {}, failed, muted, outOfStep },
  );
  const path = fakePath();
  local.welcome(GRANTS);
  local.attachPath(path as unknown as MediaPath);
  return { local, path, failed, muted, outOfStep };
}

async function withTrack(source: 'camera' | 'microphone') {
  const all = setUp();
  const enabled =
    source === 'camera' ? all.local.setCameraEnabled(true) : all.local.setMicrophoneEnabled(true);
  const track = new FakeTrack();
  (await prompt()).allow(track);
  await enabled;
  return { ...all, track };
}

const viewOf = (...producers: [string, MediaSource, boolean][]) =>
  ({
    producers: producers.map(([producerId, source, paused]) => ({ producerId, source, paused })),
  }) as unknown as ParticipantView;

describe('the last wish wins', () => {
  it('a muted microphone stays silent while older calls are still answered', async () => {
    const { local, path, track } = await withTrack('microphone');
    path.isSlow = true;
    const calls = [false, true, false].map((on) => local.setMicrophoneEnabled(on));
    const heard: boolean[] = [];
    for (let left = calls.length; left > 0; left -= 1) {
      await vi.waitUntil(() => path.answers.length > 0, { interval: 1 });
      heard.push(track.enabled, local.isMicrophoneEnabled);
      path.answers.shift()?.();
    }
    await Promise.all(calls);
    expect(heard).toEqual([false, false, false, false, false, false]);
    expect(track.enabled).toBe(false);
    expect(path.paused.get('p0' as ProducerId)).toBe(true);
    expect(local.tracks.get('microphone')?.muted).toBe(true);
  });

  it('unmuting counts at once too, and reaches the gateway', async () => {
    const { local, path, track } = await withTrack('microphone');
    await local.setMicrophoneEnabled(false);
    const unmuted = local.setMicrophoneEnabled(true);
    expect([track.enabled, local.isMicrophoneEnabled]).toEqual([true, true]);
    await unmuted;
    expect(path.paused.get('p0' as ProducerId)).toBe(false);
  });

  it('a microphone muted during the prompt is not opened', async () => {
    const { local, path } = setUp();
    const on = local.setMicrophoneEnabled(true);
    const open = await prompt();
    const off = local.setMicrophoneEnabled(false);
    const track = new FakeTrack();
    open.allow(track);
    await Promise.all([on, off]);
    expect(track.readyState).toBe('ended');
    expect(path.published).toEqual([]);
  });

  it('a camera goes dark at once, and a later wish opens it again', async () => {
    const { local, path, track } = await withTrack('camera');
    path.isSlow = true;
    const off = local.setCameraEnabled(false);
    expect([track.readyState, local.isCameraEnabled]).toEqual(['ended', false]);
    await vi.waitUntil(() => path.answers.length > 0, { interval: 1 });
    expect(path.published[0]?.track).toBeNull();
    path.isSlow = false;
    path.answers.shift()?.();
    await off;
    const on = local.setCameraEnabled(true);
    const again = new FakeTrack();
    (await prompt()).allow(again);
    await on;
    expect(path.published.map((entry) => entry.track)).toEqual([again]);
    expect(local.isCameraEnabled).toBe(true);
  });

  it('a refusal takes back its own wish, not a later one', async () => {
    const { local } = setUp();
    const calls = [true, true].map((on) => local.setMicrophoneEnabled(on));
    const results = Promise.allSettled(calls);
    (await prompt()).deny();
    (await prompt()).allow(new FakeTrack());
    expect((await results).map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
    expect(local.isMicrophoneEnabled).toBe(true);
    local.release();
    const alone = local.setMicrophoneEnabled(true);
    (await prompt()).deny();
    await expect(alone).rejects.toMatchObject({ code: 'permission-denied' });
    local.devicesChanged([]);
    await settled();
    expect(prompts).toEqual([]);
  });

  it('a screen share called off while the person chooses does not begin', async () => {
    const { local, path } = setUp();
    const started = local.setScreenShareEnabled(true);
    const chooser = await prompt();
    await local.setScreenShareEnabled(false);
    const [video, audio] = [new FakeTrack(), new FakeTrack()];
    chooser.allow(video, audio);
    await started;
    expect([video.readyState, audio.readyState]).toEqual(['ended', 'ended']);
    expect([local.isScreenShareEnabled, path.published]).toEqual([false, []]);
  });
});

describe('after release() nothing is captured', () => {
  it.each(['camera', 'microphone'] as const)('a %s that was being opened', async (source) => {
    const { local } = setUp();
    const enabled =
      source === 'camera' ? local.setCameraEnabled(true) : local.setMicrophoneEnabled(true);
    const open = await prompt();
    local.release();
    const track = new FakeTrack();
    open.allow(track);
    await enabled;
    expect(track.readyState).toBe('ended');
    expect([local.isCameraEnabled, local.isMicrophoneEnabled]).toEqual([false, false]);
    expect(local.tracks.size).toBe(0);
  });

  it('a screen that was being chosen', async () => {
    const { local } = setUp();
    const started = local.setScreenShareEnabled(true);
    const chooser = await prompt();
    local.release();
    const [video, audio] = [new FakeTrack(), new FakeTrack()];
    chooser.allow(video, audio);
    await started;
    expect([video.readyState, audio.readyState]).toEqual(['ended', 'ended']);
    expect(local.isScreenShareEnabled).toBe(false);
  });

  it('a device that was being changed to', async () => {
    const { local, track } = await withTrack('microphone');
    const switched = local.switchDevice('audioinput', 'other');
    const open = await prompt();
    local.release();
    const other = new FakeTrack('other');
    open.allow(other);
    await switched;
    expect([track.readyState, other.readyState]).toEqual(['ended', 'ended']);
  });

  it('a device that was being opened in place of one unplugged', async () => {
    const { local, track, failed } = await withTrack('camera');
    track.stop();
    track.onended?.();
    const open = await prompt();
    local.release();
    const other = new FakeTrack('other');
    open.allow(other);
    await settled();
    expect(other.readyState).toBe('ended');
    expect(local.isCameraEnabled).toBe(false);
    expect(failed).not.toHaveBeenCalled();
  });
});

describe('devices that go and come', () => {
  it('a camera that is lost is on again when a device comes', async () => {
    const { local, track, failed } = await withTrack('camera');
    track.stop();
    track.onended?.();
    (await prompt()).deny();
    await vi.waitUntil(() => failed.mock.calls.length > 0, { interval: 1 });
    expect(local.isCameraEnabled).toBe(false);
    local.devicesChanged([]);
    const other = new FakeTrack('other');
    (await prompt()).allow(other);
    await vi.waitUntil(() => local.isCameraEnabled, { interval: 1 });
    expect(local.tracks.get('camera')?.track).toBe(other);
  });

  it('a muted microphone stays muted on another device', async () => {
    const { local } = await withTrack('microphone');
    await local.setMicrophoneEnabled(false);
    const switched = local.switchDevice('audioinput', 'other');
    const other = new FakeTrack('other');
    (await prompt()).allow(other);
    await switched;
    expect([other.readyState, other.enabled]).toEqual(['live', false]);
  });
});

describe('reconcile', () => {
  it('publishes what could not be published while the gateway was away', async () => {
    const { local, path, outOfStep } = setUp();
    path.isAway = true;
    const camera = local.setCameraEnabled(true);
    (await prompt()).allow(new FakeTrack());
    await camera;
    const screen = local.setScreenShareEnabled(true);
    (await prompt()).allow(new FakeTrack());
    await screen;
    expect(outOfStep).toHaveBeenCalledTimes(2);
    path.isAway = false;
    local.reconcile(viewOf(), local.producerIds);
    await settled();
    expect(path.published.slice(2).map(({ source }) => source)).toEqual(['camera', 'screen']);
    expect(local.producerIds).toEqual(new Set(['p2', 'p3']));
  });

  it('publishes again what the gateway has lost, and only that', async () => {
    const { local, path, track } = await withTrack('camera');
    const screen = local.setScreenShareEnabled(true);
    (await prompt()).allow(new FakeTrack());
    await screen;
    local.reconcile(viewOf(['p1', 'screen', false]), local.producerIds);
    await settled();
    expect(path.published).toMatchObject([
      { source: 'camera', closed: true },
      { source: 'screen', closed: false },
      { source: 'camera', closed: false, track },
    ]);
  });

  it('closes a producer whose answer was lost before it publishes anew', async () => {
    const { local, path } = await withTrack('camera');
    local.reconcile(viewOf(['late', 'camera', false], ['old', 'screen', false]), local.producerIds);
    await settled();
    expect(path.strays).toEqual(['late', 'old']);
    expect(path.published).toMatchObject([{ closed: true }, { source: 'camera', closed: false }]);
  });

  it('leaves alone what was published after the view was asked for', async () => {
    const { local, path } = await withTrack('camera');
    local.reconcile(viewOf(), new Set());
    await settled();
    expect(path.published).toMatchObject([{ closed: false }]);
  });

  it('repeats a mute that the gateway did not hear', async () => {
    const { local, path } = await withTrack('microphone');
    await local.setMicrophoneEnabled(false);
    path.paused.set('p0' as ProducerId, false);
    local.reconcile(viewOf(['p0', 'microphone', false]), local.producerIds);
    await settled();
    expect(path.paused.get('p0' as ProducerId)).toBe(true);
  });
});

describe('a microphone that somebody else mutes', () => {
  const says = (paused: boolean) => viewOf(['p0', 'microphone', paused]);

  it('is muted here as by its own page, and is unmuted by its own page alone', async () => {
    const { local, path, track, muted } = await withTrack('microphone');
    local.apply(says(false));
    local.apply(says(true));
    expect([track.enabled, local.isMicrophoneEnabled]).toEqual([false, false]);
    expect(local.tracks.get('microphone')?.muted).toBe(true);
    expect(muted).toHaveBeenCalledOnce();
    await settled();
    expect(path.paused.get('p0' as ProducerId)).toBe(true);
    local.apply(says(false));
    expect(local.isMicrophoneEnabled).toBe(false);
    await local.setMicrophoneEnabled(true);
    expect([track.enabled, path.paused.get('p0' as ProducerId)]).toEqual([true, false]);
  });

  it('is muted where the gateway did so before it said that it was on', async () => {
    const { local, path, track, muted } = await withTrack('microphone');
    local.apply(says(true));
    expect(track.enabled).toBe(true);
    local.silence();
    local.silence();
    await settled();
    expect([track.enabled, path.paused.get('p0' as ProducerId)]).toEqual([false, true]);
    expect(muted).toHaveBeenCalledOnce();
    await local.setMicrophoneEnabled(true);
    expect([track.enabled, path.paused.get('p0' as ProducerId)]).toEqual([true, false]);
  });

  it('is no mute of its own that the visit tells of late', async () => {
    const { local, track, muted } = await withTrack('microphone');
    local.apply(says(false));
    await local.setMicrophoneEnabled(false);
    await local.setMicrophoneEnabled(true);
    // In the order in which the gateway took them.
    for (const paused of [true, false]) local.apply(says(paused));
    expect([track.enabled, muted.mock.calls.length]).toEqual([true, 0]);
    local.apply(says(true));
    expect([track.enabled, muted.mock.calls.length]).toEqual([false, 1]);
  });

  it('stays muted when the news comes with a resume', async () => {
    const { local, path } = await withTrack('microphone');
    local.apply(says(false));
    path.paused.set('p0' as ProducerId, true);
    local.apply(says(true));
    local.reconcile(says(true), local.producerIds);
    await settled();
    expect([local.isMicrophoneEnabled, path.paused.get('p0' as ProducerId)]).toEqual([false, true]);
  });

  it('is sent again where its own unmute was lost', async () => {
    const { local, path, muted } = await withTrack('microphone');
    local.apply(says(false));
    await local.setMicrophoneEnabled(false);
    local.apply(says(true));
    await local.setMicrophoneEnabled(true);
    path.paused.set('p0' as ProducerId, true);
    local.apply(says(true));
    local.reconcile(says(true), local.producerIds);
    await settled();
    expect([muted.mock.calls.length, path.paused.get('p0' as ProducerId)]).toEqual([0, false]);
  });
});

describe('a camera that carries a signed conversation', () => {
  it('is sent for its motion, and as before afterwards', async () => {
    const { local, path, track } = await withTrack('camera');
    local.favourMotion(true);
    expect([track.contentHint, path.published[0]?.motion]).toEqual(['motion', true]);
    local.favourMotion(false);
    expect([track.contentHint, path.published[0]?.motion]).toEqual(['', false]);
  });

  it('is so from the first frame, and on the next path', async () => {
    const { local, path } = setUp();
    local.favourMotion(true);
    const on = local.setCameraEnabled(true);
    const track = new FakeTrack();
    (await prompt()).allow(track);
    await on;
    expect([track.contentHint, path.published[0]?.motion]).toEqual(['motion', true]);
    const next = fakePath();
    local.detachPath();
    local.attachPath(next as unknown as MediaPath);
    await settled();
    expect(next.published[0]?.motion).toBe(true);
  });
});

describe('grants that are withdrawn', () => {
  it('stop what they no longer cover, and leave the rest alone', async () => {
    const { local, path, track } = await withTrack('camera');
    local.welcome(['publish-video']);
    expect([track.readyState, local.isCameraEnabled, path.published[0]?.closed]).toEqual([
      'live',
      true,
      false,
    ]);
    local.welcome(['publish-audio']);
    expect([track.readyState, local.isCameraEnabled, path.published[0]?.closed]).toEqual([
      'ended',
      false,
      true,
    ]);
    await expect(local.setCameraEnabled(true)).rejects.toMatchObject({ code: 'forbidden' });
  });
});

describe('an exam camera', () => {
  async function withExam(options: ExamCameraOptions = {}) {
    const all = setUp();
    const enabled = all.local.setExamCameraEnabled(true, options);
    const scope = new FakeTrack('scope');
    (await prompt()).allow(scope);
    await enabled;
    return { ...all, scope };
  }

  it('is another one than one\u2019s own', async () => {
    for (const [present, own, other] of [
      [['face', 'scope'], undefined, 'scope'],
      [['face', 'scope'], 'face', 'scope'],
      [['face', 'scope'], 'scope', 'face'],
      [['scope'], undefined, 'scope'],
    ] as const) {
      cameras = [...present];
      const { local } = setUp();
      if (own) await local.switchDevice('videoinput', own);
      void local.setExamCameraEnabled(true);
      expect((await prompt()).asked.video?.deviceId).toEqual({ exact: other });
    }
  });

  it('is not found where one\u2019s own is the only one', async () => {
    cameras = ['face'];
    const { local } = setUp();
    await local.switchDevice('videoinput', 'face');
    await expect(local.setExamCameraEnabled(true)).rejects.toMatchObject({
      code: 'device-not-found',
    });
    expect([local.isExamCameraEnabled, local.tracks.has('exam')]).toEqual([false, false]);
  });

  it('is the browser\u2019s to choose before cameras have ids, and the same one from then on', async () => {
    cameras = [''];
    const { local } = setUp();
    const enabled = local.setExamCameraEnabled(true);
    const open = await prompt();
    expect(open.asked.video?.deviceId).toBeUndefined();
    open.allow(new FakeTrack('scope'));
    await enabled;
    await local.setExamCameraEnabled(false);
    cameras = ['face', 'third', 'scope'];
    void local.setExamCameraEnabled(true);
    expect((await prompt()).asked.video?.deviceId).toEqual({ exact: 'scope' });
  });

  it('is published while it is on, and its light goes off with it', async () => {
    const { local, path, scope } = await withExam();
    expect(path.published.map(({ source }) => source)).toEqual(['exam']);
    expect([local.isExamCameraEnabled, local.tracks.get('exam')?.track]).toEqual([true, scope]);
    await local.setExamCameraEnabled(false);
    expect([scope.readyState, path.published[0]?.closed]).toEqual(['ended', true]);
    expect([local.isExamCameraEnabled, local.tracks.has('exam')]).toEqual([false, false]);
  });

  it('is sent again over a new path, and stops with the visit', async () => {
    const { local, scope } = await withExam();
    local.detachPath();
    const next = fakePath();
    local.attachPath(next as unknown as MediaPath);
    await settled();
    expect(next.published).toMatchObject([{ source: 'exam', track: scope, closed: false }]);
    local.release();
    expect([scope.readyState, local.tracks.size]).toEqual(['ended', 0]);
  });

  it('that is unplugged has no other in its place, and is back when it is', async () => {
    const { local, path, scope, failed } = await withExam();
    cameras = ['face'];
    scope.stop();
    scope.onended?.();
    const gone = await prompt();
    expect(gone.asked.video?.deviceId).toEqual({ exact: 'scope' });
    gone.deny('NotFoundError');
    await vi.waitUntil(() => failed.mock.calls.length > 0, { interval: 1 });
    expect(prompts).toEqual([]);
    expect(failed).toHaveBeenCalledWith(
      expect.objectContaining({ code: 'device-not-found' }),
      'exam',
    );
    expect([local.isExamCameraEnabled, path.paused.get('p0' as ProducerId)]).toEqual([false, true]);
    expect(local.tracks.get('exam')).toMatchObject({ muted: true, track: undefined });
    cameras = ['face', 'scope'];
    local.devicesChanged([]);
    const again = new FakeTrack('scope');
    (await prompt()).allow(again);
    await vi.waitUntil(() => local.isExamCameraEnabled, { interval: 1 });
    expect(path.published).toMatchObject([{ track: again, closed: false }]);
  });

  it('that is gone for good can be turned off, and another one on', async () => {
    const { local, scope } = await withExam();
    cameras = ['face', 'third'];
    scope.stop();
    scope.onended?.();
    (await prompt()).deny('NotFoundError');
    await settled();
    await local.setExamCameraEnabled(false);
    expect(local.tracks.has('exam')).toBe(false);
    void local.setExamCameraEnabled(true);
    expect((await prompt()).asked.video?.deviceId).toEqual({ exact: 'third' });
  });

  it('shows the old picture until that of another device is there', async () => {
    const { local, path, scope } = await withExam();
    const changed = local.setExamCameraEnabled(true, { deviceId: 'third' });
    const open = await prompt();
    expect([open.asked.video?.deviceId, scope.readyState]).toEqual([{ exact: 'third' }, 'live']);
    const third = new FakeTrack('third');
    open.allow(third);
    await changed;
    expect([scope.readyState, local.examCamera.deviceId]).toEqual(['ended', 'third']);
    expect(path.published).toMatchObject([{ track: third, closed: false }]);
  });

  it('stays off where it is turned off while the device is being changed', async () => {
    const { local, path } = await withExam();
    const changed = local.setExamCameraEnabled(true, { deviceId: 'third' });
    const open = await prompt();
    const off = local.setExamCameraEnabled(false);
    const third = new FakeTrack('third');
    open.allow(third);
    await Promise.all([changed, off]);
    expect([local.isExamCameraEnabled, third.readyState]).toEqual([false, 'ended']);
    expect(path.published.map(({ closed }) => closed)).toEqual([true]);
  });

  it('keeps its motion, or its detail where that is asked for', async () => {
    const { local, scope } = await withExam();
    expect([scope.contentHint, local.examCamera.hint]).toEqual(['motion', 'motion']);
    await local.setExamCameraEnabled(true, { hint: 'detail' });
    expect(scope.contentHint).toBe('detail');
    local.favourMotion(true);
    expect(scope.contentHint).toBe('detail');
  });

  it('needs its grant, and stops without it', async () => {
    const { local, path, scope } = await withExam();
    local.welcome(GRANTS.filter((grant) => grant !== 'publish-exam'));
    expect([scope.readyState, path.published[0]?.closed]).toEqual(['ended', true]);
    await expect(local.setExamCameraEnabled(true)).rejects.toMatchObject({ code: 'forbidden' });
  });
});

describe('two paths', () => {
  const over = (path: ReturnType<typeof fakePath>) =>
    path.published.map(({ source, track }) => [source, track]);

  async function relocating(source: 'camera' | 'microphone') {
    const all = await withTrack(source);
    const next = fakePath();
    await all.local.attachNext(next as unknown as MediaPath);
    return { ...all, next };
  }

  it('have the same tracks, muted or not, and what is begun meanwhile', async () => {
    const { local, path, track } = await withTrack('microphone');
    await local.setMicrophoneEnabled(false);
    const next = fakePath();
    await local.attachNext(next as unknown as MediaPath);
    expect([over(next), next.paused]).toEqual([[['microphone', track]], new Map([['p0', true]])]);
    const camera = local.setCameraEnabled(true);
    const picture = new FakeTrack();
    (await prompt()).allow(picture);
    await camera;
    expect(over(next)).toEqual([
      ['microphone', track],
      ['camera', picture],
    ]);
    expect(over(path)).toEqual(over(next));
  });

  it('are paused, given another track and closed alike', async () => {
    const { local, path, next } = await relocating('microphone');
    await local.setMicrophoneEnabled(false);
    const switched = local.switchDevice('audioinput', 'other');
    const other = new FakeTrack('other');
    (await prompt()).allow(other);
    await switched;
    for (const each of [path, next]) {
      expect(each.published).toMatchObject([{ track: other, closed: false }]);
      expect(each.paused.get('p0' as ProducerId)).toBe(true);
    }
    local.welcome([]);
    expect([path, next].map(({ published }) => published[0]?.closed)).toEqual([true, true]);
  });

  it.each(['the first', 'the second'])('of which %s is left go on over that one', async (which) => {
    const { local, path, next } = await relocating('microphone');
    const [left, gone] = which === 'the second' ? [next, path] : [path, next];
    local.settlePath(left as unknown as MediaPath);
    await local.setMicrophoneEnabled(false);
    expect([left, gone].map(({ paused }) => paused.get('p0' as ProducerId))).toEqual([true, false]);
    expect([path.published.length, next.published.length]).toEqual([1, 1]);
  });

  it('send again, over the one that is left, what had not got through to it', async () => {
    const { local, track } = await withTrack('camera');
    const next = fakePath();
    next.isAway = true;
    await expect(local.attachNext(next as unknown as MediaPath)).rejects.toThrow();
    next.isAway = false;
    local.settlePath(next as unknown as MediaPath);
    await settled();
    expect(over(next)).toEqual([
      ['camera', track],
      ['camera', track],
    ]);
  });

  it('send a camera that was off when the second path came once it is on', async () => {
    const { local, path } = await withTrack('camera');
    await local.setCameraEnabled(false);
    const next = fakePath();
    await local.attachNext(next as unknown as MediaPath);
    expect(next.published).toEqual([]);
    const on = local.setCameraEnabled(true);
    const picture = new FakeTrack();
    (await prompt()).allow(picture);
    await on;
    expect([over(path), over(next)]).toEqual([[['camera', picture]], [['camera', picture]]]);
    await local.setCameraEnabled(false);
    local.settlePath(next as unknown as MediaPath);
    expect([...next.paused.values()]).toEqual([true]);
  });
});
