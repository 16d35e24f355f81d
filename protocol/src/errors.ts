import type { ErrorBody, ErrorKind } from './contract.ts';
import type { GatewayId } from './ids.ts';
import { LIMITS } from './limits.ts';

export interface ErrorDefinition {
  kind: ErrorKind;
  /** Whether the same request, with the same request id, may succeed later. */
  retryable: boolean;
  /** HTTP status where the error answers a REST call. */
  status: number;
  /** For the person in front of the screen, in English: what happened and what to do next. */
  text: string;
}

const define = <T extends Record<string, ErrorDefinition>>(
  errors: T,
): { readonly [K in keyof T]: ErrorDefinition } => errors;

/**
 * Every error that crosses a boundary. Codes are stable: they are added, never changed. What causes one
 * is its doc comment, which docs/errors.md shows; those that only the SDK throws begin with `SDK:`.
 */
export const ERRORS = define({
  /**
   * Token missing, malformed, expired, signed by an unknown key, or for another visit or audience.
   * One answer for all, so that it reveals nothing about visits.
   */
  unauthorized: {
    kind: 'user',
    retryable: false,
    status: 401,
    text: 'This link is not valid any more. Open the visit again from your portal.',
  },
  /** The participant lacks the grant that the command needs. */
  forbidden: {
    kind: 'user',
    retryable: false,
    status: 403,
    text: 'You are not allowed to do that in this visit.',
  },
  /** The visit was ended; an ended visit can not be joined. */
  'visit-ended': {
    kind: 'user',
    retryable: false,
    status: 410,
    text: 'This visit has ended.',
  },
  /** The participant was removed; the token is refused from then on. */
  removed: {
    kind: 'user',
    retryable: false,
    status: 403,
    text: 'You have left this visit at the request of the clinic. Contact the clinic if this is a mistake.',
  },
  /** Everybody who was to be admitted takes part already. */
  'already-admitted': {
    kind: 'user',
    retryable: false,
    status: 409,
    text: 'A colleague has already admitted this person.',
  },
  /** The invitation was used by another page, was revoked, or its time has passed. */
  'invite-used': {
    kind: 'user',
    retryable: false,
    status: 403,
    text: 'This invitation was used already or is not valid any more. Ask the clinic for a new one.',
  },
  /** Somebody else accepted the call first. */
  'call-taken': {
    kind: 'user',
    retryable: false,
    status: 409,
    text: 'A colleague has already taken this call.',
  },
  /** The same participant connected again with a new session. */
  replaced: {
    kind: 'user',
    retryable: false,
    status: 409,
    text: 'The visit goes on in another window or on another device. You can close this one.',
  },
  /** The session to resume is unknown or its grace time has passed. Join anew. */
  'session-expired': {
    kind: 'protocol',
    retryable: false,
    status: 409,
    text: 'The connection was away for too long. Join the visit again.',
  },
  /** A count of LIMITS is used up: participants of a visit, producers of a participant. */
  'limit-reached': {
    kind: 'user',
    retryable: false,
    status: 429,
    text: 'The visit is full, or too much is being shared at once.',
  },
  /** The token bucket of the socket, address or tenant is empty. Retry with backoff. */
  'rate-limited': {
    kind: 'user',
    retryable: true,
    status: 429,
    text: 'That was too fast. Wait a moment and try again.',
  },
  /** The RTP capabilities or parameters have no codec in common with the router. */
  'media-unsupported': {
    kind: 'user',
    retryable: false,
    status: 422,
    text: 'This browser can not send or receive the video of this visit. Use a current version of Chrome, Edge, Firefox or Safari.',
  },
  /** The request does not match its schema; `field` names the first field that is wrong. */
  'invalid-request': {
    kind: 'protocol',
    retryable: false,
    status: 400,
    text: 'The page sent something that the visit does not understand. Reload it.',
  },
  /** No command of this name exists in the negotiated version. */
  'unknown-command': {
    kind: 'protocol',
    retryable: false,
    status: 404,
    text: 'The page asked for something that the visit does not offer. Reload it.',
  },
  /** The version ranges of client and server do not meet. */
  'unsupported-version': {
    kind: 'protocol',
    retryable: false,
    status: 426,
    text: 'This page is out of date. Reload it.',
  },
  /** A media command before `join` was answered, or after the media was lost. */
  'not-joined': {
    kind: 'protocol',
    retryable: false,
    status: 409,
    text: 'Join the visit first.',
  },
  /** The id names nothing that this caller owns or may see. */
  'not-found': {
    kind: 'protocol',
    retryable: false,
    status: 404,
    text: 'That is not there any more.',
  },
  /**
   * The command contradicts the state: a second producer of the same source, a visit id that exists
   * with other properties.
   */
  conflict: {
    kind: 'protocol',
    retryable: false,
    status: 409,
    text: 'That is not possible in the present state of the visit.',
  },
  /** A gateway acted on a visit under a lease that has passed to another gateway. */
  'stale-epoch': {
    kind: 'protocol',
    retryable: false,
    status: 409,
    text: 'The visit moved to another server. Reconnecting.',
  },
  /** Another gateway owns the visit. Connect again. */
  moved: {
    kind: 'unavailable',
    retryable: true,
    status: 409,
    text: 'The visit moved to another server. Reconnecting.',
  },
  /** No node has headroom for the visit. Scale out. */
  capacity: {
    kind: 'unavailable',
    retryable: true,
    status: 503,
    text: 'All lines are busy at the moment. Try again in a minute.',
  },
  /** No media node is connected, or the visit’s node did not answer in time. */
  'media-unavailable': {
    kind: 'unavailable',
    retryable: true,
    status: 503,
    text: 'The video service is not reachable at the moment. Trying again.',
  },
  /** The worker or node that carried the visit died. Join again for new transports. */
  'media-lost': {
    kind: 'unavailable',
    retryable: true,
    status: 503,
    text: 'Picture and sound were interrupted. Reconnecting.',
  },
  /** Redis is not reachable and the command needs it. */
  'state-unavailable': {
    kind: 'unavailable',
    retryable: true,
    status: 503,
    text: 'The visit can not be opened at the moment. Trying again.',
  },
  /** The process is stopping; connect again, the balancer picks another one. */
  'shutting-down': {
    kind: 'unavailable',
    retryable: true,
    status: 503,
    text: 'The server is being restarted. Reconnecting.',
  },
  /** A call was not answered within its deadline. */
  deadline: {
    kind: 'unavailable',
    retryable: true,
    status: 504,
    text: 'The server took too long to answer. Trying again.',
  },
  /** A fault of the server; logged there once. */
  internal: {
    kind: 'internal',
    retryable: false,
    status: 500,
    text: 'Something went wrong on our side. Try again, or contact the clinic.',
  },
  /** SDK: the WebSocket could not be opened (network, proxy, address). */
  'connection-failed': {
    kind: 'unavailable',
    retryable: true,
    status: 503,
    text: 'The visit can not be reached. Check your internet connection.',
  },
  /** SDK: the tokenProvider threw or gave no token. */
  'token-unavailable': {
    kind: 'unavailable',
    retryable: true,
    status: 503,
    text: 'The portal did not answer. Open the visit again from your portal.',
  },
  /**
   * SDK: getUserMedia or getDisplayMedia was refused by the person, browser or system
   * (NotAllowedError).
   */
  'permission-denied': {
    kind: 'user',
    retryable: true,
    status: 403,
    text: 'The browser may not use your camera or microphone. Allow it in the address bar, then try again. You can join without it.',
  },
  /**
   * SDK: no device of that kind, or the chosen one is gone (NotFoundError, OverconstrainedError).
   */
  'device-not-found': {
    kind: 'user',
    retryable: true,
    status: 404,
    text: 'No camera or microphone was found. Plug one in, or join without it.',
  },
  /** SDK: the device could not be opened (NotReadableError, AbortError). */
  'device-in-use': {
    kind: 'user',
    retryable: true,
    status: 409,
    text: 'Another program is using your camera or microphone. Close it, then try again.',
  },
  /** SDK: navigator.mediaDevices is missing because the page is not a secure context. */
  'insecure-context': {
    kind: 'user',
    retryable: false,
    status: 400,
    text: 'This page is not secure, so the browser will not share camera or microphone. Open it with https.',
  },
  /**
   * SDK: the frame lacks allow="camera; microphone; display-capture; autoplay" or the page’s
   * Permissions-Policy forbids it.
   */
  'permissions-policy': {
    kind: 'user',
    retryable: false,
    status: 403,
    text: 'The page that shows this visit does not pass camera and microphone on to it. Tell the clinic.',
  },
  /** SDK: no WebRTC, or no handler of mediasoup-client fits. */
  'browser-unsupported': {
    kind: 'user',
    retryable: false,
    status: 400,
    text: 'This browser can not show video visits. Use a current version of Chrome, Edge, Firefox or Safari.',
  },
  /** SDK: play() was refused; call visit.startAudio() in a click handler. */
  'autoplay-blocked': {
    kind: 'user',
    retryable: true,
    status: 409,
    text: 'The browser is holding the sound back. Press the button to hear the visit.',
  },
});

