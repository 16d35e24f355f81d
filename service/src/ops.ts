import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Registry } from 'prom-client';

/** Whether what is new should come here, and why not, in words for an operator. */
export interface Readiness {
  ready: boolean;
  reasons: string[];
}

export interface OpsServer {
  /** Resolves with the port. */
  listen(host: string, port: number): Promise<number>;
  close(): void;
}

/**
 * What the cluster's operators and balancers ask. `/livez` says that the event loop turns and nothing
 * else: a process that is restarted for Redis' absence takes its visits with it. `/readyz` says
 * whether new visits should come here; asked with `?unready=404` it says no by that status, by which
 * HAProxy tells it from a process that does not answer, and leaves the connections that are there.
 */
export function createOps(options: { registry: Registry; readiness: () => Readiness }): OpsServer {
  const { registry, readiness } = options;
  const server: Server = createServer(
    { requestTimeout: 5000, headersTimeout: 5000 },
    (request, response) => {
      const send = (status: number, type: string, body: string) => {
        response.writeHead(status, { 'Content-Type': type, 'Cache-Control': 'no-store' });
        response.end(body);
      };
      const [path, query] = (request.url ?? '').split('?');
      if (request.method !== 'GET' && request.method !== 'HEAD')
        return send(405, 'text/plain', 'GET only\n');
      if (path === '/livez') return send(200, 'text/plain', 'ok\n');
      if (path === '/readyz') {
        const { ready, reasons } = readiness();
        return send(
          ready ? 200 : query === 'unready=404' ? 404 : 503,
          'application/json',
          `${JSON.stringify({ ready, reasons })}\n`,
        );
      }
      if (path === '/metrics') {
        registry.metrics().then(
          (text) => send(200, registry.contentType, text),
          () => send(500, 'text/plain', 'metrics failed\n'),
        );
        return;
      }
      return send(404, 'text/plain', 'not found\n');
    },
  );

  return {
    listen: (host, port) =>
      new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen(port, host, () => {
          server.off('error', reject);
          resolve((server.address() as AddressInfo).port);
        });
      }),
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
