import { BedsideError } from '@bedside/protocol';
import type { ConnectionState, DisconnectReason } from '../types.ts';
import type { SessionState } from './machine.ts';

/** What a session has come to, as a page sees it, and who waits for it to be connected. */
export class Lifecycle {
  #state: ConnectionState = 'disconnected';
  #reason: DisconnectReason | undefined = 'idle';
  #error: BedsideError | undefined;
  #waiters: { resolve(): void; reject(error: BedsideError): void }[] = [];

  get state(): ConnectionState {
    return this.#state;
  }

  /** Why it is `disconnected`. */
  get reason(): DisconnectReason | undefined {
    return this.#reason;
  }

  /** What ended it, where it failed. */
  get error(): BedsideError | undefined {
    return this.#error;
  }

  /** Resolves once it is connected. @throws BedsideError why it never was */
  connected(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject });
    });
  }

  /** Follows a transition. Where the page sees another state, `tell` runs before those who wait go on. */
  follow(
    { phase, reason, failure }: SessionState,
    previous: SessionState,
    error: BedsideError | undefined,
    tell: () => void,
  ): void {
    if (phase === previous.phase || phase === 'idle') return;
    const ended = phase === 'disconnected';
    this.#state = phase;
    this.#reason = ended ? reason : undefined;
    this.#error = ended && failure ? (error ?? new BedsideError(failure.code)) : undefined;
    // Taken before listeners run: one of them may begin the next session.
    const waiters = ended || phase === 'connected' ? this.#waiters.splice(0) : [];
    const rejection = this.#error ?? new BedsideError(endCode(reason));
    tell();
    for (const waiter of waiters) {
      if (ended) waiter.reject(rejection);
      else waiter.resolve();
    }
  }
}

/** For a connect() that another call ended. */
function endCode(
  reason: SessionState['reason'],
): 'removed' | 'replaced' | 'visit-ended' | 'unauthorized' | 'not-joined' {
  if (reason === 'removed' || reason === 'replaced' || reason === 'visit-ended') return reason;
  if (reason === 'denied') return 'removed';
  return reason === 'token-expired' ? 'unauthorized' : 'not-joined';
}
