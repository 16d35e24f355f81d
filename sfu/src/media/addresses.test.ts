import { describe, expect, test } from 'vitest';
import { AddressList } from './addresses.ts';

const list = (text: string) => {
  const read = AddressList.read(text);
  if (!read) throw new Error('not a list');
  return read;
};

describe('a list of addresses', () => {
  test.each([
    ['10.1.2.3', '10.1.2.3'],
    ['10.1.0.0/16', '10.1.255.255'],
    ['10.1.0.0/16 , 192.0.2.7', '192.0.2.7'],
    ['2001:db8::/32', '2001:db8:1::5'],
    ['10.1.0.0/16', '::ffff:10.1.2.3'],
    ['0.0.0.0/0', '192.0.2.7'],
    ['127.0.0.0/8', '127.0.0.1'],
    ['127.0.0.1', '127.0.0.1'],
    ['::1', '::1'],
  ])('%s has %s', (text, ip) => {
    expect(list(text).has(ip)).toBe(true);
  });

  test.each([
    ['10.1.2.3', '10.1.2.4'],
    ['10.1.0.0/16', '10.2.0.1'],
    ['10.1.0.0/16', '::ffff:10.2.0.1'],
    ['2001:db8::/32', '2001:db9::1'],
    ['10.1.0.0/16', 'node.internal'],
    ['10.1.0.0/16', ''],
    ['10.1.0.0/16', '10.1.1'],
    ['10.1.0.0/16', '0x0a010101'],
  ])('%s has not %s', (text, ip) => {
    expect(list(text).has(ip)).toBe(false);
  });

  test.each(['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1'])(
    'all addresses are not this machine: %s',
    (ip) => {
      expect(list('0.0.0.0/0,::/0').has(ip)).toBe(false);
    },
  );

  test.each([
    '0.0.0.0',
    '0.1.2.3',
    '::',
    '::ffff:0.0.0.0',
    '224.0.0.1',
    '255.255.255.255',
    'ff02::1',
  ])('no list has what is no host: %s', (ip) => {
    expect(list(`0.0.0.0/0,::/0,127.0.0.0/8,::1,${ip}`).has(ip)).toBe(false);
  });

  test.each([
    'node.internal',
    '',
    '10.0.0.0/33',
    '10.0.0.0/',
    '10.0.0.0/8/8',
    '::/129',
    '10.0.0.0/-1',
    '1.2.3.4,',
  ])('%j is none', (text) => {
    expect(AddressList.read(text)).toBeUndefined();
  });
});
