import type { BedsideError } from '@bedside/protocol';
import { html, nothing, type TemplateResult } from 'lit';
import { type Act, buttons } from './act.ts';
import { deviceSelects } from './devices-dialog.ts';
import { icons } from './icons.ts';
import { type OwnSetup, preview } from './preview.ts';
import type { View } from './view.ts';

export interface PrejoinOptions extends OwnSetup {
  /** Why the last attempt to open a camera or microphone failed. */
  problem: BedsideError | undefined;
  join(): void;
  retry(): void;
}

/** Before the visit: look at oneself, choose devices, join. Nothing here is needed to join. */
export function prejoin(view: View, options: PrejoinOptions): TemplateResult {
  const { visit, texts, t } = view;
  const { localParticipant: self } = visit;
  const { who, may } = options;
  const watches = !may.camera && !may.microphone;
  return html`<section class="prejoin" part="prejoin" aria-labelledby="prejoin-title">
    ${preview(view, options)}
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
export function notice(text: string, act: Act): TemplateResult {
  return html`<div class="notice" part="notice" role="alert">
    ${icons.alert}
    <p>${text}</p>
    ${buttons([act])}
  </div>`;
}
