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
  /** Say of the last picture that it is one. */
  interrupted?: boolean;
  fit: Fit;
  watcher: VideoWatcher;
  /** For screen readers, where nothing beside the picture says whose it is. */
  label?: string;
  /** Whose size is reported to the visit; not one's own pictures'. */
  reports?: { participantId: ParticipantId; source: MediaSource } | undefined;
}

/**
 * Watches how large each video is: fits its picture, says of its place while there is none (`data-empty`),
 * and tells the visit, so that it asks for no more than what is shown.
 */
export class VideoWatcher {
  readonly #visit: () => VisitApi | undefined;
  readonly #places = new Map<
    Element,
    { video: HTMLVideoElement; options: VideoOptions; seen: boolean }
  >();
  readonly #resize = new ResizeObserver((entries) => {
    for (const { target } of entries) this.#changed(target);
  });
  readonly #intersection = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      const place = this.#places.get(target);
      if (place) place.seen = isIntersecting;
      this.#changed(target);
    }
  });
  readonly #pictureResized = ({ currentTarget }: Event): void =>
    this.#changed(currentTarget as Element);

  constructor(visit: () => VisitApi | undefined) {
    this.#visit = visit;
  }

  /** `video`: the one in the place that is seen. Again with each change of it, or of the options. */
  observe(place: Element, video: HTMLVideoElement, options: VideoOptions): void {
    const known = this.#places.get(place);
    if (known) {
      const changed = known.video !== video || known.options.fit !== options.fit;
      Object.assign(known, { video, options });
      if (changed) this.#changed(place);
      return;
    }
    this.#places.set(place, { video, options, seen: true });
    this.#resize.observe(place);
    this.#intersection.observe(place);
    // Captured: those of a video do not bubble.
    place.addEventListener('resize', this.#pictureResized, true);
  }

  unobserve(place: Element): void {
    this.#resize.unobserve(place);
    this.#intersection.unobserve(place);
    place.removeEventListener('resize', this.#pictureResized, true);
    const reports = this.#places.get(place)?.options.reports;
    this.#places.delete(place);
    if (reports) this.#visit()?.setVideoSize(reports.participantId, reports.source, 0, 0);
  }

  #changed(place: Element): void {
    const known = this.#places.get(place);
    if (!known) return;
    const { video, options, seen } = known;
    const tile = { width: place.clientWidth, height: place.clientHeight };
    const picture = { width: video.videoWidth, height: video.videoHeight };
    const hidden = isEmpty(tile);
    place.toggleAttribute('data-empty', isEmpty(picture));
    const measured = !hidden && !isEmpty(picture);
    const fit = measured ? fitOf(picture, tile, options.fit) : options.fit;
    if (measured) video.dataset.fit = fit;
    if (!options.reports) return;
    const { participantId, source } = options.reports;
    const shown = measured ? shownSize(picture, tile, fit) : tile;
    const { width, height } = seen && !hidden ? shown : NOTHING;
    this.#visit()?.setVideoSize(participantId, source, width, height);
  }
}

const NOTHING: Size = { width: 0, height: 0 };
const isEmpty = ({ width, height }: Size): boolean => width === 0 || height === 0;

/** Milliseconds for which a notice can at least be read. */
const NOTICE_MS = 1_000;
/** A next track that has no frame by then is late: the one before may end meanwhile. */
const LATE_MS = 500;

/**
 * Shows a track in the element it stands on: `<div ${video({ track, … })}></div>`. Of one track after the
 * other, the next is seen from its first frame on, and the one before until then.
 */
