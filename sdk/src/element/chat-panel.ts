import { listensOnly, type ParticipantId, type Reaction } from '@bedside/protocol';
import { html, nothing, type TemplateResult } from 'lit';
import { repeat } from 'lit/directives/repeat.js';
import type { Message, MessageTarget, VisitApi } from '../types.ts';
import { messageLine, sendWritten } from './compose.ts';
import { inOrder, isPrivate } from './people.ts';
import { panel } from './side-panel.ts';
import type { View } from './view.ts';

export const REACTIONS: Readonly<Record<Reaction, string>> = {
  applause: '👏',
  yes: '👍',
  no: '👎',
  heart: '❤️',
  laugh: '😄',
};

const isChat = ({ kind }: Message): boolean => kind === 'chat';

/** Messages to everybody, to those in the same place, or to one person. */
export class ChatPanel {
  readonly #changed: () => void;
  /** `room`, `all` or a participant's id. */
  #to = 'room';
  #caption = false;
  #readTo = 0;

  constructor(changed: () => void) {
    this.#changed = changed;
  }

  /** Messages of others that have not been seen. */
  unread({ messages, localParticipant: self }: VisitApi): number {
    return messages.filter(
      (message) => isChat(message) && message.number > this.#readTo && message.from !== self.id,
    ).length;
  }

  seen({ messages }: VisitApi): void {
    this.#readTo = messages.at(-1)?.number ?? 0;
  }

  /** A message to somebody is next. */
  address(id: ParticipantId): void {
    this.#to = id;
    this.#caption = false;
    this.#changed();
  }

  clear(): void {
    this.#to = 'room';
    this.#readTo = 0;
  }

  render(view: View, close: () => void): TemplateResult {
    const { visit, t } = view;
    this.seen(visit);
    return panel(
      view,
      { name: 'chat', title: t('chat'), close },
      html`${this.messages(view)}${this.#reactions(view)}${this.#form(view)}`,
    );
  }

  /** All messages so far; the newest is in sight. */
  messages(view: View): TemplateResult {
    const { visit, t } = view;
    const messages = visit.messages.filter(isChat);
    return html`<div class="scroll log" tabindex="0" role="group" aria-label=${t('chat')}>
      <ol role="list">
        ${repeat(
          messages,
          ({ number }) => number,
          (message) => bubble(view, message),
        )}
        ${messages.length === 0 ? html`<li class="nothing">${t('chatEmpty')}</li>` : nothing}
      </ol>
    </div>`;
  }

  #reactions({ visit, t, host }: View): TemplateResult | typeof nothing {
    if (!visit.reactionsAllowed) return nothing;
    return html`<div class="reactions" role="group" aria-label=${t('reactions')}>
      ${(Object.entries(REACTIONS) as [Reaction, string][]).map(
        ([reaction, symbol]) =>
          html`<button type="button" class="icon-button" data-action="react-${reaction}" aria-label=${symbol} @click=${() => host.run(visit.react(reaction))}>${symbol}</button>`,
      )}
    </div>`;
  }

  #form(view: View): TemplateResult | typeof nothing {
    const { visit, t } = view;
    const { localParticipant: self, participants } = visit;
    const { grants } = self;
    if (!grants.has('chat') && !grants.has('caption')) return nothing;
    // The audience of a lecture writes to who may admit alone.
    const listens = listensOnly(visit.kind ?? 'visit', [...grants]);
    const people = inOrder(participants.values()).filter(({ state, mayAttend }) =>
      listens ? mayAttend : state === 'admitted' || (state === 'waiting' && grants.has('admit')),
    );
    const others: [string, string][] = [
      ['room', t(isPrivate(self) ? 'toRoom' : 'toHere')],
      ['all', t('toAll')],
      ...people.map(({ id }): [string, string] => [id, t('toOne', { name: view.name(id) })]),
    ];
    if (listens) others.splice(0, 2);
    if (others.length === 0) return nothing;
    if (!others.some(([value]) => value === this.#to)) this.#to = others[0]?.[0] ?? 'room';
    const mayBoth = grants.has('chat') && grants.has('caption');
    const caption = grants.has('caption') && (this.#caption || !mayBoth);
    return html`<form
      class="compose"
      @submit=${(event: Event) => this.#send(view, event, caption)}
    >
      ${
        mayBoth
          ? html`<label class="check"><input type="checkbox" .checked=${this.#caption} data-action="caption" @change=${(
              event: Event,
            ) => {
              this.#caption = (event.target as HTMLInputElement).checked;
              this.#changed();
            }} /><span><b>${t('captions')}</b></span></label>`
          : nothing
      }
      ${
        caption
          ? nothing
          : html`<label class="field"><span>${t('to')}</span>
              <select part="select" data-action="to" @change=${(event: Event) => {
                this.#to = (event.target as HTMLSelectElement).value;
                this.#changed();
              }}>${others.map(([value, label]) => html`<option value=${value} .selected=${value === this.#to}>${label}</option>`)}</select>
            </label>`
      }
      ${messageLine(view, t(caption ? 'captions' : 'write'))}
    </form>`;
  }

  #send({ visit, host }: View, event: Event, caption: boolean): void {
    const to: MessageTarget =
      caption || this.#to === 'room'
        ? { type: 'room' }
        : this.#to === 'all'
          ? { type: 'all' }
          : { type: 'participant', participantId: this.#to as ParticipantId };
    const kind = caption ? 'caption' : 'chat';
    sendWritten(event, host, (text) => visit.sendMessage(text, { to, kind }));
  }
}

/** Who wrote what, to whom where that is not everybody here, and when. */
function bubble(view: View, { from, to, text, at }: Message): TemplateResult {
  const { visit, t, texts } = view;
  const mine = from === visit.localParticipant.id;
  const toOne = to.type === 'participant';
  const whom = !toOne ? '' : mine ? t('toOne', { name: view.name(to.participantId) }) : t('toYou');
  return html`<li class="bubble ${mine ? 'mine' : ''} ${toOne ? 'private' : ''}">
    <small><b dir="auto">${view.name(from)}</b>${whom ? html` <span>${whom}</span>` : nothing} <time datetime=${new Date(at).toISOString()}>${clock(texts.lang, at)}</time></small>
    <p dir="auto">${text}</p>
  </li>`;
}

export const clock = (lang: string, at: number): string =>
  new Intl.DateTimeFormat(lang, { timeStyle: 'short' }).format(at);
