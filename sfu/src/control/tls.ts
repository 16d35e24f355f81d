import { readFileSync, unwatchFile, watchFile } from 'node:fs';
import { createServer as createHttpServer, type Server as HttpServer } from 'node:http';
import { createServer as createHttpsServer, type Server as HttpsServer } from 'node:https';
import type { Config } from '../config.ts';
import type { Logger } from '../log.ts';

/** Polling, since renewers swap symbolic links, which inotify does not follow. */
const REREAD_INTERVAL_MS = 30_000;

/** An HTTP server, with TLS where certificate files are given; they are read again when they change. */
export function createControlHttpServer(
  tls: Config['controlTls'],
  log: Logger,
  rereadIntervalMs = REREAD_INTERVAL_MS,
): HttpServer | HttpsServer {
  if (!tls) return createHttpServer();
  const read = () => ({
    cert: readFileSync(tls.certFile),
    key: readFileSync(tls.keyFile),
    minVersion: 'TLSv1.2' as const,
  });
  const server = createHttpsServer(read());
  const renew = () => {
    try {
      server.setSecureContext(read());
      log.info('control certificate renewed');
    } catch (error) {
      // Certificate and key change one after the other; the old pair serves until they fit.
      log.warn({ err: error }, 'control certificate not renewed');
    }
  };
  const files = [tls.certFile, tls.keyFile];
  for (const file of files)
    watchFile(file, { interval: rereadIntervalMs, persistent: false }, renew);
  server.once('close', () => {
    for (const file of files) unwatchFile(file, renew);
  });
  return server;
}
