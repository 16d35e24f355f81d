import type { BedsideError, ErrorCode } from '@bedside/protocol';
import { html, nothing, type TemplateResult } from 'lit';
import type { TextKey } from '../texts/index.ts';
import type { DisconnectReason } from '../types.ts';
import { type IconName, icons } from './icons.ts';
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
  { rejoin, canRenew }: { rejoin(): void; canRenew: boolean },
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
    ${
      mayRejoin
        ? html`<button type="button" class="primary large" part="primary-button" data-action="rejoin" @click=${rejoin}>
            ${t(reason === 'failed' ? 'tryAgain' : 'rejoin')}
          </button>`
        : nothing
    }
  </section>`;
}
