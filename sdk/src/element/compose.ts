import { html, type TemplateResult } from 'lit';
import { icons } from './icons.ts';
import type { Host, View } from './view.ts';

/** Characters of one message, as the gateway takes them. */
const LONGEST = 2_000;

/** Where a message is written, with what sends it: the end of a form. */
export const messageLine = ({ t }: View, label: string): TemplateResult =>
  html`<div class="line">
    <textarea
      rows="2"
      maxlength=${LONGEST}
      dir="auto"
      data-action="message"
      aria-label=${label}
      placeholder=${label}
      @keydown=${(event: KeyboardEvent) => {
        if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
        event.preventDefault();
        (event.target as HTMLTextAreaElement).form?.requestSubmit();
      }}
    ></textarea>
    <button type="submit" class="icon-button send" data-action="send" aria-label=${t('send')}>${icons.send}</button>
  </div>`;

/** On `submit` of that form: sends what is written. Where that fails it is not lost. */
export function sendWritten(
  event: Event,
  host: Host,
  send: (text: string) => Promise<unknown>,
): void {
  event.preventDefault();
  const field = (event.currentTarget as HTMLFormElement).querySelector(
    'textarea',
  ) as HTMLTextAreaElement;
  const text = field.value.trim();
  if (text === '') return;
  field.value = '';
  host.run(
    send(text).catch((error) => {
      field.value ||= text;
      throw error;
    }),
  );
}
