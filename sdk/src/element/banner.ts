import { html, nothing, type TemplateResult } from 'lit';
import { repeat } from 'lit/directives/repeat.js';
import { type Act, buttons, given } from './act.ts';
import { type IconName, icons } from './icons.ts';
import type { View } from './view.ts';

/** Something that needs attention while the visit goes on, with what can be done about it. */
export interface Banner {
  name: string;
  icon: IconName | 'spinner';
  text: string;
  tone?: 'warning' | 'accent' | 'private';
  /** Read out at once. What the live region says anyway is not. */
  alert?: boolean;
  acts?: readonly (Act | false)[];
  dismiss?: (() => void) | undefined;
}

export function banners({ t }: View, all: readonly (Banner | false)[]): TemplateResult {
  return html`<div class="banners">
    ${repeat(
      given(all),
      ({ name }) => name,
      ({ name, icon, text, tone = '', alert, acts = [], dismiss }) => html`<div
        class="banner ${tone}"
        part="banner banner-${name}"
        data-banner=${name}
        role=${alert ? 'alert' : nothing}
      >
        ${icon === 'spinner' ? html`<span class="spinner" aria-hidden="true"></span>` : icons[icon]}
        <p dir="auto">${text}</p>
        ${dismiss ? html`<button type="button" class="icon-button" aria-label=${t('close')} @click=${dismiss}>${icons.close}</button>` : nothing}
        ${given(acts).length > 0 ? html`<div class="deeds">${buttons(acts)}</div>` : nothing}
      </div>`,
    )}
  </div>`;
}
