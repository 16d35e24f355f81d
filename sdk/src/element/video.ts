import type { MediaSource, ParticipantId } from '@bedside/protocol';
import { noChange } from 'lit';
import { AsyncDirective } from 'lit/async-directive.js';
import { directive, type ElementPart, type PartInfo, PartType } from 'lit/directive.js';
import type { VisitApi } from '../types.ts';
import { type Fit, fitOf, type Size, shownSize } from './layout.ts';

export interface VideoOptions {
  track: MediaStreamTrack | undefined;
  /** Keep the last picture while there is no track: an interruption, not a camera turned off. */
  keep: boolean;
  fit: Fit;
  watcher: VideoWatcher;
  /** Whose size is reported to the visit; not one's own pictures'. */
  reports?: { participantId: ParticipantId; source: MediaSource } | undefined;
}

/**
 * Watches how large each video is: fits its picture, and tells the visit, so that it asks for no more
 * than what is shown.
 */
export class VideoWatcher {
  readonly #visit: () => VisitApi | undefined;
  readonly #videos = new Map<Element, { options: VideoOptions; seen: boolean }>();
  readonly #resize = new ResizeObserver((entries) => {
    for (const { target } of entries) this.#changed(target as HTMLVideoElement);
  });
  readonly #intersection = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      const video = this.#videos.get(target);
      if (video) video.seen = isIntersecting;
      this.#changed(target as HTMLVideoElement);
    }
  });
  readonly #pictureResized = ({ target }: Event): void => this.#changed(target as HTMLVideoElement);

  constructor(visit: () => VisitApi | undefined) {
    this.#visit = visit;
  }

  /** Again with each change of the options. */
  observe(element: HTMLVideoElement, options: VideoOptions): void {
    const known = this.#videos.get(element);
    if (known) {
      const refit = known.options.fit !== options.fit;
      known.options = options;
      if (refit) this.#changed(element);
      return;
    }
    this.#videos.set(element, { options, seen: true });
    this.#resize.observe(element);
    this.#intersection.observe(element);
    element.addEventListener('resize', this.#pictureResized);
  }

  unobserve(element: HTMLVideoElement): void {
    this.#resize.unobserve(element);
    this.#intersection.unobserve(element);
    element.removeEventListener('resize', this.#pictureResized);
    const reports = this.#videos.get(element)?.options.reports;
    this.#videos.delete(element);
    if (reports) this.#visit()?.setVideoSize(reports.participantId, reports.source, 0, 0);
  }

  #changed(element: HTMLVideoElement): void {
    const video = this.#videos.get(element);
    if (!video) return;
    const { options, seen } = video;
    const tile = { width: element.clientWidth, height: element.clientHeight };
    const picture = { width: element.videoWidth, height: element.videoHeight };
    const hidden = isEmpty(tile);
    const known = !hidden && !isEmpty(picture);
    const fit = known ? fitOf(picture, tile, options.fit) : options.fit;
    if (known) element.dataset.fit = fit;
    if (!options.reports) return;
    const { participantId, source } = options.reports;
    const shown = known ? shownSize(picture, tile, fit) : tile;
    const { width, height } = seen && !hidden ? shown : NOTHING;
    this.#visit()?.setVideoSize(participantId, source, width, height);
  }
}

const NOTHING: Size = { width: 0, height: 0 };
const isEmpty = ({ width, height }: Size): boolean => width === 0 || height === 0;

/**
 * Shows a track in the <video> it stands on: `<video ${video({ track, … })}>`. The stream stays the
 * same when the track is exchanged, so that the last picture stands until the next one comes.
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
    this.#options?.watcher.unobserve(this.#element);
    this.#element.srcObject = null;
  }

  override reconnected(): void {
    this.#apply();
  }

  #apply(): void {
    const element = this.#element;
    const options = this.#options;
    if (!element || !options) return;
    options.watcher.observe(element, options);
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
