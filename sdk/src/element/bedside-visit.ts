import type { BedsideError, MediaSource, ParticipantId, Role } from '@bedside/protocol';
import type { Texts } from '../texts/index.ts';
import type { DisconnectReason, Invitation, VisitApi } from '../types.ts';
import type { Specialty } from './call-dialog.ts';
import { VisitElement } from './element.ts';

/** What the element shows. */
export type Phase = 'preparing' | 'prejoin' | 'connecting' | 'waiting' | 'visit' | 'ended';

/** Events of the element; they bubble and cross shadow roots. */
export interface BedsideVisitEventMap {
  /** In the visit, with media. Again after each rejoin. */
  'bedside-connected': CustomEvent<{ visit: VisitApi }>;
  /** Over for this page; `error` where it failed. */
  'bedside-disconnected': CustomEvent<{
    reason: DisconnectReason;
    error: BedsideError | undefined;
  }>;
  'bedside-connection-state-changed': CustomEvent<{ state: VisitApi['state'] }>;
  'bedside-participant-connected': CustomEvent<{ participantId: ParticipantId }>;
  'bedside-participant-disconnected': CustomEvent<{ participantId: ParticipantId }>;
  /** The person has turned a camera or microphone on or off, before the visit or in it. */
  'bedside-device-toggled': CustomEvent<{ source: 'camera' | 'microphone'; enabled: boolean }>;
  /** Somebody waits, for who may admit. `preventDefault()` keeps the chime silent. */
  'bedside-participant-waiting': CustomEvent<{ participantId: ParticipantId }>;
  /**
   * The person has made an invitation. `respondWith` gives the link that is shown for it, or a promise of
   * one; without it `invite-url-template` makes the link, or none is shown.
   */
  'bedside-invite': CustomEvent<
    Invitation & { role: Role; respondWith(link: string | Promise<string>): void }
  >;
  /** A camera, microphone or screen that can not be used; the element shows it, too. */
  'bedside-media-error': CustomEvent<{ error: BedsideError; source: MediaSource }>;
}

/**
 * `<bedside-visit url token lang auto camera="off" microphone="off">`: a whole video visit.
 * It begins when `url` and a token (or `tokenProvider`) are set, and anew when `url` changes.
 */
export interface BedsideVisitElement extends HTMLElement {
  /** Address of the gateway. */
  url: string | undefined;
  /** A token for one visit. A new value is used from the next connection or renewal on. */
  token: string | undefined;
  /** Asked for the first token and for each renewal; goes before `token`. */
  tokenProvider: (() => string | Promise<string>) | undefined;
  /** Language of the texts (attribute `lang`); without it that of the page, then that of the browser. */
  language: string | undefined;
  /** Join at once, without the page before the visit. */
  auto: boolean;
  /** Whether the camera is on to begin with; follows what the person chooses. */
  camera: 'on' | 'off';
  /** Whether the microphone is on to begin with; follows what the person chooses. */
  microphone: 'on' | 'off';
  /** Tables of the page's own: more languages, or other words. */
  texts: readonly Texts[] | undefined;
  /** Single-key shortcuts, while the focus is in the element. The person can turn them off, too. */
  shortcuts: boolean;
  /**
   * The link for an invitation (attribute `invite-url-template`), with `{token}` in it. Put it behind a `#`:
   * what is there reaches no server and no log.
   */
  inviteUrlTemplate: string | undefined;
  /** Specialties that can be called, by the tags that the clinic's tokens have; without them a tag is typed. */
  specialties: readonly Specialty[] | undefined;
  /** The visit behind the element; undefined until `url` and a token are set. */
  readonly visit: VisitApi | undefined;
  readonly phase: Phase;
  /** Join with the devices as they are set. Shows what goes wrong by itself, so that it never rejects. */
  join(): Promise<void>;
  leave(): Promise<void>;
}

/** The element's class: for `instanceof`, or to define it under another name. */
export const BedsideVisitElement: {
  new (): BedsideVisitElement;
  readonly prototype: BedsideVisitElement;
} = VisitElement;

/** Registers `<bedside-visit>`; once is enough, twice is harmless. */
export function defineBedsideVisit(): void {
  if (!customElements.get('bedside-visit'))
    customElements.define('bedside-visit', BedsideVisitElement);
}

declare global {
  interface HTMLElementTagNameMap {
    'bedside-visit': BedsideVisitElement;
  }
  interface HTMLElementEventMap extends BedsideVisitEventMap {}
}
