import type { ParticipantId } from '@bedside/protocol';
import { html, type TemplateResult } from 'lit';
import { repeat } from 'lit/directives/repeat.js';
import type { Participant, VisitApi } from '../types.ts';
import { type Announcement, announced, changesToSay, type Heard, heard } from './announcer.ts';
import type { View } from './view.ts';

/** Says what happens to who can not see it: the lines of the live region. */
export class Narrator {
  readonly #changed: () => void;
  #lines: Announcement[] = [];
  #heard = new Map<ParticipantId, Heard>();

  constructor(changed: () => void) {
    this.#changed = changed;
  }

  say(line: string): void {
    this.#lines = announced(this.#lines, line);
    this.#changed();
  }

  /** Those who are there already are not read out; what changes of them is. */
  knows({ participants }: VisitApi): void {
    for (const participant of participants.values()) this.meets(participant);
  }

  meets(participant: Participant): void {
    this.#heard.set(participant.id, heard(participant));
  }

  changed(view: Pick<View, 't' | 'texts'>, participant: Participant): void {
    for (const line of changesToSay(view, participant, this.#heard.get(participant.id)))
      this.say(line);
    this.meets(participant);
  }

  forget(id?: ParticipantId): void {
    if (id === undefined) this.#heard.clear();
    else this.#heard.delete(id);
  }

  render(): TemplateResult {
    return html`<div class="hidden" role="log" aria-live="polite" aria-relevant="additions">
      ${repeat(
        this.#lines,
        ({ id }) => id,
        ({ text }) => html`<p>${text}</p>`,
      )}
    </div>`;
  }
}
