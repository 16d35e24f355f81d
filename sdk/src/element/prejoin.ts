import type { BedsideError, Role } from '@bedside/protocol';
import { html, nothing, type TemplateResult } from 'lit';
import { classMap } from 'lit/directives/class-map.js';
import {
  type ChooseDevice,
  type DeviceLists,
  deviceSelects,
  type MaySend,
} from './devices-dialog.ts';
import { icons } from './icons.ts';
import { level } from './level.ts';
import { initials, publication } from './people.ts';
import { toolButton } from './toolbar.ts';
import { video } from './video.ts';
import type { View } from './view.ts';

export interface PrejoinOptions {
  /** Who joins, as the token says; undefined until it is there. */
  who: { role: Role; name?: string | undefined } | undefined;
  may: MaySend;
  devices: DeviceLists;
  choose: ChooseDevice;
  /** Why the last attempt to open a camera or microphone failed. */
  problem: BedsideError | undefined;
  /** A device is being opened. */
  opening: boolean;
  /** Something was heard over the microphone. */
  heard: boolean;
  onHeard(): void;
  join(): void;
  toggleMicrophone(): void;
  toggleCamera(): void;
  retry(): void;
}

/** Before the visit: look at oneself, choose devices, join. Nothing here is needed to join. */
export function prejoin(view: View, options: PrejoinOptions): TemplateResult {
  const { visit, texts, t, watcher } = view;
  const { localParticipant: self } = visit;
  const { who, may } = options;
  const watches = !may.camera && !may.microphone;
  const camera = self.isCameraEnabled ? publication(self, 'camera')?.track : undefined;
  const microphone = self.isMicrophoneEnabled ? publication(self, 'microphone')?.track : undefined;
  return html`<section class="prejoin" part="prejoin" aria-labelledby="prejoin-title">
    <div class="preview" part="preview">
      <div class="frame">
        <video
          class=${classMap({ mirrored: true, shown: camera !== undefined })}
          playsinline
          autoplay
          muted
          disablepictureinpicture
          tabindex="-1"
          aria-label=${t('preview')}
          ${video({ track: camera, keep: false, fit: 'fill', watcher })}
        ></video>
        ${
          camera
            ? nothing
            : html`<div class="placeholder">
                <div class="avatar" aria-hidden="true"><span>${initials(who?.name ?? '') || icons.person}</span></div>
                ${may.camera ? html`<p>${t(options.opening ? 'cameraStarting' : 'cameraOffHint')}</p>` : nothing}
              </div>`
        }
      </div>
      ${
        watches
          ? nothing
          : html`<div class="preview-tools" role="group" aria-label=${t('devices')}>
              ${
                may.microphone
                  ? toolButton({
                      action: 'microphone',
                      icon: self.isMicrophoneEnabled ? 'mic' : 'micOff',
                      label: t('mic'),
                      title: t('micTitle'),
                      pressed: self.isMicrophoneEnabled,
                      onClick: options.toggleMicrophone,
                    })
                  : nothing
              }
              ${
                may.camera
                  ? toolButton({
                      action: 'camera',
                      icon: self.isCameraEnabled ? 'camera' : 'cameraOff',
                      label: t('camera'),
                      title: t('cameraTitle'),
                      pressed: self.isCameraEnabled,
                      onClick: options.toggleCamera,
                    })
                  : nothing
              }
              ${
                may.microphone
                  ? html`<div class="sound-check">
                      <span class="level" aria-hidden="true" ${level(microphone, options.onHeard)}></span>
                      <p role="status">${t(microphone ? (options.heard ? 'micWorks' : 'micTest') : 'muted')}</p>
                    </div>`
                  : nothing
              }
            </div>`
      }
    </div>
    <div class="ready">
      <h1 id="prejoin-title">${t('prejoinTitle')}</h1>
      ${
        who
          ? html`<p class="as">
              <span class="as-label">${t('joinAs')}</span>
              ${who.name ? html`<b dir="auto">${who.name}</b>` : nothing}
              <span class="role-chip" data-role=${who.role}>${texts.roles[who.role]}</span>
            </p>`
          : nothing
      }
      ${
        options.problem
          ? notice(texts.errors[options.problem.code], {
              label: t('tryAgain'),
              action: 'retry-media',
              onClick: options.retry,
            })
          : html`<p class="hint">${t(watches ? 'watchOnly' : 'prejoinHint')}</p>`
      }
      ${deviceSelects(view, options.devices, options.choose, may)}
      ${watches || self.isCameraEnabled || self.isMicrophoneEnabled || options.opening ? nothing : html`<p class="hint">${t('joinMuted')}</p>`}
      <div class="join">
        <button type="button" class="primary large" part="primary-button join-button" data-action="join" @click=${options.join}>
          ${t('join')}
        </button>
      </div>
    </div>
  </section>`;
}

/** Something that needs attention, with what can be done about it. */
export function notice(
  text: string,
  button?: { label: string; action: string; onClick(): void },
): TemplateResult {
  return html`<div class="notice" part="notice" role="alert">
    ${icons.alert}
    <p>${text}</p>
    ${
      button
        ? html`<button type="button" class="secondary" data-action=${button.action} @click=${button.onClick}>${button.label}</button>`
        : nothing
    }
  </div>`;
}
