import { createServer as createHttpServer, type Server as HttpServer } from 'node:http';
import { createServer as createHttpsServer, type Server as HttpsServer } from 'node:https';
import { type Logger, readTls, watchCertificate } from '@bedside/service';
import type { Config } from '../config.ts';

/**
 * An HTTP server, with TLS where certificate files are given; they are read again when they change. Where
 * there are authorities, a client without a certificate of these gets nowhere.
 */
export function createControlHttpServer(
  tls: Config['controlTls'],
  log: Logger,
  certificatePollMs?: number,
): HttpServer | HttpsServer {
  if (!tls) return createHttpServer();
  const read = () => ({ ...readTls(tls), minVersion: 'TLSv1.2' as const });
  const mustShow = tls.caFile !== undefined;
  const server = createHttpsServer({
    ...read(),
    requestCert: mustShow,
    rejectUnauthorized: mustShow,
  });
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
