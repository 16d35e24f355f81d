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
  allow(...tracks: FakeTrack[]): void;
  deny(): void;
}

let prompts: Prompt[] = [];
const ask = () =>
  new Promise((resolve, reject) => {
    prompts.push({
      allow: (first, second) =>
        resolve({
          getTracks: () => [first],
          getVideoTracks: () => [first],
          getAudioTracks: () => (second ? [second] : []),
        }),
      deny: () => reject(Object.assign(new Error(), { name: 'NotAllowedError' })),
    });
  });

beforeEach(() => {
  prompts = [];
  vi.stubGlobal('isSecureContext', true);
  vi.stubGlobal('document', {});
  vi.stubGlobal('navigator', { mediaDevices: { getUserMedia: ask, getDisplayMedia: ask } });
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

function setUp() {
  const failed = vi.fn();
  const outOfStep = vi.fn();
  const muted = vi.fn();
  const local = new LocalMedia(
    { url: '' },
    { changed: () => {}, published: () => {}, unpublished: () => {}, failed, muted, outOfStep },
  );
  const path = fakePath();
  local.welcome(['publish-audio', 'publish-video', 'publish-screen'] satisfies Grant[]);
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
