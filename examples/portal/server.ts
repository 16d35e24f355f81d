/** A clinic's portal that embeds Bedside the way a customer's would: it mints tokens and shows the element. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createApp } from './src/app.ts';
import { loadAssets } from './src/assets.ts';
import { ConfigError, readConfig } from './src/config.ts';

const STOP_MS = 3000;

try {
  const config = readConfig(process.env);
  const assets = await loadAssets(
    join(import.meta.dirname, 'public'),
    join(import.meta.dirname, '..', '..', 'sdk', 'dist'),
  );
  const server = createServer(
    { requestTimeout: 10_000, headersTimeout: 10_000, keepAliveTimeout: 5_000 },
    createApp(config, assets),
  );
  server.once('error', fail);
  server.listen(config.port, config.host, () => {
    const { address, port } = server.address() as AddressInfo;
    process.stdout.write(`portal on http://${address}:${port}/\n`);
  });
  const stop = (): void => {
    server.close(() => process.exit(0));
    server.closeIdleConnections();
    setTimeout(() => process.exit(0), STOP_MS).unref();
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
} catch (error) {
  fail(error as Error);
}

function fail(error: Error): void {
  process.stderr.write(`${error.message}\n`);
  // EX_CONFIG: to start again would not help.
  process.exit(error instanceof ConfigError ? 78 : 1);
}
