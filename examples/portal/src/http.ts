import type { IncomingMessage, ServerResponse } from 'node:http';
import { BedsideError, ERRORS } from '@bedside/protocol';
import type { Asset } from './assets.ts';

/** Bytes of a request's body: a list of a hundred visits, or a token. */
const BODY_LIMIT = 16 * 1024;

/** Only JSON: a form of another site can not send it without asking first. */
export async function readJson(request: IncomingMessage): Promise<unknown> {
  if (!/^application\/json\b/i.test(request.headers['content-type'] ?? '')) {
    throw new BedsideError('invalid-request', { field: 'Content-Type' });
  }
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > BODY_LIMIT) throw new BedsideError('invalid-request', { field: '(body)' });
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch (cause) {
    throw new BedsideError('invalid-request', { field: '(root)', cause });
  }
}

export function sendAsset(request: IncomingMessage, response: ServerResponse, asset: Asset): void {
  response.setHeader('Content-Type', asset.type);
  response.setHeader('Cache-Control', 'no-cache');
  response.setHeader('ETag', asset.etag);
  response.setHeader('Vary', 'Accept-Encoding');
  if (asset.isShared) {
    response.setHeader('Access-Control-Allow-Origin', '*');
    response.setHeader('Cross-Origin-Resource-Policy', 'cross-origin');
  }
  if (request.headers['if-none-match'] === asset.etag) {
    sendStatus(response, 304);
    return;
  }
  const compressed = /\bgzip\b/.test(request.headers['accept-encoding'] ?? '')
    ? asset.gzipped
    : undefined;
  if (compressed) response.setHeader('Content-Encoding', 'gzip');
  const body = compressed ?? asset.body;
  response.setHeader('Content-Length', body.length);
  response.end(body);
}

export function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.statusCode = status;
  response.setHeader('Content-Type', 'application/json; charset=utf-8');
  response.setHeader('Cache-Control', 'no-store');
  response.end(JSON.stringify(body));
}

export function sendStatus(
  response: ServerResponse,
  status: number,
  headers: Record<string, string> = {},
): void {
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  response.statusCode = status;
  response.end();
}

export function sendError(response: ServerResponse, error: BedsideError): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  // A body that was not read to its end would otherwise be taken for the next request.
  response.setHeader('Connection', 'close');
  sendJson(response, ERRORS[error.code].status, { error: error.toBody() });
}
