import type { BedsideError, ErrorCode } from '@bedside/protocol';
import { html, nothing, type TemplateResult } from 'lit';
import type { TextKey } from '../texts/index.ts';
import type { DisconnectReason } from '../types.ts';
import { type IconName, icons } from './icons.ts';
import { nameOf } from './people.ts';
import type { Stay, Times } from './times.ts';
import type { View } from './view.ts';

interface Ending {
  icon: IconName;
  title: TextKey;
  /** What to do next; a failure says it by its error. */
  hint?: TextKey;
  rejoin: boolean;
}

const ENDINGS: Record<Exclude<DisconnectReason, 'idle'>, Ending> = {
  left: { icon: 'door', title: 'leftTitle', hint: 'leftHint', rejoin: true },
  'visit-ended': { icon: 'check', title: 'endedTitle', hint: 'endedHint', rejoin: false },
  replaced: { icon: 'person', title: 'replacedTitle', rejoin: true },
  removed: { icon: 'door', title: 'removedTitle', rejoin: false },
  denied: { icon: 'door', title: 'deniedTitle', rejoin: false },
  'token-expired': { icon: 'alert', title: 'expiredTitle', rejoin: true },
  failed: { icon: 'alert', title: 'failedTitle', rejoin: true },
};

const ERROR_OF = {
  replaced: 'replaced',
  removed: 'removed',
  denied: 'removed',
  'token-expired': 'unauthorized',
} as const;

/** With these the way back leads nowhere. */
const FINAL: ReadonlySet<ErrorCode | undefined> = new Set([
  'visit-ended',
  'removed',
  'browser-unsupported',
  'media-unsupported',
] as const);

/** After the visit: what happened, what to do next, and the way back where there is one. */
export function ended(
  view: View,
  reason: DisconnectReason,
  error: BedsideError | undefined,
  // Without a way to a new token nobody comes back with one that has expired.
  { rejoin, canRenew, times }: { rejoin(): void; canRenew: boolean; times: Times },
): TemplateResult {
  const { t, texts } = view;
  const ending = ENDINGS[reason === 'idle' ? 'left' : reason];
  const code =
    error?.code ?? (reason in ERROR_OF ? ERROR_OF[reason as keyof typeof ERROR_OF] : undefined);
  // An ended visit that was found only on joining is no failure of the page.
  const title =
    code === 'visit-ended' ? 'endedTitle' : code === 'unauthorized' ? 'expiredTitle' : ending.title;
  const hint = ending.hint
    ? t(ending.hint)
    : code === 'visit-ended'
      ? t('endedHint')
      : code
        ? texts.errors[code]
        : undefined;
  const mayRejoin = ending.rejoin && !FINAL.has(code) && (code !== 'unauthorized' || canRenew);
  return html`<section class="message ended" part="ended" data-reason=${reason} data-error=${code ?? nothing}>
    <div class="emblem" aria-hidden="true">${icons[code === 'visit-ended' ? 'check' : ending.icon]}</div>
    <h1 tabindex="-1">${t(title)}</h1>
    ${hint ? html`<p>${hint}</p>` : nothing}
    ${summary(view, times)}
    ${
      mayRejoin
        ? html`<button type="button" class="primary large" part="primary-button" data-action="rejoin" @click=${rejoin}>
            ${t(reason === 'failed' ? 'tryAgain' : 'rejoin')}
          </button>`
        : nothing
    }
  </section>`;
}

const MINUTE_MS = 60_000;

/** When oneself was in the visit; for who may end it, everybody's times. */
function summary({ visit, t, texts }: View, times: Times): TemplateResult | typeof nothing {
  const { own } = times;
  if (!own) return nothing;
  const { lang } = texts;
  const clock = new Intl.DateTimeFormat(lang, { timeStyle: 'short' });
  const span = (from: number, to = from): string => clock.formatRange(from, to);
  const lasted = (from: number, to = from): string =>
    t('minutes', { minutes: String(Math.max(1, Math.round((to - from) / MINUTE_MS))) });
  const row = ({ participant, from = 0, to }: Stay): TemplateResult =>
    html`<tr><th scope="row"><span dir="auto">${participant.isLocal ? t('you') : nameOf(participant, texts)}</span></th><td>${span(from, to)}</td><td>${lasted(from, to)}</td></tr>`;
  if (!visit.localParticipant.grants.has('end'))
    return html`<p class="times"><b>${span(own.from, own.to)}</b> · ${lasted(own.from, own.to)}</p>`;
  const stays = [...times.stays.values()].filter(({ from }) => from !== undefined);
  return html`<table class="times" aria-label=${t('times')}>
    <tbody>${stays.map(row)}</tbody>
  </table>`;
}
