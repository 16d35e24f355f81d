import { readFileSync } from 'node:fs';
import { createServer as createHttpServer, type Server as HttpServer } from 'node:http';
import { createServer as createHttpsServer, type Server as HttpsServer } from 'node:https';
import { type Logger, watchCertificate } from '@bedside/service';
import type { Config } from '../config.ts';

/** An HTTP server, with TLS where certificate files are given; they are read again when they change. */
export function createControlHttpServer(
  tls: Config['controlTls'],
  log: Logger,
  certificatePollMs?: number,
): HttpServer | HttpsServer {
  if (!tls) return createHttpServer();
  const read = () => ({
    cert: readFileSync(tls.certFile),
    key: readFileSync(tls.keyFile),
    minVersion: 'TLSv1.2' as const,
  });
  const server = createHttpsServer(read());
  const stopWatching = watchCertificate(
    tls,
    () => {
      server.setSecureContext(read());
      log.info('control certificate renewed');
    },
    (error) => log.warn({ err: error }, 'control certificate not renewed: the old one serves on'),
    certificatePollMs,
  );
  server.once('close', stopWatching);
  return server;
}
