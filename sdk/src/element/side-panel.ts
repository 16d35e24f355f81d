import { html, type TemplateResult } from 'lit';
import { icons } from './icons.ts';
import type { View } from './view.ts';

export type PanelName = 'people' | 'chat';

/** A panel beside the pictures; over them where there is no room beside. Escape closes it. */
export function panel(
  { t }: View,
  { name, title, close }: { name: PanelName; title: string; close(): void },
  content: TemplateResult,
): TemplateResult {
  return html`<aside
    class="panel ${name}"
    part="panel panel-${name}"
    aria-labelledby="panel-title"
    @keydown=${(event: KeyboardEvent) => {
      if (event.key !== 'Escape' || event.isComposing) return;
      event.stopPropagation();
      close();
    }}
  >
    <header>
      <h2 id="panel-title" tabindex="-1">${title}</h2>
      <button type="button" class="icon-button" data-action="close-panel" aria-label=${t('close')} @click=${close}>${icons.close}</button>
    </header>
    ${content}
  </aside>`;
}
