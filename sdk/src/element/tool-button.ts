import { html, nothing, type TemplateResult } from 'lit';
import { ifDefined } from 'lit/directives/if-defined.js';
import { type IconName, icons } from './icons.ts';
import type { View } from './view.ts';

export interface ToolOptions {
  action: string;
  icon: IconName;
  label: string;
  title: string;
  /** For toggles: whether it is on. */
  pressed?: boolean;
  /** For what shows and hides: whether it is shown. */
  expanded?: boolean;
  /** Single key that does the same. */
  key?: string | undefined;
  /** How many things wait behind it; 0 for none. */
  badge?: number;
  onClick(): void;
}

/** A button with a symbol and its name below. Toggles say their state by aria-pressed, their name stays. */
export function toolButton(options: ToolOptions): TemplateResult {
  const { action, icon, label, title, pressed, expanded, key, badge = 0, onClick } = options;
  return html`<button
    type="button"
    class="tool ${action}"
    part="button button-${action}"
    data-action=${action}
    title=${key ? `${title} (${key})` : title}
    aria-pressed=${ifDefined(pressed === undefined ? undefined : pressed ? 'true' : 'false')}
    aria-expanded=${ifDefined(expanded === undefined ? undefined : expanded ? 'true' : 'false')}
    aria-keyshortcuts=${ifDefined(key)}
    @click=${onClick}
  >
    <span class="glyph">${icons[icon]}${badge > 0 ? html`<span class="badge" part="badge">${badge}</span>` : nothing}</span>
    <span class="caption">${label}${key ? html`<kbd aria-hidden="true">${key}</kbd>` : nothing}</span>
  </button>`;
}

export const microphoneTool = (
  { visit: { localParticipant: self }, t }: View,
  { toggleMicrophone }: { toggleMicrophone(): void },
): ToolOptions => ({
  action: 'microphone',
  icon: self.isMicrophoneEnabled ? 'mic' : 'micOff',
  label: t('mic'),
  title: t('micTitle'),
  pressed: self.isMicrophoneEnabled,
  onClick: toggleMicrophone,
});

export const cameraTool = (
  { visit: { localParticipant: self }, t }: View,
  { toggleCamera }: { toggleCamera(): void },
): ToolOptions => ({
  action: 'camera',
  icon: self.isCameraEnabled ? 'camera' : 'cameraOff',
  label: t('camera'),
  title: t('cameraTitle'),
  pressed: self.isCameraEnabled,
  onClick: toggleCamera,
});