class VideoDirective extends AsyncDirective {
  #place: HTMLElement | undefined;
  #options: VideoOptions | undefined;
  #video = newVideo();
  /** Waits, under the one that is seen, for its first frame. */
  #next: HTMLVideoElement | undefined;
  #noticedAt: number | undefined;
  #noticeTimer: ReturnType<typeof setTimeout> | undefined;
  #lateTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(part: PartInfo) {
    super(part);
    if (part.type !== PartType.ELEMENT) throw new Error('video() belongs on an element');
  }

  render(_options: VideoOptions): unknown {
    return noChange;
  }

  override update(part: ElementPart, [options]: [VideoOptions]): unknown {
    this.#place = part.element as HTMLElement;
    this.#options = options;
    if (this.isConnected) this.#apply(this.#place, options);
    return noChange;
  }

  override disconnected(): void {
    if (!this.#place) return;
    clearTimeout(this.#noticeTimer);
    this.#options?.watcher.unobserve(this.#place);
    this.#dropNext();
    this.#video.srcObject = null;
  }

  override reconnected(): void {
    if (this.#place && this.#options) this.#apply(this.#place, this.#options);
  }

  #apply(place: HTMLElement, options: VideoOptions): void {
    const { track, keep, label, watcher } = options;
    if (!this.#video.isConnected) place.append(this.#video);
    this.#label(label);
    watcher.observe(place, this.#video, options);
    if (!track) {
      this.#dropNext();
      if (keep) this.#hold();
      else this.#video.srcObject = null;
    } else if (trackOf(this.#video) === track) {
      this.#dropNext();
      if (this.#video.paused) play(this.#video);
    } else if (trackOf(this.#next) !== track) {
      this.#dropNext();
      this.#follow(track);
    }
    this.#tellNotice(place, options);
  }

  #follow(track: MediaStreamTrack): void {
    const isSeen = this.#video.srcObject !== null && this.#video.videoWidth > 0;
    if (!isSeen) {
      this.#video.srcObject = new MediaStream([track]);
      play(this.#video);
      return;
    }
    const next = newVideo();
    this.#next = next;
    next.srcObject = new MediaStream([track]);
    this.#video.before(next);
    const swap = () => this.#swap(next);
    // Nothing is painted, and so no frame is called, where the page is hidden.
    if ('requestVideoFrameCallback' in next && !document.hidden)
      next.requestVideoFrameCallback(swap);
    else next.addEventListener('loadeddata', swap);
    play(next, swap);
    this.#lateTimer = setTimeout(() => this.#hold(), LATE_MS);
  }

  /** Browsers show black once a track has ended, but not where that plays no more. */
  #hold(): void {
    this.#video.pause();
    if (this.#place && this.#options) this.#tellNotice(this.#place, this.#options);
  }

  #swap(next: HTMLVideoElement): void {
    if (this.#next !== next || !this.#place || !this.#options) return;
    const before = this.#video;
    this.#video = next;
    this.#next = undefined;
    clearTimeout(this.#lateTimer);
    this.#label(this.#options.label);
    this.#options.watcher.observe(this.#place, next, this.#options);
    discard(before);
    this.#tellNotice(this.#place, this.#options);
  }

  #label(label: string | undefined): void {
    if (label === undefined) return;
    this.#video.setAttribute('aria-label', label);
    this.#video.removeAttribute('aria-hidden');
  }

  #dropNext(): void {
    clearTimeout(this.#lateTimer);
    if (this.#next) discard(this.#next);
    this.#next = undefined;
  }

  /** On the place, for as long as the last picture stands: `data-interrupted`. */
  #tellNotice(place: HTMLElement, { track, keep, interrupted = false }: VideoOptions): void {
    clearTimeout(this.#noticeTimer);
    const now = performance.now();
    if (interrupted || (this.#next && this.#video.paused)) {
      this.#noticedAt ??= now;
      place.toggleAttribute('data-interrupted', true);
    } else if (this.#noticedAt !== undefined) {
      const left = track || keep ? this.#noticedAt + NOTICE_MS - now : 0;
      this.#noticeTimer = setTimeout(() => {
        this.#noticedAt = undefined;
        place.toggleAttribute('data-interrupted', false);
      }, left);
    }
  }
}

function newVideo(): HTMLVideoElement {
  const video = document.createElement('video');
  for (const name of ['playsinline', 'autoplay', 'disablepictureinpicture'])
    video.toggleAttribute(name, true);
  video.setAttribute('aria-hidden', 'true');
  video.tabIndex = -1;
  // As an attribute it is not honoured for elements made by script; sound is the core's.
  video.muted = true;
  return video;
}

const trackOf = (video: HTMLVideoElement | undefined): MediaStreamTrack | undefined =>
  (video?.srcObject as MediaStream | null | undefined)?.getVideoTracks()[0];

function play(video: HTMLVideoElement, refused?: () => void): void {
  video.play().catch(() => {
    // Interrupted by the next track, or refused until a gesture: `autoplay` tries again by itself.
    refused?.();
  });
}

function discard(video: HTMLVideoElement): void {
  video.srcObject = null;
  video.remove();
}

export const video = directive(VideoDirective);