export type ErrorCode = keyof typeof ERRORS;
export const ERROR_CODES = Object.keys(ERRORS) as [ErrorCode, ...ErrorCode[]];

export interface BedsideErrorOptions {
  /** Longer ones are cut. */
  field?: string | undefined;
  /** Whole milliseconds. */
  retryAfterMs?: number | undefined;
  /** Of `moved`: who has the visit. */
  gateway?: GatewayId | undefined;
  cause?: unknown;
  /** @internal What a newer peer said of an error whose code this side does not know. */
  said?: Pick<ErrorBody, 'kind' | 'retryable' | 'message'> | undefined;
}

const isErrorCode = (code: string): code is ErrorCode => Object.hasOwn(ERRORS, code);

/** The code that stands for an unknown one. */
const CODE_OF_KIND: Readonly<Record<ErrorKind, ErrorCode>> = {
  user: 'internal',
  protocol: 'invalid-request',
  unavailable: 'media-unavailable',
  internal: 'internal',
};

/** The one error class of the project. `cause` stays on this side of a boundary. */
export class BedsideError extends Error {
  override readonly name = 'BedsideError';
  readonly code: ErrorCode;
  readonly kind: ErrorKind;
  readonly retryable: boolean;
  readonly field: string | undefined;
  readonly retryAfterMs: number | undefined;
  readonly gateway: GatewayId | undefined;

