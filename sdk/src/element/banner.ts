import { html, nothing, type TemplateResult } from 'lit';
import { repeat } from 'lit/directives/repeat.js';
import { type IconName, icons } from './icons.ts';
import type { View } from './view.ts';

export interface BannerButton {
  action: string;
  label: string;
  primary?: boolean;
  onClick(): void;
}

/** Something that needs attention while the visit goes on, with what can be done about it. */
export interface Banner {
  name: string;
  icon: IconName | 'spinner';
  text: string;
  tone?: 'warning' | 'accent' | 'private';
  /** Read out at once. What the live region says anyway is not. */
  alert?: boolean;
  buttons?: readonly (BannerButton | false)[];
  dismiss?: (() => void) | undefined;
}

/** Those that there are: conditions leave `false` in their lists. */
const shown = <One>(all: readonly (One | false)[]): One[] => all.filter(Boolean) as One[];

export function banners({ t }: View, all: readonly (Banner | false)[]): TemplateResult {
  return html`<div class="banners">
    ${repeat(
      shown(all),
      ({ name }) => name,
      ({ name, icon, text, tone = '', alert, buttons = [], dismiss }) => html`<div
        class="banner ${tone}"
        part="banner banner-${name}"
        data-banner=${name}
        role=${alert ? 'alert' : nothing}
      >
        ${icon === 'spinner' ? html`<span class="spinner" aria-hidden="true"></span>` : icons[icon]}
        <p dir="auto">${text}</p>
        ${dismiss ? html`<button type="button" class="icon-button" aria-label=${t('close')} @click=${dismiss}>${icons.close}</button>` : nothing}
        ${
          shown(buttons).length > 0
            ? html`<div class="deeds">
                ${shown(buttons).map(
                  ({ action, label, primary, onClick }) =>
                    html`<button type="button" class=${primary ? 'primary' : 'secondary'} data-action=${action} @click=${onClick}>${label}</button>`,
                )}
              </div>`
            : nothing
        }
      </div>`,
    )}
  </div>`;
}
