import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { BedsideError, ERRORS, parse, toBedsideError, VisitId } from '@bedside/protocol';
import type { Asset } from './assets.ts';
import type { PortalConfig } from './config.ts';
import { securityHeaders } from './headers.ts';
import { mintToken } from './tokens.ts';

/** Bytes of a request's body. */
const BODY_LIMIT = 4096;
/** Milliseconds for which the gateway may take to say who is in a visit. */
const GATEWAY_DEADLINE = 2000;

/** The portal: pages, the SDK's files, tokens, and who is in a visit already. */
export function createApp(
  config: PortalConfig,
  assets: ReadonlyMap<string, Asset>,
): RequestListener {
  const headers = securityHeaders(config.gatewayUrl);
  return (request, response) => {
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    route(config, assets, request, response).catch((thrown: unknown) =>
      sendError(response, toBedsideError(thrown)),
    );
  };
}

async function route(
  config: PortalConfig,
  assets: ReadonlyMap<string, Asset>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { pathname } = URL.parse(request.url ?? '/', 'http://portal.invalid') ?? { pathname: '' };
  const { method } = request;
  if (pathname === '/api/token') {
    if (method !== 'POST') return sendStatus(response, 405, { Allow: 'POST' });
    const token = await mintToken(config, await readJson(request));
    return sendJson(response, 200, { token, url: config.gatewayUrl.origin });
  }
  const visit = /^\/api\/visits\/([^/]+)$/.exec(pathname)?.[1];
  if (visit !== undefined) {
    if (method !== 'GET') return sendStatus(response, 405, { Allow: 'GET' });
    return sendJson(response, 200, await lookInto(config, parse(VisitId, decode(visit))));
  }
  const asset = assets.get(pathname);
  if (!asset) return sendStatus(response, 404);
  if (method !== 'GET' && method !== 'HEAD')
    return sendStatus(response, 405, { Allow: 'GET, HEAD' });
  sendAsset(request, response, asset);
}

/** The roles of those who are in the visit now and its state, as the portal's server may ask by its key. Unknown is nobody. */
async function lookInto(
  { gatewayUrl, apiKey }: PortalConfig,
  visit: VisitId,
): Promise<{ present: string[]; state?: string }> {
  if (apiKey === undefined) return { present: [] };
  try {
    const answer = await fetch(new URL(`/v1/visits/${encodeURIComponent(visit)}`, gatewayUrl), {
      headers: { Authorization: `Bearer ${apiKey}` },
      signal: AbortSignal.timeout(GATEWAY_DEADLINE),
    });
    if (!answer.ok) {
      await answer.body?.cancel();
      return { present: [] };
    }
    const { state, participants } = (await answer.json()) as {
      state: string;
      participants: { role: string; state: string }[];
    };
    const present = participants.filter(({ state }) => state !== 'left').map(({ role }) => role);
    return { present, state };
  } catch {
    // A hint on the page, nothing that joining needs.
    return { present: [] };
  }
}

/** Only JSON: a form of another site can not send it without asking first. */
async function readJson(request: IncomingMessage): Promise<unknown> {
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

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return '';
  }
}

function sendAsset(request: IncomingMessage, response: ServerResponse, asset: Asset): void {
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

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.statusCode = status;
  response.setHeader('Content-Type', 'application/json; charset=utf-8');
  response.setHeader('Cache-Control', 'no-store');
  response.end(JSON.stringify(body));
}

function sendStatus(
  response: ServerResponse,
  status: number,
  headers: Record<string, string> = {},
): void {
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  response.statusCode = status;
  response.end();
}

function sendError(response: ServerResponse, error: BedsideError): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  // A body that was not read to its end would otherwise be taken for the next request.
  response.setHeader('Connection', 'close');
  sendJson(response, ERRORS[error.code].status, { error: error.toBody() });
}
