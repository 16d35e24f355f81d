import { BedsideError } from '@bedside/protocol';

export type CaptureKind = 'audio' | 'video';
type Feature = 'camera' | 'microphone' | 'display-capture';

const FEATURE: Record<CaptureKind, Feature> = { audio: 'microphone', video: 'camera' };

/** Feature policy as Chromium has it; other browsers leave it out and answer NotAllowedError alike. */
interface PolicyDocument {
  featurePolicy?: { allowsFeature(feature: string): boolean };
  permissionsPolicy?: { allowsFeature(feature: string): boolean };
}

/** What is wrong with the page itself, before anybody is asked for permission. */
function pageError(feature: Feature): BedsideError | undefined {
  if (!globalThis.isSecureContext) return new BedsideError('insecure-context');
  const media = navigator.mediaDevices as MediaDevices | undefined;
  const missing = feature === 'display-capture' ? !media?.getDisplayMedia : !media?.getUserMedia;
  if (missing) return new BedsideError('browser-unsupported');
  return policyAllows(feature) ? undefined : new BedsideError('permissions-policy');
}

function policyAllows(feature: Feature): boolean {
  const page = document as PolicyDocument;
  return (page.permissionsPolicy ?? page.featurePolicy)?.allowsFeature(feature) ?? true;
}

/** A failed capture as a person can act on it. */
export function captureError(thrown: unknown): BedsideError {
  if (thrown instanceof BedsideError) return thrown;
  const options = { cause: thrown };
  switch ((thrown as { name?: unknown } | null)?.name) {
    case 'NotAllowedError':
    case 'SecurityError':
      return new BedsideError('permission-denied', options);
    case 'NotFoundError':
    case 'OverconstrainedError':
      return new BedsideError('device-not-found', options);
    case 'NotReadableError':
    case 'AbortError':
      return new BedsideError('device-in-use', options);
    default:
      return new BedsideError('internal', options);
  }
}

interface Wish {
  constraints: MediaTrackConstraints;
  resolve(track: MediaStreamTrack): void;
  reject(error: BedsideError): void;
}

/** Opens cameras and microphones. Wishes of one moment are one getUserMedia, so the person is asked once. */
export class Capture {
  #wishes: Partial<Record<CaptureKind, Wish>> = {};

  /** @throws BedsideError permission-denied, device-not-found, device-in-use, insecure-context, permissions-policy, browser-unsupported */
  open(kind: CaptureKind, constraints: MediaTrackConstraints): Promise<MediaStreamTrack> {
    return new Promise((resolve, reject) => {
      const error = pageError(FEATURE[kind]);
      if (error) return reject(error);
      if (this.#wishes[kind]) return openOne(kind, constraints).then(resolve, reject);
      if (!this.#wishes.audio && !this.#wishes.video) setTimeout(() => void this.#openAll(), 0);
      this.#wishes[kind] = { constraints, resolve, reject };
    });
  }

  async #openAll(): Promise<void> {
    const { audio, video } = this.#wishes;
    this.#wishes = {};
    if (audio && video && (await openBoth(audio, video))) return;
    // One of the two is missing or refused: the other one is still worth having.
    if (audio) await openOne('audio', audio.constraints).then(audio.resolve, audio.reject);
    if (video) await openOne('video', video.constraints).then(video.resolve, video.reject);
  }
}

async function openBoth(audio: Wish, video: Wish): Promise<boolean> {
  try {
    const stream = await navigator.mediaDevices.getUserMedia({
      audio: audio.constraints,
      video: video.constraints,
    });
    const [sound] = stream.getAudioTracks();
    const [picture] = stream.getVideoTracks();
    if (!sound || !picture) return false;
    audio.resolve(sound);
    video.resolve(picture);
    return true;
  } catch (thrown) {
    const error = captureError(thrown);
    if (error.code !== 'permission-denied' || (await oneIsStillAllowed())) return false;
    audio.reject(error);
    video.reject(error);
    return true;
  }
}

/** Whether only one of camera and microphone is blocked; then asking for the other alone is no pestering. */
async function oneIsStillAllowed(): Promise<boolean> {
  try {
    const states = await Promise.all(
      Object.values(FEATURE).map((name) =>
        navigator.permissions.query({ name: name as PermissionName }),
      ),
    );
    return (
      states.some(({ state }) => state === 'denied') &&
      states.some(({ state }) => state !== 'denied')
    );
  } catch {
    return false;
  }
}

async function openOne(
  kind: CaptureKind,
  constraints: MediaTrackConstraints,
): Promise<MediaStreamTrack> {
  try {
    const stream = await navigator.mediaDevices.getUserMedia({ [kind]: constraints });
    const [track] = stream.getTracks();
    if (!track) throw new BedsideError('device-not-found');
    return track;
  } catch (error) {
    throw captureError(error);
  }
}

/** Asks for a screen, window or tab, with its sound where the browser offers that. @throws BedsideError as Capture.open */
export async function captureScreen(): Promise<{
  video: MediaStreamTrack;
  audio: MediaStreamTrack | undefined;
}> {
  const error = pageError('display-capture');
  if (error) throw error;
  try {
    const stream = await navigator.mediaDevices.getDisplayMedia({
      video: { frameRate: 15 },
      audio: true,
    });
    const [video] = stream.getVideoTracks();
    if (!video) throw new BedsideError('device-not-found');
    video.contentHint = 'detail';
    return { video, audio: stream.getAudioTracks()[0] };
  } catch (thrown) {
    throw captureError(thrown);
  }
}
