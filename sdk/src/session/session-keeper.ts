import type { SessionId } from '@bedside/protocol';

/**
 * Holds the id of the session. An invitation lets in one page, once; so that a reload is not its end,
 * the session of an invitation is in the tab's storage too.
 */
export class SessionKeeper {
  #id: SessionId | undefined;
  #key: string | undefined;

  get id(): SessionId | undefined {
    return this.#id;
  }

  /** Whom the token lets in. */
  identify({ jti, isGuest }: { jti: string; isGuest: boolean }): void {
    this.#key = isGuest ? `bedside:${jti}` : undefined;
    this.#store((storage, key) => {
      this.#id ??= (storage.getItem(key) as SessionId | null) ?? undefined;
    });
  }

  keep(id: SessionId): void {
    this.#id = id;
    this.#store((storage, key) => storage.setItem(key, id));
  }

  forget(): void {
    this.#id = undefined;
    this.#store((storage, key) => storage.removeItem(key));
  }

  #store(act: (storage: Storage, key: string) => void): void {
    try {
      if (this.#key) act(sessionStorage, this.#key);
    } catch {
      // Forbidden in this frame, or full: a reload needs a new invitation then.
    }
  }
}
