import { html, nothing, type TemplateResult } from 'lit';
import { classMap } from 'lit/directives/class-map.js';
import type { TextKey } from '../texts/index.ts';
import type { ConnectionQuality, Participant } from '../types.ts';
import { icons, qualityBars } from './icons.ts';
import type { Rect } from './layout.ts';
import { fitFor, initials, isPinned, isSending, nameOf, publication } from './people.ts';
import { place } from './place.ts';
import { video } from './video.ts';
import type { View } from './view.ts';

const QUALITY_TEXT = [
  'qualityLost',
  'qualityPoor',
  'qualityFair',
  'qualityGood',
] as const satisfies TextKey[];

const POOR = 1;

export interface TileOptions {
  participant: Participant;
  source: 'camera' | 'screen' | 'exam';
  rect: Rect | undefined;
  /** Lies over the other tiles. */
  floats?: boolean;
}

/** One picture with its name: a camera (or the initials while it is off), or what somebody shows. */
export function tile(
  view: View,
  { participant, source, rect, floats = false }: TileOptions,
): TemplateResult {
  const { t, texts, host } = view;
  const { isLocal } = participant;
  const name = nameOf(participant, texts);
  const sends = isSending(participant, source);
  const { track, interrupted = false } = publication(participant, source) ?? {};
  const lost = participant.connection === 'reconnecting';
  const muted = !isSending(participant, 'microphone');
  // A person's name may be the role already; then the role is not said twice.
  const role = name === texts.roles[participant.role] ? undefined : texts.roles[participant.role];
  const speaking = source === 'camera' && participant.isSpeaking && !muted;
  const small = floats || (rect !== undefined && (rect.width < 240 || rect.height < 140));
  const reaction = source === 'camera' ? host.reactionOf(participant.id) : undefined;
  const showsVideo = sends && (track !== undefined || !isLocal);

  return html`<li
    part="tile ${source} ${participant.role} ${isLocal ? 'self' : ''}"
    class=${classMap({
      tile: true,
      self: isLocal,
      floats,
      small,
      speaking,
      lost,
      pinned: source === 'camera' && isPinned(participant),
    })}
    data-participant=${isLocal ? nothing : participant.id}
    data-self=${isLocal ? participant.id : nothing}
    data-role=${participant.role}
    data-source=${source}
    data-camera=${sends ? 'on' : 'off'}
    data-microphone=${muted ? 'off' : 'on'}
    ${place(rect)}
  >
    ${
      source === 'camera'
        ? html`<div class="avatar" aria-hidden="true"><span>${initials(name) || icons.person}</span></div>`
        : nothing
    }
    <div
      class=${classMap({ picture: true, mirrored: isLocal && source === 'camera', shown: showsVideo })}
      ${video({
        track: sends ? track : undefined,
        keep: sends || lost,
        interrupted: interrupted && !lost,
        fit: source === 'camera' ? fitFor(participant) : 'whole',
        watcher: host.watcher,
        reports: isLocal ? undefined : { participantId: participant.id, source },
      })}
    ></div>
    <div class="interruption" aria-hidden="true"><span class="spinner"></span>${small ? nothing : t('tileReconnecting')}</div>
    ${source === 'camera' ? nothing : html`<div class="blank">${t('noPicture')}</div>`}
    ${lost ? html`<div class="veil"><span class="spinner" aria-hidden="true"></span>${small ? nothing : t('tileReconnecting')}</div>` : nothing}
    ${reaction ? html`<div class="reaction" aria-hidden="true">${reaction}</div>` : nothing}
    <div class="label" part="label">
      ${
        source === 'camera' && muted
          ? html`<span class="muted">${icons.micOff}<span class="hidden">${t('muted')}</span></span>`
          : nothing
      }
      <span class="who">
        <span class="name" dir="auto">${titleOf(view, participant, source)}</span>
        ${role && source === 'camera' && !isLocal ? html`<span class=${small ? 'hidden' : 'role'}>${role}</span>` : nothing}
      </span>
      ${source === 'camera' && participant.handRaisedAt !== undefined ? html`<span class="raised">${icons.hand}<span class="hidden">${t('handRaised')}</span></span>` : nothing}
      ${speaking ? html`<span class="hidden">${t('speaking')}</span>` : nothing}
      ${source === 'camera' && !sends ? html`<span class="hidden">${t('cameraOff')}</span>` : nothing}
      ${source === 'camera' && !isLocal ? quality(view, participant.connectionQuality, small) : nothing}
    </div>
  </li>`;
}

function titleOf(
  { t, texts }: View,
  participant: Participant,
  source: TileOptions['source'],
): string {
  const name = nameOf(participant, texts);
  if (source === 'screen') return t('screenOf', { name });
  if (source === 'exam') return participant.isLocal ? t('examOwn') : t('examOf', { name });
  return participant.isLocal ? t('you') : name;
}

/** In a small tile only what is bad: its few pixels belong to the face. */
function quality(
  { t }: View,
  level: ConnectionQuality,
  small: boolean,
): TemplateResult | typeof nothing {
  if (level === undefined || (small && level > POOR)) return nothing;
  const text = t(QUALITY_TEXT[level]);
  return html`<span class="quality" data-level=${level} title=${text}
    >${qualityBars(level)}<span class="hidden">${text}</span></span
  >`;
}
