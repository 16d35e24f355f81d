import { BlockList, isIP } from 'node:net';

const LOOPBACK = ['127.0.0.0/8', '::1/128'];
/** No host is at one of these: sending there would reach this machine, or many. */
const NOBODYS = ['0.0.0.0/8', '::/128', '224.0.0.0/3', 'ff00::/8'];

/**
 * Addresses that media may be sent to without ICE, which would have asked them. Loopback is one of them
 * only where an item names it: an item as wide as all addresses does not mean this machine.
 */
export class AddressList {
  readonly #listed: BlockList;
  readonly #isLoopbackListed: boolean;

  /** Nobody. */
  static get none(): AddressList {
    return new AddressList([]);
  }

  private constructor(items: readonly string[]) {
    this.#listed = listOf(items);
    this.#isLoopbackListed = items.some((item) => has(loopback, item.split('/')[0] ?? ''));
  }

  /** Of IP addresses and CIDR ranges, separated by commas; undefined where one is neither. */
  static read(text: string): AddressList | undefined {
    const items = text.split(',').map((item) => item.trim());
    return items.every(isAddressOrRange) ? new AddressList(items) : undefined;
  }

  /** False for what is no IP address, too. */
  has(ip: string): boolean {
    if (!has(this.#listed, ip) || has(nobodys, ip)) return false;
    return this.#isLoopbackListed || !has(loopback, ip);
  }
}

const familyOf = (ip: string) => (isIP(ip) === 6 ? 'ipv6' : 'ipv4');
const has = (list: BlockList, ip: string) => isIP(ip) !== 0 && list.check(ip, familyOf(ip));

function isAddressOrRange(item: string): boolean {
  const [ip = '', prefix, ...more] = item.split('/');
  const bits = isIP(ip) === 6 ? 128 : 32;
  if (isIP(ip) === 0 || more.length > 0) return false;
  return prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= bits);
}

function listOf(items: readonly string[]): BlockList {
  const list = new BlockList();
  for (const item of items) {
    const [ip = '', prefix] = item.split('/');
    if (prefix === undefined) list.addAddress(ip, familyOf(ip));
    else list.addSubnet(ip, Number(prefix), familyOf(ip));
  }
  return list;
}

const loopback = listOf(LOOPBACK);
const nobodys = listOf(NOBODYS);
