import type { CallId } from '@bedside/protocol';
import type { CallInfo } from '../types.ts';
import type { Banner } from './banner.ts';
import type { View } from './view.ts';

/** How the calls of a visit go, from the moment in which this page saw them ring. */
export class Calls {
  readonly #changed: () => void;
  /** What was said last of each. */
  readonly #said = new Map<CallId, string>();
  readonly #closed = new Set<CallId>();

  constructor(changed: () => void) {
    this.#changed = changed;
  }

  clear(): void {
    this.#said.clear();
    this.#closed.clear();
  }

  /** What is news of them, for the live region. */
  news(view: View): string[] {
    return view.visit.calls.flatMap((call) => {
      const before = this.#said.get(call.callId);
      // How a call ended before this page came is no news.
      const text =
        before === undefined && call.state !== 'ringing' ? undefined : textOf(view, call);
      if (text === undefined || text === before) return [];
      this.#said.set(call.callId, text);
      return [text];
    });
  }

  banners(view: View): Banner[] {
    const { visit, t, host } = view;
    const { participants } = visit;
    return visit.calls
      .filter(({ callId }) => this.#said.has(callId) && !this.#closed.has(callId))
      .filter(({ state }) => state !== 'cancelled')
      .filter(({ acceptedBy: by }) => !by || !(participants.has(by) || host.known(by)))
      .map((call) => {
        const { callId, state } = call;
        const rings = state === 'ringing';
        return {
          name: `call-${callId}`,
          icon: state === 'unanswered' ? 'alert' : 'spinner',
          text: textOf(view, call),
          acts: [
            rings && {
              action: 'cancel-call',
              label: t('cancel'),
              onClick: () => host.run(visit.cancelCall(callId)),
            },
            state === 'unanswered' && {
              action: 'call-again',
              label: t('callAgain'),
              onClick: () => {
                this.#close(callId);
                host.open('call');
              },
            },
          ],
          dismiss: rings ? undefined : () => this.#close(callId),
        };
      });
  }

  #close(callId: CallId): void {
    this.#closed.add(callId);
    this.#changed();
  }
}

function textOf({ t, texts }: View, { state, role: called, group, groups }: CallInfo): string {
  const role = texts.roles[called];
  switch (state) {
    case 'ringing':
      return groups > 1
        ? t('callRingsGroup', { role, group: String(group + 1), groups: String(groups) })
        : t('callRings', { role });
    case 'accepted':
      return t('callAccepted', { role });
    case 'unanswered':
      return t('callUnanswered', { role });
    case 'cancelled':
      return t('callCancelled', { role });
  }
}
