/**
 * Engine.IO 4 and Socket.IO 5 frames on one WebSocket, as text: what k6 speaks to a gateway.
 * Free of dependencies: k6 loads this file.
 */

export type Frame =
  | { type: 'open'; pingIntervalMs: number; pingTimeoutMs: number }
  | { type: 'ping' }
  | { type: 'connected' }
  | { type: 'refused'; error: unknown }
  | { type: 'event'; name: string; payload: unknown; ackId: number | undefined }
  | { type: 'answer'; ackId: number; answer: unknown }
  | { type: 'closed' }
  | { type: 'unknown' };

/** The address of a visit's socket at a gateway ("http://host:port"). */
export function socketUrl(gateway: string, visit: string): string {
  const base = gateway.replace(/^http/, 'ws').replace(/\/+$/, '');
  return `${base}/socket.io/?visit=${encodeURIComponent(visit)}&EIO=4&transport=websocket`;
}

/** Joins the default namespace with `auth`. */
export const connectFrame = (auth: unknown): string => `40${JSON.stringify(auth)}`;
export const pongFrame = '3';
/** Leaves the namespace and closes Engine.IO: two frames. */
export const disconnectFrames = ['41', '1'] as const;
/** An event that wants an acknowledgement. */
export const commandFrame = (ackId: number, name: string, request: unknown): string =>
  `42${ackId}${JSON.stringify([name, request])}`;
/** The acknowledgement of an event, without arguments. */
export const ackFrame = (ackId: number): string => `43${ackId}[]`;

/** Reads one frame; what is not understood is `unknown`. */
export function readFrame(text: string): Frame {
  switch (text[0]) {
    case '0': {
      const open = json(text.slice(1)) as
        | { pingInterval?: number; pingTimeout?: number }
        | undefined;
      return {
        type: 'open',
        pingIntervalMs: open?.pingInterval ?? 25_000,
        pingTimeoutMs: open?.pingTimeout ?? 20_000,
      };
    }
    case '1':
      return { type: 'closed' };
    case '2':
      return { type: 'ping' };
    case '4':
      return readPacket(text.slice(1));
    default:
      return { type: 'unknown' };
  }
}

function readPacket(packet: string): Frame {
  const match = /^(\d)(\d*)(.*)$/s.exec(packet);
  if (!match) return { type: 'unknown' };
  const [, type, id, body] = match;
  const ackId = id ? Number(id) : undefined;
  const data = json(body ?? '');
  if (type === '0') return { type: 'connected' };
  if (type === '1') return { type: 'closed' };
  if (type === '4') return { type: 'refused', error: data };
  if (type === '2' && Array.isArray(data) && typeof data[0] === 'string') {
    return { type: 'event', name: data[0], payload: data[1], ackId };
  }
  if (type === '3' && Array.isArray(data) && ackId !== undefined) {
    return { type: 'answer', ackId, answer: data[0] };
  }
  return { type: 'unknown' };
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
