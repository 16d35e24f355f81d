import { createServer, type Server, type ServerResponse } from 'node:http';
import type { Registry } from 'prom-client';

export interface Readiness {
  ready: boolean;
  /** Why not, in words for an operator. */
  reasons: string[];
}

/**
 * `/livez` (the process answers; depends on nothing else), `/readyz` (gateways may place visits
 * here) and `/metrics`. Not started yet.
 */
export function createOpsServer(registry: Registry, readiness: () => Readiness): Server {
  const server = createServer((request, response) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      answer(response, 405, 'text/plain', 'method not allowed\n');
      return;
    }
    switch (request.url?.split('?')[0]) {
      case '/livez':
        answer(response, 200, 'text/plain', 'ok\n');
        return;
      case '/readyz': {
        const state = readiness();
        answer(response, state.ready ? 200 : 503, 'application/json', `${JSON.stringify(state)}\n`);
        return;
      }
      case '/metrics':
        registry.metrics().then(
          (text) => answer(response, 200, registry.contentType, text),
          () => answer(response, 500, 'text/plain', 'metrics failed\n'),
        );
        return;
      default:
        answer(response, 404, 'text/plain', 'not found\n');
    }
  });
  server.requestTimeout = 10_000;
  server.headersTimeout = 5_000;
  return server;
}

function answer(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' });
  response.end(body);
}
