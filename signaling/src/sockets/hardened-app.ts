import type {
  HttpRequest,
  HttpResponse,
  TemplatedApp,
  WebSocket,
  WebSocketBehavior,
} from 'uWebSockets.js';
import { type Rate, TokenBucket } from '@bedside/service';

/** uWS.DISABLED, whose type declaration has no value. */
const NO_COMPRESSION = 0;

/** Why a WebSocket upgrade is refused. */
export interface UpgradeRefusal {
  status: '400 Bad Request' | '403 Forbidden' | '429 Too Many Requests' | '503 Service Unavailable';
  retryAfterSeconds?: number;
}

export interface Hardening {
  maxPayloadBytes: number;
  maxBackpressureBytes: number;
  /** WebSocket frames of one socket, whatever is in them. */
  frames: Rate;
  /** Synchronous: asking later would meet responses that are gone. Undefined lets the client in. */
  refuseUpgrade(res: HttpResponse, req: HttpRequest): UpgradeRefusal | undefined;
  onOpen(): void;
  onClose(): void;
  onFlood(): void;
  now(): number;
}

/**
 * The app as Socket.IO gets to see it, with what Engine.IO's uWS server lacks:
 * - It ignores what send() answers, so a slow client would lose messages without anybody knowing. Here
 *   a client that does not read is closed (and resumes), and so is one that floods.
 * - Upgrades are refused before any of Socket.IO's work is done for them.
 * - There is no long polling, so plain requests get one answer, and `sid`, by which a second connection
 *   takes a session over from its first, is refused: limits are kept per connection.
 */
export function hardenedApp(app: TemplatedApp, hardening: Hardening): TemplatedApp {
  const hardened: TemplatedApp = Object.assign(Object.create(app), {
    any(pattern: Pattern) {
      app.any(pattern, (res) => {
        res.writeStatus('400 Bad Request').writeHeader('Content-Type', 'application/json');
        res.end('{"code":0,"message":"Transport unknown"}');
      });
      return hardened;
    },
    ws<UserData>(pattern: Pattern, behavior: WebSocketBehavior<UserData>) {
      app.ws(pattern, hardenedBehavior(behavior, hardening));
      return hardened;
    },
  });
  return hardened;
}

type Pattern = Parameters<TemplatedApp['ws']>[0];

function hardenedBehavior<UserData>(
  behavior: WebSocketBehavior<UserData>,
  hardening: Hardening,
): WebSocketBehavior<UserData> {
  const frames = new WeakMap<WebSocket<UserData>, TokenBucket>();
  const refusalOf = (res: HttpResponse, req: HttpRequest): UpgradeRefusal | undefined =>
    req.getQuery('sid') === undefined
      ? hardening.refuseUpgrade(res, req)
      : { status: '400 Bad Request' };
  return {
    ...behavior,
    compression: NO_COMPRESSION,
    maxPayloadLength: hardening.maxPayloadBytes,
    maxBackpressure: hardening.maxBackpressureBytes,
    closeOnBackpressureLimit: true,
    upgrade(res, req, context) {
      const refusal = refusalOf(res, req);
      if (refusal === undefined) return behavior.upgrade?.(res, req, context);
      res.writeStatus(refusal.status);
      if (refusal.retryAfterSeconds !== undefined)
        res.writeHeader('Retry-After', String(refusal.retryAfterSeconds));
      res.end(undefined, true);
    },
    open(socket) {
      hardening.onOpen();
      frames.set(socket, new TokenBucket(hardening.frames, hardening.now()));
      return behavior.open?.(socket);
    },
    message(socket, message, isBinary) {
      if ((frames.get(socket)?.take(hardening.now()) ?? 0) === 0)
        return behavior.message?.(socket, message, isBinary);
      hardening.onFlood();
      socket.end(1008, 'flood');
    },
    close(socket, code, message) {
      hardening.onClose();
      return behavior.close?.(socket, code, message);
    },
  };
}
