import type { Role } from '@bedside/protocol';
import { html, nothing, type TemplateResult } from 'lit';
import { classMap } from 'lit/directives/class-map.js';
import type { ChooseDevice, DeviceLists, MaySend } from './devices-dialog.ts';
import { icons } from './icons.ts';
import { level } from './level.ts';
import { initials, publication } from './people.ts';
import { cameraTool, microphoneTool, toolButton } from './tool-button.ts';
import { video } from './video.ts';
import type { View } from './view.ts';

/** One's own camera, microphone and speaker, before others see or hear anything of them. */
export interface OwnSetup {
  /** Who one is, as the token says; undefined until it is there. */
  who: { role: Role; name?: string | undefined } | undefined;
  may: MaySend;
  devices: DeviceLists;
  choose: ChooseDevice;
  /** A device is being opened. */
  opening: boolean;
  /** Something was heard over the microphone. */
  heard: boolean;
  onHeard(): void;
  toggleMicrophone(): void;
  toggleCamera(): void;
}

/** One's own picture, the switches of camera and microphone, and how loud one is. */
export function preview(view: View, options: OwnSetup): TemplateResult {
  const { visit, t, host } = view;
  const { localParticipant: self } = visit;
  const { who, may } = options;
  const camera = self.isCameraEnabled ? publication(self, 'camera')?.track : undefined;
  const microphone = self.isMicrophoneEnabled ? publication(self, 'microphone')?.track : undefined;
  return html`<div class="preview" part="preview">
    <div class="frame">
      <div
        class=${classMap({ picture: true, mirrored: true, shown: camera !== undefined })}
        ${video({
          track: camera,
          keep: false,
          fit: 'fill',
          watcher: host.watcher,
          label: t('preview'),
        })}
      ></div>
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
      may.camera || may.microphone
        ? html`<div class="preview-tools" role="group" aria-label=${t('devices')}>
            ${may.microphone ? toolButton(microphoneTool(view, options)) : nothing}
            ${may.camera ? toolButton(cameraTool(view, options)) : nothing}
            ${
              may.microphone
                ? html`<div class="sound-check">
                    <span class="level" aria-hidden="true" ${level(microphone, options.onHeard)}></span>
                    <p role="status">${t(microphone ? (options.heard ? 'micWorks' : 'micTest') : 'muted')}</p>
                  </div>`
                : nothing
            }
          </div>`
        : nothing
    }
  </div>`;
}
