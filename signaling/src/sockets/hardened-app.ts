import type {
  HttpRequest,
  HttpResponse,
  TemplatedApp,
  WebSocket,
  WebSocketBehavior,
} from 'uWebSockets.js';
import type { Rate } from '../config.ts';
import { TokenBucket } from './token-bucket.ts';

/** uWS.DISABLED, whose type declaration has no value. */
const NO_COMPRESSION = 0;

/** Why a WebSocket upgrade is refused. */
export interface UpgradeRefusal {
  status: '403 Forbidden' | '429 Too Many Requests' | '503 Service Unavailable';
  retryAfterSeconds?: number;
}

export interface Hardening {
  maxPayloadBytes: number;
  maxBackpressureBytes: number;
  /** WebSocket frames of one socket, whatever is in them. */
  frames: Rate;
  /** Synchronous: asking later would meet responses that are gone. Undefined lets the client in. */
  refuseUpgrade(res: HttpResponse, req: HttpRequest): UpgradeRefusal | undefined;
  onFlood(): void;
  now(): number;
}

/**
 * Engine.IO's uWS server passes few of uWS's options on and ignores what send() answers, so a slow
 * client would lose messages without anybody knowing. This puts itself before `app.ws`: a client
 * that does not read is closed (and resumes), one that floods is closed, and upgrades are refused
 * before any of Socket.IO's work is done for them.
 */
export function hardenApp(app: TemplatedApp, hardening: Hardening): void {
  const ws = app.ws.bind(app);
  app.ws = <UserData>(
    pattern: Parameters<TemplatedApp['ws']>[0],
    behavior: WebSocketBehavior<UserData>,
  ) => {
    const frames = new WeakMap<WebSocket<UserData>, TokenBucket>();
    return ws<UserData>(pattern, {
      ...behavior,
      compression: NO_COMPRESSION,
      maxPayloadLength: hardening.maxPayloadBytes,
      maxBackpressure: hardening.maxBackpressureBytes,
      closeOnBackpressureLimit: true,
      upgrade(res, req, context) {
        const refusal = hardening.refuseUpgrade(res, req);
        if (refusal === undefined) return behavior.upgrade?.(res, req, context);
        res.writeStatus(refusal.status);
        if (refusal.retryAfterSeconds !== undefined)
          res.writeHeader('Retry-After', String(refusal.retryAfterSeconds));
        res.end(undefined, true);
      },
      open(socket) {
        frames.set(socket, new TokenBucket(hardening.frames, hardening.now()));
        return behavior.open?.(socket);
      },
      message(socket, message, isBinary) {
        if ((frames.get(socket)?.take(hardening.now()) ?? 0) === 0)
          return behavior.message?.(socket, message, isBinary);
        hardening.onFlood();
        socket.end(1008, 'flood');
      },
    });
  };
}
