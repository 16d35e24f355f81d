import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { parse, toBedsideError, VisitId } from '@bedside/protocol';
import { type Api, createApi } from './api.ts';
import type { Asset } from './assets.ts';
import type { PortalConfig } from './config.ts';
import { FrontDesk } from './front-desk.ts';
import { createGateway } from './gateway.ts';
import { GuestLinks } from './guest-links.ts';
import { securityHeaders } from './headers.ts';
import { readJson, sendAsset, sendError, sendJson, sendStatus } from './http.ts';

/** The portal: pages, the SDK's files, and what its pages ask of it. */
export function createApp(
  config: PortalConfig,
  assets: ReadonlyMap<string, Asset>,
): RequestListener {
  const headers = securityHeaders(config.gatewayUrl);
  const api = createApi({
    config,
    gateway: createGateway(config),
    desk: new FrontDesk(),
    links: new GuestLinks(config.tenant),
  });
  return (request, response) => {
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    route(api, assets, request, response).catch((thrown: unknown) =>
      sendError(response, toBedsideError(thrown)),
    );
  };
}

async function route(
  api: Api,
  assets: ReadonlyMap<string, Asset>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { pathname } = URL.parse(request.url ?? '/', 'http://portal.invalid') ?? { pathname: '' };
  const { method } = request;
  const post = Object.hasOwn(api.post, pathname) ? api.post[pathname] : undefined;
  if (post) {
    if (method !== 'POST') return sendStatus(response, 405, { Allow: 'POST' });
    return sendJson(response, 200, await post(await readJson(request)));
  }
  const [, visit, rest = ''] = /^\/api\/visits\/([^/]+)(\/\w+)?$/.exec(pathname) ?? [];
  const get = Object.hasOwn(api.get, rest) ? api.get[rest] : undefined;
  if (visit !== undefined && get) {
    if (method !== 'GET') return sendStatus(response, 405, { Allow: 'GET' });
    return sendJson(response, 200, await get(parse(VisitId, decode(visit))));
  }
  const asset = assets.get(pathname);
  if (!asset) return sendStatus(response, 404);
  if (method !== 'GET' && method !== 'HEAD')
    return sendStatus(response, 405, { Allow: 'GET, HEAD' });
  sendAsset(request, response, asset);
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return '';
  }
}
