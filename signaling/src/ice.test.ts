import { createHmac } from 'node:crypto';
import type { IceServer } from '@bedside/protocol';
import { expect, test } from 'vitest';
import { iceServersFor } from './ice.ts';

const stun: IceServer = { urls: ['stun:stun.example.org'] };
const turn = { urls: ['turns:turn.example.org'], secret: 'turn-secret', ttlSeconds: 3600 };

test('without TURN the fixed servers are handed out', () => {
  expect(iceServersFor({ iceServers: [stun], turn: undefined }, 0)).toEqual([stun]);
});

test('a TURN credential is what coturn makes of the secret, and names nothing but its end', () => {
  const servers = iceServersFor({ iceServers: [stun], turn }, 1_700_000_000_900);
  const credential = createHmac('sha1', 'turn-secret').update('1700003600').digest('base64');
  expect(servers).toEqual([stun, { urls: turn.urls, username: '1700003600', credential }]);
});
