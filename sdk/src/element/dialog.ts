import { html, type TemplateResult } from 'lit';
import { icons } from './icons.ts';
import type { View } from './view.ts';

/** A dialog with a heading and a way to close it. Shown with showModal(): the browser keeps the focus inside and gives it back at the end. */
export function dialog(
  { t }: View,
  name: string,
  title: string,
  content: TemplateResult,
): TemplateResult {
  return html`<dialog class="dialog ${name}" part="dialog dialog-${name}" aria-labelledby="${name}-title">
    <form method="dialog">
      <header>
        <h2 id="${name}-title">${title}</h2>
        <button type="button" class="icon-button" aria-label=${t('close')} @click=${closeDialog}>${icons.close}</button>
      </header>
      ${content}
    </form>
  </dialog>`;
}

/** For buttons that are not the one that Enter presses. */
export const closeDialog = ({ currentTarget }: Event): void =>
  (currentTarget as Element).closest('dialog')?.close();

interface Choice {
  action: string;
  label: string;
  danger?: boolean;
  primary?: boolean;
  onClick?(): void;
}

/** A question to be answered before something that can not be taken back. */
export function confirmDialog(
  name: string,
  title: string,
  hint: string,
  choices: readonly Choice[],
): TemplateResult {
  return html`<dialog class="dialog ${name}" part="dialog" aria-labelledby="${name}-title" aria-describedby="${name}-hint">
    <form method="dialog">
      <h2 id="${name}-title">${title}</h2>
      <p id="${name}-hint">${hint}</p>
      <footer>
        ${choices.map(
          ({ action, label, danger, primary, onClick }) =>
            html`<button type="submit" class=${danger ? 'danger' : primary ? 'primary' : 'secondary'} data-action=${action} @click=${onClick}>${label}</button>`,
        )}
      </footer>
    </form>
  </dialog>`;
}
