import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addressKey, ClientAddresses, isNetwork } from './address.ts';

const PROXY = '10.0.0.1';
const CLIENT = '198.51.100.7';

describe('the client behind proxies', () => {
  const behind = (...trusted: string[]) => new ClientAddresses(trusted);

  test('whoever is not trusted is the client, whatever they say', () => {
    fc.assert(
      fc.property(fc.string(), (forwardedFor) => {
        expect(behind().clientOf(CLIENT, forwardedFor)).toBe(CLIENT);
        expect(behind('10.0.0.0/8').clientOf(CLIENT, forwardedFor)).toBe(CLIENT);
      }),
    );
  });

  test('what a client writes never changes what a trusted proxy has appended', () => {
    fc.assert(
      fc.property(fc.string(), (written) => {
        expect(behind(PROXY).clientOf(PROXY, `${written}, ${CLIENT}`)).toBe(CLIENT);
      }),
    );
  });

  test.each([
    ['one proxy', CLIENT],
    ['two proxies', `${CLIENT}, 10.0.0.2`],
    ['two proxies, with addresses made up', `1.1.1.1, 2.2.2.2, ${CLIENT}, 10.0.0.2`],
    ['a trusted address made up', `10.0.0.9, ${CLIENT}`],
    ['no blanks', `1.1.1.1,${CLIENT},10.0.0.2`],
    ['a port', `${CLIENT}:4711`],
  ])('is found through %s', (_name, forwardedFor) => {
    expect(behind('10.0.0.0/8').clientOf(PROXY, forwardedFor)).toBe(CLIENT);
  });

  test('is found by IPv6', () => {
    const proxies = behind('2001:db8:1::/48');
    expect(proxies.clientOf('2001:0db8:0001:0000:0000:0000:0000:0001', '[2001:db8:9::7]:99')).toBe(
      '2001:db8:9::7',
    );
  });

  test('a proxy that listens on both families is trusted by its IPv4 address', () => {
    expect(behind(PROXY).clientOf('0000:0000:0000:0000:0000:ffff:0a00:0001', CLIENT)).toBe(CLIENT);
  });

  test('is the proxy where that has appended nothing', () => {
    expect(behind(PROXY).clientOf(PROXY, '')).toBe(PROXY);
  });

  test('is nobody known where the proxy appended no address', () => {
    expect(addressKey(behind(PROXY).clientOf(PROXY, 'unknown'))).toBe('unknown');
  });
});

describe('addressKey', () => {
  test.each([
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['0000:0000:0000:0000:0000:ffff:c000:0201', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:0db8:0001:0002:0000:0000:0000:0001', '2001:db8:1:2::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['', 'unknown'],
    ['localhost', 'unknown'],
    ['1.2.3.4.5', 'unknown'],
  ])('of %j is %s', (address, key) => {
    expect(addressKey(address)).toBe(key);
  });

  test('is one for all of a /64, however they are written', () => {
    fc.assert(
      fc.property(
        fc.ipV6(),
        fc.array(fc.nat(0xffff), { minLength: 4, maxLength: 4 }),
        (a, tail) => {
          const key = addressKey(a);
          fc.pre(key.endsWith('::/64'));
          const prefix = key.slice(0, -'::/64'.length);
          const other = `${prefix}:${tail.map((word) => word.toString(16)).join(':')}`;
          fc.pre(addressKey(other).endsWith('::/64'));
          expect(addressKey(other)).toBe(key);
        },
      ),
    );
  });

  test('is made of any text without throwing', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(addressKey(text)).not.toBe('');
      }),
    );
  });
});

test('isNetwork takes what BlockList takes', () => {
  const parts = fc.tuple(
    fc.oneof(fc.ipV4(), fc.ipV6(), fc.string()),
    fc.oneof(
      fc.constant(''),
      fc.integer({ min: 0, max: 200 }).map((bits) => `/${bits}`),
    ),
  );
  fc.assert(
    fc.property(parts, ([address, prefix]) => {
      fc.pre(isNetwork(address + prefix));
      expect(() => new ClientAddresses([address + prefix])).not.toThrow();
    }),
  );
});
