import type { VisitApi, VisitOptions } from '../../sdk/src/types.ts';

/**
 * What runs in the page. Playwright sends each of these functions as text, so none may use anything
 * of this module but types.
 */

/** When each step of a join was first over, in milliseconds after `connect()`. */
export interface JoinTimes {
  /** The gateway's first message has arrived. */
  welcome: number;
  /** The answer of `join` has arrived. */
  joined: number;
  /** The first remote description is set. */
  description: number;
  /** Every remote track is there. */
  tracks: number;
  /** The first transport is connected, DTLS included. */
  dtls: number;
  /** The first remote picture is decoded and shown. */
  frame: number;
}

interface SdkModule {
  Visit: { new (options: VisitOptions): VisitApi; prepare(): Promise<void> };
}

export interface ProbeWindow {
  bedside: SdkModule;
  /** Steps of the join under way, as clock readings. */
  steps: Partial<Record<keyof JoinTimes, number>>;
  visit: VisitApi | undefined;
  /** When the first picture of somebody else was shown, on the clock that all pages of a machine share. */
  shown: Promise<number> | undefined;
}

/** Before the page's own scripts: notes the steps that the SDK's public surface does not show. */
export function watchSteps(): void {
  const page = globalThis as unknown as ProbeWindow;
  page.steps = {};
  const reach = (step: keyof JoinTimes) => {
    page.steps[step] ??= performance.now();
  };

  globalThis.WebSocket = class extends WebSocket {
    constructor(url: string | URL, protocols?: string | string[]) {
      super(url, protocols);
      this.addEventListener('message', ({ data }) => {
        if (typeof data !== 'string') return;
        if (data.startsWith('42["welcome"')) reach('welcome');
        // The first acknowledgement on a socket answers `join`, the first command.
        if (data.startsWith('43')) reach('joined');
      });
    }
  };

  globalThis.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(configuration?: RTCConfiguration) {
      super(configuration);
      this.addEventListener('connectionstatechange', () => {
        if (this.connectionState === 'connected') reach('dtls');
      });
    }

    override async setRemoteDescription(description: RTCSessionDescriptionInit): Promise<void> {
      await super.setRemoteDescription(description);
      reach('description');
    }
  };
}

/** As text: the test runner rewrites an import() that it sees. */
export const loadSdk = "import('/bedside.mjs').then((sdk) => { globalThis.bedside = sdk; })";

export async function prepare(): Promise<void> {
  await (globalThis as unknown as ProbeWindow).bedside.Visit.prepare();
}

/** Takes part with camera and microphone, and stays. */
export async function publish(options: VisitOptions): Promise<void> {
  const page = globalThis as unknown as ProbeWindow;
  const visit = new page.bedside.Visit(options);
  page.visit = visit;
  await visit.connect();
  await visit.localParticipant.setMicrophoneEnabled(true);
  await visit.localParticipant.setCameraEnabled(true);
}

/** Joins, waits for `tracks` remote tracks and the first picture, and leaves. */
export async function measureJoin({
  options,
  tracks,
  deadlineMs,
}: {
  options: VisitOptions;
  tracks: number;
  deadlineMs: number;
}): Promise<JoinTimes> {
  const page = globalThis as unknown as ProbeWindow;
  page.steps = {};
  const visit = new page.bedside.Visit(options);
  const videos: HTMLVideoElement[] = [];
  let arrived = 0;
  const shown = new Promise<void>((resolve, reject) => {
    setTimeout(() => reject(new Error(`no picture in ${deadlineMs} ms`)), deadlineMs);
    visit.on('trackSubscribed', (track) => {
      arrived += 1;
      if (arrived === tracks) page.steps.tracks ??= performance.now();
      if (track.kind !== 'video') return;
      const video = document.createElement('video');
      video.muted = true;
      video.playsInline = true;
      video.autoplay = true;
      video.requestVideoFrameCallback(() => {
        page.steps.frame ??= performance.now();
        resolve();
      });
      video.srcObject = new MediaStream([track]);
      document.body.append(video);
      videos.push(video);
    });
  });

  const started = performance.now();
  try {
    await Promise.all([visit.connect(), shown]);
    const { steps } = page;
    const after = (step: keyof JoinTimes) => (steps[step] ?? Number.NaN) - started;
    return {
      welcome: after('welcome'),
      joined: after('joined'),
      description: after('description'),
      tracks: after('tracks'),
      dtls: after('dtls'),
      frame: after('frame'),
    };
  } finally {
    await visit.leave();
    for (const video of videos) video.remove();
  }
}

/** Whether this page knows of so many tracks of others. */
export function seesTracks(count: number): boolean {
  const { visit } = globalThis as unknown as ProbeWindow;
  const others = [...(visit?.participants.values() ?? [])];
  return others.reduce((sum, { tracks }) => sum + tracks.size, 0) === count;
}

/** Comes to a visit in which they wait. */
export async function waitToBeAdmitted(options: VisitOptions): Promise<void> {
  const page = globalThis as unknown as ProbeWindow;
  const visit = new page.bedside.Visit(options);
  page.visit = visit;
  page.shown = new Promise((resolve) => {
    visit.on('trackSubscribed', (track) => {
      if (track.kind !== 'video') return;
      const video = document.createElement('video');
      video.muted = true;
      video.playsInline = true;
      video.autoplay = true;
      video.requestVideoFrameCallback(() => resolve(performance.timeOrigin + performance.now()));
      video.srcObject = new MediaStream([track]);
      document.body.append(video);
    });
  });
  await visit.connect();
  const { state } = visit.localParticipant;
  if (state !== 'waiting') throw new Error(`the patient is ${state}`);
}

/** When the first picture was shown. */
export async function firstPicture(deadlineMs: number): Promise<number> {
  const { shown } = globalThis as unknown as ProbeWindow;
  const late = new Promise<never>((_, reject) => {
    setTimeout(() => reject(new Error(`no picture in ${deadlineMs} ms`)), deadlineMs);
  });
  if (!shown) throw new Error('nobody waits here');
  return Promise.race([shown, late]);
}

/** Admits who waits; when it was asked and when it was acknowledged, on the clock of `firstPicture`. */
export async function admitEverybody(): Promise<{ asked: number; acknowledged: number }> {
  const { visit } = globalThis as unknown as ProbeWindow;
  const now = () => performance.timeOrigin + performance.now();
  const asked = now();
  await visit?.admit();
  return { asked, acknowledged: now() };
}

/** Leaves the visit that this page is in. */
export async function leave(): Promise<void> {
  await (globalThis as unknown as ProbeWindow).visit?.leave();
}
