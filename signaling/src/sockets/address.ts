import { isIPv4, isIPv6 } from 'node:net';

/**
 * What stands for a client's address in limits: an IPv4 address, or the /64 of an IPv6 address, since
 * one customer has a whole /64. Anything else is one key, `unknown`.
 */
export function addressKey(text: string): string {
  const address = text.trim();
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

/**
 * The client's address: that of the TCP connection, or behind `trustedProxies` proxies the entry that
 * the outermost of them wrote. Entries further left were written by the client, and are not believed.
 */
export function clientAddress(peer: string, forwardedFor: string, trustedProxies: number): string {
  if (trustedProxies === 0) return peer;
  const entries = forwardedFor.split(',').map((entry) => entry.trim());
  return entries.at(-trustedProxies) || peer;
}
