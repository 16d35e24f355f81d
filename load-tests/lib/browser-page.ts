import { createReadStream } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';

const bundle = fileURLToPath(new URL('../../sdk/dist/bedside.mjs', import.meta.url));

/** An empty page and the SDK's module beside it, on an origin of their own. */
export async function servePage(host = '127.0.0.1'): Promise<{ origin: string; close(): void }> {
  const server = createServer((request, response) => {
    if (request.url !== '/bedside.mjs') {
      response.setHeader('content-type', 'text/html');
      response.end('<!doctype html><title>Bedside</title>');
      return;
    }
    response.setHeader('content-type', 'text/javascript');
    createReadStream(bundle)
      .once('error', (error) => response.destroy(error))
      .pipe(response);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://${host}:${port}`,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
