import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';

/**
 * The first port from `from` upwards on which `count` ports in a row are free on this host.
 * Another process may take one before it is used; whoever binds it then says so.
 *
 * @param {number} from
 * @param {{ count?: number, udp?: boolean, host?: string, taken?: Set<number> }} [options] `udp`
 *   wants each port for UDP as well as TCP; `taken` are ports promised to somebody else
 */
export async function freePort(from, { count = 1, udp = false, host = '127.0.0.1', taken } = {}) {
  for (let first = from; first + count <= 65_536; ) {
    let busy;
    for (let port = first; port < first + count && busy === undefined; port += 1) {
      const free =
        !taken?.has(port) && (await tcpFree(port, host)) && (!udp || (await udpFree(port, host)));
      if (!free) busy = port;
    }
    if (busy === undefined) return first;
    first = busy + 1;
  }
  throw new Error(`no ${count} free ports in a row from ${from}`);
}

function tcpFree(port, host) {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

function udpFree(port, address) {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    socket.once('error', () => resolve(false));
    socket.bind({ port, address, exclusive: true }, () => socket.close(() => resolve(true)));
  });
}
