import type { BedsideError } from '@bedside/protocol';
import { html, nothing, type TemplateResult } from 'lit';
import { classMap } from 'lit/directives/class-map.js';
import { type ChooseDevice, type DeviceLists, deviceSelects } from './devices-dialog.ts';
import { icons } from './icons.ts';
import { initials, publication } from './people.ts';
import { toolButton } from './toolbar.ts';
import { video } from './video.ts';
import type { View } from './view.ts';

export interface PrejoinOptions {
  devices: DeviceLists;
  choose: ChooseDevice;
  /** Why the last attempt to open a camera or microphone failed. */
  problem: BedsideError | undefined;
  /** A device is being opened. */
  opening: boolean;
  join(): void;
  toggleMicrophone(): void;
  toggleCamera(): void;
  retry(): void;
}

/** Before the visit: look at oneself, choose devices, join. Nothing here is needed to join. */
export function prejoin(view: View, options: PrejoinOptions): TemplateResult {
  const { visit, texts, t } = view;
  const { localParticipant: self } = visit;
  const track = publication(self, 'camera')?.track;
  const cameraOn = self.isCameraEnabled && track !== undefined;
  const role = texts.roles[self.role];
  return html`<section class="prejoin" part="prejoin" aria-labelledby="prejoin-title">
    <div class="preview" part="preview">
      <div class=${classMap({ frame: true, on: cameraOn })}>
        <video
          class=${classMap({ mirrored: true, shown: cameraOn })}
          playsinline
          autoplay
          muted
          disablepictureinpicture
          tabindex="-1"
          aria-label=${t('preview')}
          ${video({ track: self.isCameraEnabled ? track : undefined, keep: false })}
        ></video>
        ${
          cameraOn
            ? nothing
            : html`<div class="placeholder">
                <div class="avatar" aria-hidden="true"><span>${initials(self.name ?? '') || icons.person}</span></div>
                <p>${t(options.opening ? 'cameraStarting' : 'cameraOffHint')}</p>
              </div>`
        }
        <div class="preview-tools" role="group" aria-label=${t('devices')}>
          ${toolButton({
            action: 'microphone',
            icon: self.isMicrophoneEnabled ? 'mic' : 'micOff',
            label: t('mic'),
            title: t('micTitle'),
            pressed: self.isMicrophoneEnabled,
            onClick: options.toggleMicrophone,
          })}
          ${toolButton({
            action: 'camera',
            icon: self.isCameraEnabled ? 'camera' : 'cameraOff',
            label: t('camera'),
            title: t('cameraTitle'),
            pressed: self.isCameraEnabled,
            onClick: options.toggleCamera,
          })}
        </div>
      </div>
    </div>
    <div class="ready">
      <h1 id="prejoin-title">${t('prejoinTitle')}</h1>
      <p class="as">
        <span class="as-label">${t('joinAs')}</span>
        ${self.name ? html`<b>${self.name}</b>` : nothing}
        <span class="role-chip" data-role=${self.role}>${role}</span>
      </p>
      ${
        options.problem
          ? notice(texts.errors[options.problem.code], {
              label: t('tryAgain'),
              action: 'retry-media',
              onClick: options.retry,
            })
          : html`<p class="hint">${t('prejoinHint')}</p>`
      }
      ${deviceSelects(view, options.devices, options.choose)}
      <button type="button" class="primary large" part="primary-button join-button" data-action="join" @click=${options.join}>
        ${t('join')}
      </button>
      ${self.isCameraEnabled || self.isMicrophoneEnabled || options.opening ? nothing : html`<p class="hint">${t('joinMuted')}</p>`}
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
