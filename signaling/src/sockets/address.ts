import type { HttpRequest, HttpResponse } from 'uWebSockets.js';
import { BlockList, isIP, isIPv4, isIPv6 } from 'node:net';

const familyOf = (address: string) => (isIPv6(address) ? 'ipv6' : 'ipv4');

/** Whether it is an address, or a network such as 10.0.0.0/8. */
export function isNetwork(text: string): boolean {
  const [address = '', prefix, ...more] = text.split('/');
  const bits = isIPv4(address) ? 32 : 128;
  const fits = prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= bits);
  return isIP(address) !== 0 && fits && more.length === 0;
}

/**
 * Which address a client has. `X-Forwarded-For` counts only where a trusted proxy has written it: each
 * proxy appends the peer that it saw, so the list is read from the right for as long as the writer is
 * trusted. What is left of there, a client may have made up.
 */
export class ClientAddresses {
  readonly #trusted = new BlockList();

  /** `trustedProxies`: addresses and networks, for which `isNetwork` holds. */
  constructor(trustedProxies: readonly string[]) {
    for (const network of trustedProxies) {
      const [address = '', prefix] = network.split('/');
      const family = familyOf(address);
      if (prefix === undefined) this.#trusted.addAddress(address, family);
      else this.#trusted.addSubnet(address, Number(prefix), family);
    }
  }

  /** What stands in limits for the client that sent a request; to be called before the handler returns. */
  keyOf(res: HttpResponse, req: HttpRequest): string {
    const peer = Buffer.from(res.getRemoteAddressAsText()).toString();
    return addressKey(this.clientOf(peer, req.getHeader('x-forwarded-for')));
  }

  /** `peer`: of the TCP connection. */
  clientOf(peer: string, forwardedFor: string): string {
    let client = peer;
    for (const entry of forwardedFor.split(',').reverse()) {
      const address = withoutPort(entry.trim());
      if (!this.#trusts(client) || address === '') break;
      client = address;
    }
    return client;
  }

  #trusts(address: string): boolean {
    return isIP(address) !== 0 && this.#trusted.check(address, familyOf(address));
  }
}

/** Some proxies append the port: `192.0.2.1:5678`, `[2001:db8::1]:5678`. */
const withoutPort = (entry: string): string =>
  /^\[(.*)\](?::\d+)?$/.exec(entry)?.[1] ?? /^([\d.]+):\d+$/.exec(entry)?.[1] ?? entry;

/**
 * An IPv4 address, or the /64 of an IPv6 address, since one customer has a whole /64. Anything else is
 * one key, `unknown`.
 */
export function addressKey(address: string): string {
  if (isIPv4(address)) return address;
  if (!isIPv6(address)) return 'unknown';
  const words = wordsOf(address);
  const [a = 0, b = 0] = words.slice(6);
  const mapped = words.slice(0, 5).every((word) => word === 0) && words[5] === 0xffff;
  if (mapped) return [a >> 8, a & 255, b >> 8, b & 255].join('.');
  return `${words
    .slice(0, 4)
    .map((word) => word.toString(16))
    .join(':')}::/64`;
}

function wordsOf(address: string): number[] {
  // URL writes IPv6 in its one canonical form, without a dotted tail.
  const canonical = new URL(`http://[${address.split('%')[0]}]`).hostname.slice(1, -1);
  const [head = '', tail] = canonical.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const gap = tail === undefined ? 0 : 8 - left.length - right.length;
  return [...left, ...Array<string>(gap).fill('0'), ...right].map((word) =>
    Number.parseInt(word, 16),
  );
}
