import {
  BedsideError,
  type CloseReason,
  type CommandMap,
  type TenantId,
  toBedsideError,
} from '@bedside/protocol';
import type { Logger } from '@bedside/service';
import { type Rate, TokenBucket } from '@bedside/service';
import type { Namespace, Socket } from 'socket.io';
import type { GatewayTelemetry } from '../metrics.ts';
import { CommandDesk } from './commands.ts';
import { withDeadline } from './deadline.ts';
import { ExpiryTimer } from './expiry-timer.ts';

/** A command is answered within this, milliseconds, whatever happens behind it. */
export const COMMAND_DEADLINE_MS = 15_000;

/** Who was let in by a door; `open` is called once, and the rest after it. */
export interface Page {
  /** Says `welcome`. */
  open(): void;
  /** Milliseconds since 1970 at which the token expires that was shown last. */
  readonly expiresAt: number;
  /** @throws BedsideError */
  command(name: string, request: unknown): Promise<unknown>;
  /** Takes a fresh token; the grants that it gives. @throws BedsideError */
  renew(token: string): Promise<readonly string[]>;
  close(reason: CloseReason, retryAfterMs?: number): void;
  /** The socket is gone. */
  disconnected(): void;
}

/** What a namespace leads to. */
export interface Door {
  /** All that a page may send; one of them is `renew-token`. */
  readonly commands: CommandMap;
  /**
   * From the handshake to a page; the socket is not connected yet. `allow` is called when the tenant is
   * known, and throws where no more of it may come in.
   * @throws BedsideError
   */
  enter(socket: Socket, allow: (tenant: TenantId) => void): Promise<Page>;
  /** Pages that are open now, whenever that changes. */
  onCount(count: number): void;
}

/** What all namespaces of a gateway have in common. */
export interface Shared {
  /** Connections that have made their one CONNECT. */
  readonly greeted: WeakSet<object>;
  readonly stopping: () => boolean;
  readonly allow: (tenant: TenantId) => void;
  readonly commandRate: Rate;
  readonly telemetry: GatewayTelemetry;
  readonly log: Logger;
  /** Milliseconds of a steady clock. */
  readonly now: () => number;
}

/** Serves a namespace: lets in, answers commands, closes. The pages that are open, live. */
export function serveNamespace(
  namespace: Namespace,
  door: Door,
  shared: Shared,
): ReadonlyMap<Socket, Page> {
  const { greeted, stopping, allow, telemetry, log, now } = shared;
  const pages = new Map<Socket, Page>();

  const enter = async (socket: Socket): Promise<void> => {
    const page = await door.enter(socket, allow);
    if (socket.conn.readyState !== 'open') {
      page.disconnected();
      throw new BedsideError('connection-failed');
    }
    pages.set(socket, page);
    // The end of the Engine.IO connection, not Socket.IO's `disconnect`: a client that goes while
    // Socket.IO finishes its handshake gets no `disconnect`.
    socket.conn.once('close', () => {
      pages.delete(socket);
      door.onCount(pages.size);
      page.disconnected();
    });
  };

  namespace.use((socket, next) => {
    // One CONNECT a connection: repeats would be free guesses at tokens.
    if (greeted.has(socket.conn)) return socket.conn.close();
    greeted.add(socket.conn);
    enter(socket).then(
      () => {
        telemetry.connection('ok');
        next();
      },
      (thrown: unknown) => {
        const error = toBedsideError(thrown);
        telemetry.connection(error.code);
        if (error.kind === 'internal') {
          telemetry.internalError('handshake');
          log.error({ err: error }, 'handshake failed');
        }
        next(Object.assign(new Error(error.code), { data: error.toBody() }));
        // Next tick's connect_error goes out first; nothing more can come of this connection.
        setImmediate(() => socket.conn.close());
      },
    );
  });

  namespace.on('connection', (socket) => {
    const page = pages.get(socket);
    if (page === undefined) return void socket.disconnect(true);
    const expiry = new ExpiryTimer(() => page.close('token-expired'));
    expiry.set(page.expiresAt);
    socket.conn.once('close', () => expiry.clear());
    // Socket.IO's DISCONNECT alone would leave a connection that the others take for a page, and that is deaf.
    socket.once('disconnect', () => socket.conn.close());

    const renewToken = async (token: string) => {
      let grants: readonly string[];
      try {
        grants = await page.renew(token);
      } catch (error) {
        telemetry.answered('renew-token', toBedsideError(error).code);
        throw error;
      }
      expiry.set(page.expiresAt);
      telemetry.answered('renew-token', 'ok');
      return { expiresInMs: expiresInMs(page), grants };
    };

    const run = (name: string, request: unknown): Promise<unknown> => {
      if (stopping()) throw new BedsideError('shutting-down');
      // The desk has parsed the request by the schema of this very name.
      return name === 'renew-token'
        ? renewToken((request as { token: string }).token)
        : page.command(name, request);
    };

    const bucket = new TokenBucket(shared.commandRate, now());
    const desk = new CommandDesk({
      commands: door.commands,
      take: () => bucket.take(now()),
      run: async (name, request) => withDeadline(run(name, request), COMMAND_DEADLINE_MS),
      telemetry,
      log,
    });
    // `next` is never called: an event named `error` would otherwise be emitted as one, and end the process.
    socket.use((event) => void desk.receive(event));

    door.onCount(pages.size);
    page.open();
  });

  return pages;
}

/** Milliseconds until the token expires. */
export const expiresInMs = ({ expiresAt }: { readonly expiresAt: number }): number =>
  Math.max(0, expiresAt - Date.now());