  constructor(code: ErrorCode, options: BedsideErrorOptions = {}) {
    const { kind, retryable, text } = ERRORS[code];
    const said = options.said ?? { kind, retryable, message: text };
    super(said.message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.kind = said.kind;
    this.retryable = said.retryable;
    this.field = options.field?.slice(0, LIMITS.textLength);
    this.retryAfterMs = options.retryAfterMs;
    this.gateway = options.gateway;
  }

  /** @internal What the other side gets: code and safe text, never the cause. */
  toBody(): ErrorBody {
    return {
      code: this.code,
      kind: this.kind,
      retryable: this.retryable,
      message: this.message,
      ...(this.field === undefined ? {} : { field: this.field }),
      ...(this.retryAfterMs === undefined ? {} : { retryAfterMs: this.retryAfterMs }),
      ...(this.gateway === undefined ? {} : { gateway: this.gateway }),
    };
  }

  /**
   * @internal The error that an answer carries. Where its code is a newer peer's, the kind chooses the code that
   * stands for it; kind, retryable and text are the peer's.
   */
  static fromBody(body: ErrorBody): BedsideError {
    const { code, field, retryAfterMs, gateway } = body;
    return isErrorCode(code)
      ? new BedsideError(code, { field, retryAfterMs, gateway })
      : new BedsideError(CODE_OF_KIND[body.kind], { field, retryAfterMs, cause: body, said: body });
  }
}

/** Any thrown value as a BedsideError; what is not one is `internal` with the value as its cause. */
export function toBedsideError(thrown: unknown): BedsideError {
  return thrown instanceof BedsideError ? thrown : new BedsideError('internal', { cause: thrown });
}
