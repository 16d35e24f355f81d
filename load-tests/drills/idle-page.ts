import { type ErrorBody, type SessionId, SUPPORTED_VERSIONS } from '@bedside/protocol';
import { backoffMs } from '../../sdk/src/session/machine.ts';
import { visitOfToken } from '../../sdk/src/token.ts';
import { IdleSocket } from '../lib/idle-socket.ts';
import { connectFrame, pongFrame, readFrame, socketUrl } from '../shared/socket-io.ts';

/** As the SDK has it. */
const OPEN_DEADLINE_MS = 10_000;

export interface IdlePageHandlers {
  welcomed(at: number): void;
  /** An open connection is lost. */
  lost(): void;
  refused(code: string): void;
}

/** A page that is connected, and no more: it comes back when and where the SDK's session machine would. */
export class IdlePage {
  readonly #url: string;
  readonly #token: string;
  readonly #handlers: IdlePageHandlers;
  readonly #address: string;
  #socket: IdleSocket | undefined;
  #sessionId: SessionId | undefined;
  #gateway: string | undefined;
  #attempt = 0;
  #isWelcomed = false;
  #isLeft = false;
  #timer: NodeJS.Timeout | undefined;

  /** `gateway`: where it goes at first. `address`: where it comes from. */
  constructor(
    {
      url,
      token,
      gateway,
      address,
    }: { url: string; token: string; gateway: string; address: string },
    handlers: IdlePageHandlers,
  ) {
    this.#url = url;
    this.#token = token;
    this.#handlers = handlers;
    this.#address = address;
    this.#gateway = gateway;
    this.#connect();
  }

  get isWelcomed(): boolean {
    return this.#isWelcomed;
  }

  close(): void {
    this.#isLeft = true;
    clearTimeout(this.#timer);
    this.#socket?.close();
  }

  #connect(): void {
    const named = this.#gateway === undefined ? '' : `&gateway=${this.#gateway}`;
    this.#gateway = undefined;
    let retryAfterMs: number | undefined;
    const socket = new IdleSocket(
      `${socketUrl(this.#url, visitOfToken(this.#token))}${named}`,
      {
        text: (text) => {
          const frame = readFrame(text);
          if (frame.type === 'open')
            socket.send(
              connectFrame({
                token: this.#token,
                versions: SUPPORTED_VERSIONS,
                ...(this.#sessionId && { sessionId: this.#sessionId }),
              }),
            );
          else if (frame.type === 'ping') socket.send(pongFrame);
          else if (frame.type === 'event' && frame.name === 'welcome') {
            this.#sessionId = (frame.payload as { sessionId: SessionId }).sessionId;
            this.#attempt = 0;
            this.#isWelcomed = true;
            clearTimeout(this.#timer);
            this.#handlers.welcomed(performance.now());
          } else if (frame.type === 'refused') {
            const { data } = frame.error as { data?: ErrorBody };
            this.#handlers.refused(data?.code ?? 'unknown');
            retryAfterMs = data?.retryAfterMs;
            // The first time at once.
            if (data?.code === 'moved' && named === '') this.#gateway = data.gateway;
            socket.close();
          }
        },
        closed: () => {
          clearTimeout(this.#timer);
          if (this.#isWelcomed) this.#handlers.lost();
          this.#isWelcomed = false;
          if (this.#isLeft) return;
          const waitMs = this.#gateway ? 0 : backoffMs(this.#attempt++, Math.random());
          this.#timer = setTimeout(() => this.#connect(), (retryAfterMs ?? 0) + waitMs);
        },
      },
      this.#address,
    );
    this.#socket = socket;
    this.#timer = setTimeout(() => socket.close(), OPEN_DEADLINE_MS);
  }
}
