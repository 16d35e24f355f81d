import type { ParticipantId } from '@bedside/protocol';
import { html, nothing, type TemplateResult } from 'lit';
import { buttons } from './act.ts';
import { type Banner, banners } from './banner.ts';
import { clock } from './chat-panel.ts';
import { messageLine, sendWritten } from './compose.ts';
import { deviceSelects } from './devices-dialog.ts';
import { icons } from './icons.ts';
import { nameOf } from './people.ts';
import { type OwnSetup, preview } from './preview.ts';
import type { View } from './view.ts';

export interface WaitingOptions extends OwnSetup {
  banners: readonly (Banner | false)[];
  leave(): void;
}

/** A calm place to wait: for whom, for how long, what the clinic says; and time to test one's devices. */
export function waitingRoom(view: View, options: WaitingOptions): TemplateResult {
  const { t } = view;
  return html`<section class="waiting-room" part="waiting-room" aria-labelledby="waiting-room-title">
    ${banners(view, options.banners)}
    <div class="prejoin">
      <div class="ready">
        <div class="emblem" aria-hidden="true">${icons.door}</div>
        <h1 id="waiting-room-title" tabindex="-1">${t('waiting')}</h1>
        <p class="awaited">${awaited(view)}</p>
        ${expected(view)} ${news(view)}
        <details>
          <summary>${icons.settings}${t('settingsTitle')}</summary>
          ${deviceSelects(view, options.devices, options.choose, options.may)}
        </details>
        <p class="hint">${t('waitingKeep')}</p>
        <div>${buttons([{ action: 'leave', label: t('leaveWaiting'), onClick: options.leave }])}</div>
      </div>
      ${preview(view, options)}
    </div>
  </section>`;
}

/** For whom they wait, where that may be known. */
function awaited({ visit, t, texts }: View): string {
  const provider =
    visit.responsible ??
    [...visit.participants.values()].find(
      ({ role, state }) => role === 'provider' && state === 'admitted',
    );
  return provider ? t('waitingFor', { name: nameOf(provider, texts) }) : t('waitingHint');
}

/** What the clinic shares of the wait. */
function expected({ visit, t, texts }: View): TemplateResult | typeof nothing {
  const { ahead, expectedAt } = visit.wait ?? {};
  if (ahead === undefined && expectedAt === undefined) return nothing;
  const place =
    ahead === undefined
      ? nothing
      : html`<li>${icons.people}<b>${ahead === 0 ? t('aheadNone') : ahead === 1 ? t('aheadOne') : t('ahead', { count: String(ahead) })}</b></li>`;
  const time =
    expectedAt === undefined
      ? nothing
      : html`<li>${icons.clock}<b>${t('expectedAt', { time: clock(texts.lang, expectedAt) })}</b></li>`;
  return html`<ul class="expected" role="list">${place}${time}</ul>`;
}

/** What the clinic wrote meanwhile and what was answered, the newest first; and how to answer. */
function news(view: View): TemplateResult | typeof nothing {
  const { visit, t, texts, name } = view;
  const self = visit.localParticipant.id;
  const all = visit.messages.filter(({ kind }) => kind === 'chat');
  if (all.length === 0) return nothing;
  const last = all.findLast(({ from }) => from !== self);
  return html`<section class="news" aria-label=${t('chat')}>
    <ol role="list">
      ${all
        .slice(-3)
        .reverse()
        .map(
          ({ from, text, at }) =>
            html`<li><small><b dir="auto">${name(from)}</b> <time datetime=${new Date(at).toISOString()}>${clock(texts.lang, at)}</time></small><p dir="auto">${text}</p></li>`,
        )}
    </ol>
    ${visit.localParticipant.grants.has('chat') ? reply(view, last?.from) : nothing}
  </section>`;
}

/** Who is in the visit can be answered. Who wrote from outside, from the clinic's list, reads nothing here. */
function reply(view: View, participantId: ParticipantId | undefined): TemplateResult {
  const { visit, t, host } = view;
  if (participantId === undefined) return html`<p class="hint">${t('replyNot')}</p>`;
  const to = { type: 'participant', participantId } as const;
  return html`<form class="compose" @submit=${(event: Event) =>
    sendWritten(event, host, (text) => visit.sendMessage(text, { to }))}>
    ${messageLine(view, t('reply'))}
  </form>`;
}
