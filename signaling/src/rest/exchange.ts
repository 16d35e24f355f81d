import type { HttpResponse } from 'uWebSockets.js';
import { STATUS_CODES } from 'node:http';
import { BedsideError, ERRORS, type Problem } from '@bedside/protocol';

/** Longest body that a request of `/v1` may have, bytes. */
export const MAX_BODY_BYTES = 16 * 1024;

export interface Answer {
  status: number;
  contentType: string;
  body: string;
  headers: Record<string, string>;
}

export const json = (
  status: number,
  value: unknown,
  headers: Record<string, string> = {},
): Answer => ({
  status,
  contentType: 'application/json',
  body: JSON.stringify(value),
  headers: { 'Cache-Control': 'no-store', ...headers },
});

/**
 * An error as problem details (RFC 9457): its code and nothing of the request but the name of a field.
 * @param path of the request, where it may be sent again to the gateway that has the visit
 */
export function problem(error: BedsideError, path?: string): Answer {
  const isElsewhere = error.gateway !== undefined && path !== undefined;
  const status = isElsewhere ? 307 : ERRORS[error.code].status;
  const body: Problem = {
    type: `https://bedside.example/errors#${error.code}`,
    title: error.message,
    status,
    code: error.code,
    retryable: error.retryable,
    ...(error.field === undefined ? {} : { field: error.field }),
  };
  const headers: Record<string, string> = { 'Cache-Control': 'no-store' };
  if (error.retryAfterMs !== undefined)
    headers['Retry-After'] = String(Math.ceil(error.retryAfterMs / 1000));
  if (isElsewhere) headers.Location = `${path}?gateway=${error.gateway}`;
  if (status === 401) headers['WWW-Authenticate'] = 'Bearer';
  return { status, contentType: 'application/problem+json', body: JSON.stringify(body), headers };
}

/**
 * One response of uWS. A client may go at any moment, after which touching uWS's object throws;
 * `send` then does nothing.
 */
export class Exchange {
  readonly #res: HttpResponse;
  #over = false;

  /** To be made before the handler returns: uWS wants to know of onAborted in the same turn. */
  constructor(res: HttpResponse) {
    this.#res = res;
    res.onAborted(() => {
      this.#over = true;
    });
  }

  /**
   * The body as text; to be called before the handler returns.
   * @throws BedsideError `invalid-request` where it is too long. Never settles where the client goes.
   */
  body(): Promise<string> {
    return new Promise((resolve, reject) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      this.#res.onData((chunk, isLast) => {
        bytes += chunk.byteLength;
        if (bytes > MAX_BODY_BYTES) {
          chunks.length = 0;
          return reject(new BedsideError('invalid-request', { field: 'body' }));
        }
        // uWS takes the chunk back when this returns.
        chunks.push(Buffer.from(chunk.slice(0)));
        if (isLast) resolve(Buffer.concat(chunks).toString('utf8'));
      });
    });
  }

  send(answer: Answer): void {
    if (this.#over) return;
    this.#over = true;
    this.#res.cork(() => {
      this.#res.writeStatus(`${answer.status} ${STATUS_CODES[answer.status] ?? 'Unknown'}`);
      if (answer.body !== '') this.#res.writeHeader('Content-Type', answer.contentType);
      this.#res.writeHeader('X-Content-Type-Options', 'nosniff');
      for (const [name, value] of Object.entries(answer.headers))
        this.#res.writeHeader(name, value);
      this.#res.end(answer.body);
    });
  }
}
