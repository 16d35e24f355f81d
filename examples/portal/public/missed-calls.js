/** Calls that rang here and went elsewhere, or to nobody, until they are dismissed: whoever was away sees them after. */
import { byId, el, t } from './page.js';
import { clock } from './times.js';

/** More are no news. */
const KEPT = 5;

export class MissedCalls {
  /** By call. */
  #missed = new Map();
  #what;

  /** @param what says what a call is for */
  constructor(what) {
    this.#what = what;
    byId('missed-dismiss').addEventListener('click', () => {
      this.#missed.clear();
      this.show();
      byId('duty-title').focus();
    });
  }

  /** @param reason a RingEndReason; `at` milliseconds since 1970 */
  add(call, reason, at) {
    this.#missed.set(call.callId, { call, reason, at });
    const [oldest] = this.#missed.keys();
    if (this.#missed.size > KEPT) this.#missed.delete(oldest);
  }

  /** It rings again: the connection was away for a moment. */
  remove({ callId }) {
    this.#missed.delete(callId);
  }

  get count() {
    return this.#missed.size;
  }

  show() {
    byId('missed').hidden = this.count === 0;
    byId('missed-list').replaceChildren(
      ...[...this.#missed.values()]
        .reverse()
        .map(({ call, reason, at }) =>
          el(
            'li',
            {},
            el('b', {}, this.#what(call)),
            el('small', {}, `${clock(at)} · ${t(`ringEnded.${reason}`)}`),
          ),
        ),
    );
  }
}
