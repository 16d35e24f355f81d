import type { QualityChange, VisitApi, VisitOptions } from '../../sdk/src/types.ts';
import type { ProbeWindow } from './join-probe.ts';

/**
 * What runs in the pages of a signed conversation. Playwright sends each of these functions as text, so
 * none may use anything of this module but types.
 */

/** A change of quality that this page was told of: of a picture that it sees, or that somebody else does. */
export interface ToldQuality extends QualityChange {
  readonly breached: boolean;
  readonly remote: boolean;
}

export interface SigningWindow extends ProbeWindow {
  told: ToldQuality[];
}

/** One other's camera, as this page shows it at a moment. */
export interface Seen {
  participant: string;
  /** Milliseconds, of this page's clock. */
  at: number;
  frames: number;
  /** Pixels; 0 before the first frame. */
  shortSide: number;
  freezes: number;
  frozenSeconds: number;
  /** By how much the picture is played later than the sound of the same person, milliseconds. */
  offsetMs: number | undefined;
}

export interface Part {
  options: VisitOptions;
  microphone: boolean;
  camera: boolean;
  languages?: Parameters<VisitApi['setLanguages']>[0];
}

/** Takes part, shows all pictures that come, and notes what the page is told of quality. */
export async function takePart({ options, microphone, camera, languages }: Part): Promise<void> {
  const page = globalThis as unknown as SigningWindow;
  const visit = new page.bedside.Visit(options);
  page.visit = visit;
  page.told = [];
  const note = (change: QualityChange, breached: boolean, remote: boolean) =>
    page.told.push({ ...change, breached, remote });
  visit.on('qualityBreached', (change) => note(change, true, false));
  visit.on('qualityRestored', (change) => note(change, false, false));
  visit.on('remoteQualityChanged', (change) => note(change, change.breached, true));
  visit.on('trackSubscribed', (track) => {
    if (track.kind !== 'video') return;
    const video = document.createElement('video');
    video.muted = true;
    video.playsInline = true;
    video.autoplay = true;
    video.srcObject = new MediaStream([track]);
    document.body.append(video);
  });
  await visit.connect();
  if (languages) await visit.setLanguages(languages);
  if (microphone) await visit.localParticipant.setMicrophoneEnabled(true);
  if (camera) await visit.localParticipant.setCameraEnabled(true);
}

/** All cameras that this page shows. */
export async function seen(): Promise<Seen[]> {
  const { visit } = globalThis as unknown as SigningWindow;
  const stats = await visit?.getStats();
  const at = performance.now();
  const playout = (participant: string) =>
    stats?.inbound.find(
      (each) => each.participantId === participant && each.source === 'microphone',
    )?.playoutAt;
  return (stats?.inbound ?? [])
    .filter(({ source }) => source === 'camera')
    .map(({ participantId, playoutAt, ...each }) => {
      const sound = playout(participantId);
      return {
        participant: participantId,
        at,
        frames: each.framesDecoded ?? 0,
        shortSide: Math.min(each.frameWidth ?? 0, each.frameHeight ?? 0),
        freezes: each.freezeCount ?? 0,
        frozenSeconds: each.frozenSeconds ?? 0,
        offsetMs: playoutAt !== undefined && sound !== undefined ? playoutAt - sound : undefined,
      };
    });
}

/** What this page was told of quality so far. */
export const told = (): ToldQuality[] => (globalThis as unknown as SigningWindow).told;
