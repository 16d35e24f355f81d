import { isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';

const EVERY_INTERFACE = ['0.0.0.0', '::'];

/** A host that others reach this one at: itself, or where it means every interface the first that leads outside. */
export function reachableHost(host: string): string {
  if (!EVERY_INTERFACE.includes(host)) return host;
  const outside = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ internal }) => !internal);
  const first = outside.find(({ family }) => family === 'IPv4') ?? outside[0];
  return first?.address ?? '127.0.0.1';
}

/** Host and port as a URL has them. */
export const authority = (host: string, port: number): string =>
  `${isIPv6(host) ? `[${host}]` : host}:${port}`;

const LOOPBACK = /^(localhost|::1|\[::1\]|127\.\d{1,3}\.\d{1,3}\.\d{1,3})$/;

/** Whether nobody outside this machine is there: a host as sockets take it or as URLs have it. */
export const isLoopback = (host: string): boolean => LOOPBACK.test(host);
