import type { HttpRequest, HttpResponse, TemplatedApp } from 'uWebSockets.js';
import {
  BedsideError,
  CreateVisit,
  parse,
  type TenantId,
  toBedsideError,
  VisitId,
  Wait,
} from '@bedside/protocol';
import type { Logger } from '@bedside/service';
import { TokenBuckets } from '@bedside/service';
import * as z from 'zod/mini';
import type { ServiceAuth } from '../auth/services.ts';
import type { GatewayConfig } from '../config.ts';
import type { GatewayTelemetry } from '../metrics.ts';
import type { Visits } from '../ports.ts';
import { ClientAddresses } from '../sockets/address.ts';
import { withDeadline } from '../sockets/deadline.ts';
import { type Answer, Exchange, json, problem } from './exchange.ts';
import { openApiDocument } from './openapi.ts';

/** A request is answered within this, milliseconds. */
const REST_DEADLINE_MS = 10_000;

export interface RestOptions {
  config: GatewayConfig;
  visits: Visits;
  auth: ServiceAuth;
  telemetry: GatewayTelemetry;
  log: Logger;
  /** Whether the gateway stops: connections that are kept alive may still send requests. */
  stopping(): boolean;
}

/** What a route needs of a request: uWS's own object is gone once its handler returns. */
interface Call {
  tenant: TenantId;
  visit: string;
  body: string;
}

interface Route {
  method: 'get' | 'post' | 'put';
  pattern: string;
  /** For metrics: the pattern as the OpenAPI document writes it. */
  label: string;
  hasBody: boolean;
  /** Without a tenant: for everybody. */
  open?: boolean;
  run(call: Call): Promise<Answer>;
}

/** Mounts `/v1` on an app, and a 404 on what is nobody's. Returns a function that mounts: apps change with certificates. */
export function createRest(options: RestOptions): { mount(app: TemplatedApp): void } {
  const { config, visits, auth, telemetry, log, stopping } = options;
  const clients = new ClientAddresses(config.trustedProxies);
  const buckets = new TokenBuckets(config.limits.restRequests);
  const document = openApiDocument();
  const visitOf = (call: Call): VisitId =>
    parse(z.object({ visit: VisitId }), { visit: call.visit }).visit;

  const routes: Route[] = [
    {
      method: 'get',
      pattern: '/v1/openapi.json',
      label: '/v1/openapi.json',
      hasBody: false,
      open: true,
      run: async () => json(200, document),
    },
    {
      method: 'post',
      pattern: '/v1/visits',
      label: '/v1/visits',
      hasBody: true,
      async run(call) {
        const request = parse(CreateVisit, jsonOf(call.body));
        const { created, visit } = await visits.create(call.tenant, request);
        return json(created ? 201 : 200, visit, {
          Location: `/v1/visits/${encodeURIComponent(visit.visit)}`,
        });
      },
    },
    {
      method: 'get',
      pattern: '/v1/visits/:visit',
      label: '/v1/visits/{visit}',
      hasBody: false,
      run: async (call) => json(200, await visits.read(call.tenant, visitOf(call))),
    },
    {
      method: 'get',
      pattern: '/v1/visits/:visit/evidence',
      label: '/v1/visits/{visit}/evidence',
      hasBody: false,
      run: async (call) =>
        json(200, { evidence: await visits.evidence(call.tenant, visitOf(call)) }),
    },
    {
      method: 'get',
      pattern: '/v1/visits/:visit/events',
      label: '/v1/visits/{visit}/events',
      hasBody: false,
      run: async (call) => json(200, { events: await visits.events(call.tenant, visitOf(call)) }),
    },
    {
      method: 'put',
      pattern: '/v1/visits/:visit/wait',
      label: '/v1/visits/{visit}/wait',
      hasBody: true,
      run: async (call) =>
        json(200, await visits.share(call.tenant, visitOf(call), parse(Wait, jsonOf(call.body)))),
    },
    {
      method: 'post',
      pattern: '/v1/visits/:visit/end',
      label: '/v1/visits/{visit}/end',
      hasBody: true,
      run: async (call) => json(200, await visits.end(call.tenant, visitOf(call))),
    },
  ];

  const corsHeaders = (origin: string): Record<string, string> => {
    if (config.allowedOrigins.length === 0) return { 'Access-Control-Allow-Origin': '*' };
    return config.allowedOrigins.includes(origin)
      ? { 'Access-Control-Allow-Origin': origin, Vary: 'Origin' }
      : { Vary: 'Origin' };
  };

  const failure = (thrown: unknown, path?: string): Answer => {
    const error = toBedsideError(thrown);
    if (error.kind === 'internal') {
      telemetry.internalError('rest');
      log.error({ err: error }, 'request failed');
    }
    return problem(error, path);
  };

  const handle = (route: Route) => (res: HttpResponse, req: HttpRequest) => {
    const startedAt = performance.now();
    const exchange = new Exchange(res);
    // Sent on once: where the balancer does not go by the gateway's name, it would come here again.
    const path = (req.getQuery() ?? '').includes('gateway=') ? undefined : req.getUrl();
    const authorization = req.getHeader('authorization');
    const cors = corsHeaders(req.getHeader('origin'));
    const visit = route.pattern.includes(':') ? decode(req.getParameter(0) ?? '') : '';
    const address = clients.keyOf(res, req);
    const body = route.hasBody ? exchange.body() : Promise.resolve('');
    // It may fail before anybody waits for it.
    body.catch(() => undefined);

    const answer = async (): Promise<Answer> => {
      if (stopping()) throw new BedsideError('shutting-down');
      const retryAfterMs = buckets.take(address, performance.now());
      if (retryAfterMs > 0) {
        telemetry.limited('rest');
        throw new BedsideError('rate-limited', { retryAfterMs });
      }
      const tenant = route.open === true ? ('' as TenantId) : await auth(authorization);
      return route.run({ tenant, visit, body: await body });
    };
    withDeadline(answer(), REST_DEADLINE_MS)
      .catch((thrown) => failure(thrown, path))
      .then((result) => {
        telemetry.rest(route.label, result.status, (performance.now() - startedAt) / 1000);
        exchange.send({ ...result, headers: { ...result.headers, ...cors } });
      });
  };

  return {
    mount(app) {
      for (const route of routes) app[route.method](route.pattern, handle(route));
      app.options('/v1/*', (res, req) => {
        const headers = {
          ...corsHeaders(req.getHeader('origin')),
          'Access-Control-Allow-Methods': 'GET, POST, PUT',
          'Access-Control-Allow-Headers': 'Authorization, Content-Type',
          'Access-Control-Max-Age': '600',
        };
        new Exchange(res).send({ status: 204, contentType: '', body: '', headers });
      });
      app.any('/*', (res) => new Exchange(res).send(problem(new BedsideError('not-found'))));
    },
  };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new BedsideError('invalid-request', { field: 'body' });
  }
}

/** A path segment; what can not be decoded is left for the schema to refuse. */
function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
