import { html, nothing, type TemplateResult } from 'lit';
import { ifDefined } from 'lit/directives/if-defined.js';
import { type IconName, icons } from './icons.ts';
import type { View } from './view.ts';

export interface ToolbarActions {
  toggleMicrophone(): void;
  toggleCamera(): void;
  toggleScreen(): void;
  openDevices(): void;
  askEnd(): void;
  leave(): void;
}

interface ButtonOptions {
  action: string;
  icon: IconName;
  label: string;
  title: string;
  /** For toggles: whether it is on. */
  pressed?: boolean;
  /** Single key that does the same. */
  key?: string | undefined;
  disabled?: boolean;
  onClick(): void;
}

/** A button with a symbol and its name below. Toggles say their state by aria-pressed, their name stays. */
export function toolButton(options: ButtonOptions): TemplateResult {
  const { action, icon, label, title, pressed, key, disabled = false, onClick } = options;
  return html`<button
    type="button"
    class="tool ${action}"
    part="button button-${action}"
    data-action=${action}
    title=${key ? `${title} (${key})` : title}
    aria-pressed=${ifDefined(pressed === undefined ? undefined : pressed ? 'true' : 'false')}
    aria-keyshortcuts=${ifDefined(key)}
    ?disabled=${disabled}
    @click=${onClick}
  >
    <span class="glyph">${icons[icon]}</span>
    <span class="caption">${label}${key ? html`<kbd aria-hidden="true">${key}</kbd>` : nothing}</span>
  </button>`;
}

export function toolbar(
  { visit, t }: View,
  actions: ToolbarActions,
  shortcuts: boolean,
): TemplateResult {
  const { localParticipant: self } = visit;
  const { grants } = self;
  return html`<div class="toolbar" part="toolbar" role="group" aria-label=${t('controls')}>
    ${
      grants.has('publish-audio')
        ? toolButton({
            action: 'microphone',
            icon: self.isMicrophoneEnabled ? 'mic' : 'micOff',
            label: t('mic'),
            title: t('micTitle'),
            pressed: self.isMicrophoneEnabled,
            key: shortcuts ? 'M' : undefined,
            onClick: actions.toggleMicrophone,
          })
        : nothing
    }
    ${
      grants.has('publish-video')
        ? toolButton({
            action: 'camera',
            icon: self.isCameraEnabled ? 'camera' : 'cameraOff',
            label: t('camera'),
            title: t('cameraTitle'),
            pressed: self.isCameraEnabled,
            key: shortcuts ? 'V' : undefined,
            onClick: actions.toggleCamera,
          })
        : nothing
    }
    ${
      grants.has('publish-screen') && canShareScreen()
        ? toolButton({
            action: 'screen',
            icon: 'share',
            label: t('share'),
            title: t('shareTitle'),
            pressed: self.isScreenShareEnabled,
            onClick: actions.toggleScreen,
          })
        : nothing
    }
    ${toolButton({ action: 'devices', icon: 'settings', label: t('settings'), title: t('settingsTitle'), onClick: actions.openDevices })}
    ${grants.has('end') ? toolButton({ action: 'end', icon: 'end', label: t('end'), title: t('endTitle'), onClick: actions.askEnd }) : nothing}
    ${toolButton({ action: 'leave', icon: 'leave', label: t('leave'), title: t('leaveTitle'), onClick: actions.leave })}
  </div>`;
}

/** Phones have no screen to share. */
const canShareScreen = (): boolean => typeof navigator.mediaDevices?.getDisplayMedia === 'function';
