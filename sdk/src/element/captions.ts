import { html, nothing, type TemplateResult } from 'lit';
import { repeat } from 'lit/directives/repeat.js';
import type { VisitApi } from '../types.ts';
import type { View } from './view.ts';

/** Milliseconds for which a caption stays: two lines at a slow reader's pace. */
const SHOWN_MS = 9_000;
const LINES = 2;

/** What a captioner or text interpreter wrote last, over the pictures; each line for a while. */
export class Captions {
  readonly #changed: () => void;
  /** Numbers of the messages that are shown. */
  #shown: number[] = [];
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();

  constructor(changed: () => void) {
    this.#changed = changed;
  }

  add(number: number): void {
    this.#shown = [...this.#shown, number].slice(-LINES);
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.#shown = this.#shown.filter((one) => one !== number);
      this.#changed();
    }, SHOWN_MS);
    this.#timers.add(timer);
  }

  clear(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    this.#shown = [];
  }

  render({ visit, t, name }: View): TemplateResult | typeof nothing {
    const lines = this.#lines(visit);
    if (lines.length === 0) return nothing;
    return html`<div class="captions" part="captions" role="group" aria-label=${t('captions')}>
      ${repeat(
        lines,
        ({ number }) => number,
        ({ from, text }, index) =>
          html`<p>${from === lines[index - 1]?.from ? nothing : html`<b dir="auto">${name(from)}</b> `}<span dir="auto">${text}</span></p>`,
      )}
    </div>`;
  }

  #lines({ messages }: VisitApi) {
    return messages.filter(({ number }) => this.#shown.includes(number));
  }
}
