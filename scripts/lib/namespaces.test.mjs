import { describe, expect, it } from 'vitest';
import { leadsInto } from './namespaces.mjs';

const routes = `default via 192.0.2.1 dev eth0
192.0.2.0/24 dev eth0 proto kernel scope link src 192.0.2.2
172.16.0.0/12 via 192.0.2.9 dev eth0
10.213.7.128/25 dev tun0 scope link
unreachable 198.18.0.0/16
local 10.213.9.4 dev lo table local proto kernel scope host src 10.213.9.4
`;

describe('leadsInto()', () => {
  it('finds a route to it, to more than it, to a part of it, and to one address of it', () => {
    for (const subnet of ['192.0.2', '172.29.3', '10.213.7', '198.18.0', '10.213.9'])
      expect(leadsInto(routes, subnet), subnet).toBe(true);
  });

  it('passes over what leads elsewhere, and the route for all that has no other', () => {
    for (const subnet of ['10.213.8', '172.32.0', '198.19.0', '192.0.3'])
      expect(leadsInto(routes, subnet), subnet).toBe(false);
  });
});
