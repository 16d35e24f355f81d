import { BedsideError } from '@bedside/protocol';

/** Transport states as RTCPeerConnection names them. */
export type PathState = 'new' | 'connecting' | 'connected' | 'disconnected' | 'failed' | 'closed';

export interface IceGuardPort {
  /** Whether the gateway can be asked at all. */
  canAsk(): boolean;
  /** Asks for new credentials and restarts ICE with them. */
  restart(): Promise<void>;
  /** ICE can not be mended: only new transports help. */
  giveUp(): void;
}

/** A lost consent check often heals by itself: look again after this long. */
export const SETTLE_MS = 2_000;
/** A restart has this long to reach `connected`. */
export const RESTART_MS = 3_000;
/** After so many the node is out of reach, and another one may not be. */
export const RESTARTS_MAX = 2;

/** Watches over one transport's ICE: waits, looks again, restarts, gives up. */
export class IceGuard {
  readonly #port: IceGuardPort;
  #state: PathState = 'new';
  #restarts = 0;
  #asking = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(port: IceGuardPort) {
    this.#port = port;
  }

  stateChanged(state: PathState): void {
    this.#state = state;
    if (state === 'connected' || state === 'closed') {
      clearTimeout(this.#timer);
      this.#restarts = 0;
    } else if (state === 'disconnected') {
      this.#lookAgain(SETTLE_MS);
    } else if (state === 'failed' && !this.#asking) {
      void this.#restart();
    }
  }

  get isConnected(): boolean {
    return this.#state === 'connected';
  }

  /** The node sees no path, though this side may not have noticed yet. Resolves once a restart is answered. */
  async peerFailed(): Promise<void> {
    if (this.#state !== 'closed' && this.#state !== 'new' && !this.#asking) await this.#restart();
  }

  /** The network changed or the gateway is back: mend now what is broken. */
  check(): void {
    if ((this.#state === 'disconnected' || this.#state === 'failed') && !this.#asking)
      void this.#restart();
  }

  close(): void {
    this.stateChanged('closed');
  }

  get #isBroken(): boolean {
    return (
      this.#state === 'disconnected' || this.#state === 'failed' || this.#state === 'connecting'
    );
  }

  #lookAgain(afterMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (this.#isBroken && !this.#asking) void this.#restart();
    }, afterMs);
  }

  async #restart(): Promise<void> {
    clearTimeout(this.#timer);
    // Without a gateway there are no credentials; check() is called when it is back.
    if (!this.#port.canAsk()) return;
    if (this.#restarts >= RESTARTS_MAX) return this.#giveUp();
    this.#restarts += 1;
    this.#asking = true;
    try {
      await this.#port.restart();
    } catch (error) {
      this.#asking = false;
      if (this.#state === 'closed') return;
      const code = error instanceof BedsideError ? error.code : undefined;
      if (code === 'not-found' || code === 'not-joined' || code === 'media-lost')
        return this.#giveUp();
      return this.#lookAgain(SETTLE_MS);
    }
    this.#asking = false;
    if (this.#isBroken) this.#lookAgain(RESTART_MS);
  }

  #giveUp(): void {
    this.close();
    this.#port.giveUp();
  }
}
