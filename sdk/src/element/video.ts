import type { MediaSource, ParticipantId } from '@bedside/protocol';
import { noChange } from 'lit';
import { AsyncDirective } from 'lit/async-directive.js';
import { directive, type ElementPart, type PartInfo, PartType } from 'lit/directive.js';
import type { VisitApi } from '../types.ts';

/** Tells the visit how large each video is shown, so that it asks for no more than that. */
export class VideoSizes {
  readonly #visit: () => VisitApi | undefined;
  readonly #videos = new Map<
    Element,
    { participantId: ParticipantId; source: MediaSource; seen: boolean }
  >();
  readonly #resize = new ResizeObserver((entries) => {
    for (const { target } of entries) this.#report(target);
  });
  readonly #intersection = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      const video = this.#videos.get(target);
      if (video) video.seen = isIntersecting;
      this.#report(target);
    }
  });

  constructor(visit: () => VisitApi | undefined) {
    this.#visit = visit;
  }

  observe(element: Element, participantId: ParticipantId, source: MediaSource): void {
    const known = this.#videos.get(element);
    if (known?.participantId === participantId && known.source === source) return;
    this.#videos.set(element, { participantId, source, seen: true });
    this.#resize.observe(element);
    this.#intersection.observe(element);
  }

  unobserve(element: Element): void {
    this.#resize.unobserve(element);
    this.#intersection.unobserve(element);
    const video = this.#videos.get(element);
    this.#videos.delete(element);
    if (video) this.#visit()?.setVideoSize(video.participantId, video.source, 0, 0);
  }

  #report(element: Element): void {
    const video = this.#videos.get(element);
    if (!video) return;
    const { clientWidth, clientHeight } = element;
    const visible = video.seen && clientWidth > 0 && clientHeight > 0;
    this.#visit()?.setVideoSize(
      video.participantId,
      video.source,
      visible ? clientWidth : 0,
      visible ? clientHeight : 0,
    );
  }
}

export interface VideoOptions {
  track: MediaStreamTrack | undefined;
  /** Keep the last picture while there is no track: an interruption, not a camera turned off. */
  keep: boolean;
  /** Report the size under which it is shown; not for one's own pictures. */
  size?: { sizes: VideoSizes; participantId: ParticipantId; source: MediaSource };
}

/**
 * Shows a track in the <video> it stands on: `<video ${video({ track })}>`. The stream stays the same
 * when the track is exchanged, so that the last picture stands until the next one comes.
 */
class VideoDirective extends AsyncDirective {
  #element: HTMLVideoElement | undefined;
  #options: VideoOptions | undefined;

  constructor(part: PartInfo) {
    super(part);
    if (part.type !== PartType.ELEMENT) throw new Error('video() belongs on an element');
  }

  render(_options: VideoOptions): unknown {
    return noChange;
  }

  override update(part: ElementPart, [options]: [VideoOptions]): unknown {
    this.#element = part.element as HTMLVideoElement;
    this.#options = options;
    if (this.isConnected) this.#apply();
    return noChange;
  }

  override disconnected(): void {
    if (!this.#element) return;
    this.#options?.size?.sizes.unobserve(this.#element);
    this.#element.srcObject = null;
  }

  override reconnected(): void {
    this.#apply();
  }

  #apply(): void {
    const element = this.#element;
    const options = this.#options;
    if (!element || !options) return;
    if (options.size)
      options.size.sizes.observe(element, options.size.participantId, options.size.source);
    const { track, keep } = options;
    const stream = element.srcObject instanceof MediaStream ? element.srcObject : undefined;
    const old = stream?.getVideoTracks() ?? [];
    if (track === undefined) {
      if (!keep) element.srcObject = null;
      return;
    }
    if (old.length === 1 && old[0] === track) return;
    if (!stream) {
      element.srcObject = new MediaStream([track]);
    } else {
      stream.addTrack(track);
      for (const gone of old) if (gone !== track) stream.removeTrack(gone);
    }
    // `muted` as an attribute is not honoured for elements made by script; sound is the core's.
    element.muted = true;
    element.play().catch(() => {
      // Interrupted by the next track, or refused until a gesture: `autoplay` tries again by itself.
    });
  }
}

export const video = directive(VideoDirective);
