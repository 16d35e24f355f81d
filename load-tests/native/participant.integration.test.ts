import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Stack, startStack } from '../../scripts/lib/stack.mjs';
import { targetOf } from '../lib/target.ts';
import { mintToken } from '../lib/token.ts';
import { until } from '../lib/wait.ts';
import { NativeParticipant } from './participant.ts';

let stack: Stack;

beforeAll(async () => {
  const workerBin = process.env.MEDIASOUP_WORKER_BIN;
  if (!workerBin) throw new Error('MEDIASOUP_WORKER_BIN is not set; run this through `npm test`.');
  stack = await startStack({
    node22: process.execPath,
    workerBin,
    restart: false,
    workers: 1,
    only: ['redis', 'node', 'gateway'],
    ports: {
      redis: 36_390,
      gateway: 37_000,
      gatewayOps: 37_001,
      node: 37_100,
      nodeOps: 37_101,
      media: 37_200,
    },
  });
});

afterAll(async () => {
  await stack?.stop();
});

async function enter(visit: string, participant: string): Promise<NativeParticipant> {
  const { gateway: url, tenant } = targetOf(stack);
  const token = await mintToken(tenant, { visit, participant, role: 'provider' });
  const entered = await NativeParticipant.connect({ url, visit, token });
  await entered.join();
  await entered.connectMedia();
  return entered;
}

test('RTP that one native participant sends reaches the other unchanged', async () => {
  const sender = await enter('native', 'sender');
  const microphone = await sender.produce('microphone');
  const camera = await sender.produce('camera');
  const listener = await enter('native', 'listener');
  try {
    const consumers = listener.joined.consumers;
    expect(consumers.map(({ producerId }) => producerId).toSorted()).toEqual(
      [microphone.producerId, camera.producerId].toSorted(),
    );
    const ssrc = consumers.find(({ kind }) => kind === 'audio')?.rtpParameters.encodings?.[0]?.ssrc;
    const payloads = new Set<string>();
    listener.onRtp((packet) => {
      if (packet.ssrc === ssrc) payloads.add(packet.payload.toString());
    });

    let sent = 0;
    const received = await until(
      'packets to arrive',
      async () => {
        microphone.send(Buffer.from(`packet ${sent}`), 960);
        sent += 1;
        return payloads.size;
      },
      (size) => size >= 5,
      20_000,
    );
    expect(received).toBeLessThanOrEqual(sent);
    for (const payload of payloads) expect(payload).toMatch(/^packet \d+$/);
  } finally {
    await sender.leave();
    await listener.leave();
  }
});

test('a native participant with a wrong token is refused with an error, not left waiting', async () => {
  const { gateway: url, tenant } = targetOf(stack);
  const token = await mintToken(
    { ...tenant, secret: 'x'.repeat(43) },
    { visit: 'native', participant: 'p', role: 'patient' },
  );
  await expect(NativeParticipant.connect({ url, visit: 'native', token })).rejects.toThrow();
});
