import type { ClientRequest } from '@bedside/protocol';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { until } from '../lib/wait.ts';
import { Cluster, type DrillGateway } from './cluster.ts';
import type { Visitor } from './visitor.ts';

let cluster: Cluster;
let gateway: DrillGateway;
let visits = 0;
let visit: string;

beforeAll(async () => {
  cluster = await Cluster.start();
  gateway = await cluster.startGateway('gateway-a');
});

afterAll(async () => {
  await cluster?.stop();
});

beforeEach(() => {
  visit = `visit-${++visits}`;
});

/** Joined, sending, and received by all who were there before. */
async function enter(participant: string, at = gateway): Promise<Visitor> {
  const visitor = await cluster.visitor(at, visit, participant);
  await visitor.join();
  return visitor;
}

const emptied = () =>
  until(
    'the node to be empty',
    () => cluster.atNode(),
    ({ transports }) => transports === 0,
  );

async function closeAll(...visitors: Visitor[]): Promise<void> {
  for (const visitor of visitors) {
    await visitor.command('leave', {});
    visitor.close();
  }
  await emptied();
}

describe('a visit of two', () => {
  test('carries sound both ways: who was there first, and who came later', async () => {
    const ana = await enter('ana');
    const fromAna = await ana.talk();
    const ben = await enter('ben');
    await ben.receives(fromAna.producerId);
    const fromBen = await ben.talk();
    await ana.receives(fromBen.producerId);
    expect(ana.joined.visit.participants).toHaveLength(1);
    expect(ben.joined.visit.participants).toHaveLength(2);
    await closeAll(ana, ben);
  });

  test('tells mute, the end of a track and a leave, with what ends with them', async () => {
    const [ana, ben] = [await enter('ana'), await enter('ben')];
    const { producerId } = await ana.talk();
    await ben.receives(producerId);
    await ana.command('pause-producer', { producerId, paused: true });
    await ben.hear('changed', ({ changes }) =>
      changes.some(
        (change) =>
          change.type === 'participant' && change.participant.producers[0]?.paused === true,
      ),
    );
    await ana.command('close-producer', { producerId });
    await ben.hear('consumers', ({ removed }) => removed.length === 1);
    const screen = await ana.talk('screen-audio');
    await ben.receives(screen.producerId);
    await ana.command('leave', {});
    await ben.hear('changed', ({ changes }) =>
      changes.some(
        (change) => change.type === 'participant-left' && change.participantId === 'ana',
      ),
    );
    await ben.hear('consumers', ({ removed }) => removed.length === 1);
    expect(ben.consumers.size).toBe(0);
    ana.close();
    await closeAll(ben);
  });
});

test('a renewed token withdraws grants: what was sent by them is closed, and nothing more is allowed by them', async () => {
  const [ana, ben] = [await enter('ana'), await enter('ben')];
  const microphone = await ana.talk();
  const screen = await ana.talk('screen-audio');
  await ben.receives(microphone.producerId);
  await ben.receives(screen.producerId);
  const renewed = { visit, participant: 'ana', role: 'provider' as const };
  const token = await cluster.token({ ...renewed, grants: ['publish-audio'] });
  expect(await ana.command('renew-token', { token })).toMatchObject({ grants: ['publish-audio'] });
  for (const each of [ana, ben])
    await each.hear('changed', ({ changes }) =>
      changes.some(
        (change) =>
          change.type === 'participant' &&
          change.participant.participantId === 'ana' &&
          change.participant.producers.map(({ source }) => source).join() === 'microphone',
      ),
    );
  await ben.hear('consumers', ({ removed }) => removed.length === 1);
  await until(
    'the node to close the producer',
    () => cluster.atNode(),
    ({ producers, consumers }) => producers === 1 && consumers === 1,
  );
  await ben.receives(microphone.producerId);
  await expect(ana.talk('screen-audio')).rejects.toMatchObject({ code: 'forbidden' });
  await expect(ana.command('end', {})).rejects.toMatchObject({ code: 'forbidden' });
  // The grants come back with the next token.
  await ana.command('renew-token', { token: await cluster.token(renewed) });
  await ben.receives((await ana.talk('screen-audio')).producerId);
  await closeAll(ana, ben);
});

test('the same request twice is carried out once and answered alike, whatever the command', async () => {
  const [ana, ben] = [await cluster.visitor(gateway, visit, 'ana'), await enter('ben')];
  const join: Omit<ClientRequest<'join'>, 'requestId'> = {
    rtpCapabilities: ana.welcome.rtpCapabilities,
  };
  const [first, second] = await Promise.all([
    ana.command('join', join, 'join'),
    ana.command('join', join, 'join'),
  ]);
  expect(second).toEqual(first);
  const third = await ana.command('join', join, 'join');
  expect(third.sendTransport.transportId).toBe(first.sendTransport.transportId);
  expect((await cluster.atNode()).transports).toBe(4);
  await ana.join();
  const twice = async <Answer>(ask: (requestId: string) => Promise<Answer>, requestId: string) => {
    const answer = await ask(requestId);
    expect(await ask(requestId)).toEqual(answer);
    return answer;
  };
  const { rtpParameters } = await senderOf(ben);
  const { producerId } = await twice(
    (requestId) =>
      ana.command(
        'produce',
        {
          transportId: ana.joined.sendTransport.transportId,
          source: 'screen-audio',
          rtpParameters,
          paused: false,
        },
        requestId,
      ),
    'produce',
  );
  const [consumerId] = ana.consumers.keys();
  if (!consumerId) throw new Error('nothing is consumed');
  const { transportId } = ana.joined.recvTransport;
  await twice(
    (id) => ana.command('prefer-consumers', { preferences: [{ consumerId, paused: true }] }, id),
    'prefer',
  );
  await twice((id) => ana.command('restart-ice', { transportId }, id), 'ice');
  await twice((id) => ana.command('pause-producer', { producerId, paused: true }, id), 'pause');
  expect((await cluster.atNode()).producers).toBe(2);
  // The very same command under another request id is another: there is nothing left to close.
  await twice((id) => ana.command('close-producer', { producerId }, id), 'close');
  await expect(ana.command('close-producer', { producerId }, 'other')).rejects.toMatchObject({
    code: 'not-found',
  });
  await twice((id) => ana.command('leave', {}, id), 'leave');
  expect(await cluster.atNode()).toMatchObject({ transports: 2, producers: 1 });
  ana.close();
  await closeAll(ben);

  /** RTP parameters that the node takes: those of a track that is sent. */
  async function senderOf(visitor: Visitor) {
    const sender = await visitor.talk();
    await ana.receives(sender.producerId);
    const consumer = ana.consumerOf(sender.producerId);
    if (!consumer) throw new Error('no consumer');
    const { rtpParameters: received } = consumer;
    return {
      rtpParameters: {
        ...received,
        mid: undefined,
        encodings: [{ ssrc: 4_711 }],
        rtcp: { cname: 'drill' },
      } as ClientRequest<'produce'>['rtpParameters'],
    };
  }
});

describe('a page whose socket breaks', () => {
  test('goes on sending and receiving, and gets what it missed when it resumes', async () => {
    const [ana, ben] = [await enter('ana'), await enter('ben')];
    const [fromAna, fromBen] = [await ana.talk(), await ben.talk()];
    await ana.receives(fromBen.producerId);
    await ben.receives(fromAna.producerId);
    const kept = ben.consumerOf(fromAna.producerId)?.consumerId;
    ben.drop();
    await ana.hear('changed', ({ changes }) =>
      changes.some(
        (change) =>
          change.type === 'participant' && change.participant.connection === 'reconnecting',
      ),
    );
    await ben.receives(fromAna.producerId);
    await ana.receives(fromBen.producerId);
    const screen = await ana.talk('screen-audio');

    await ben.reconnect(gateway);
    expect(ben.welcome.resumed).toBe(true);
    const { added, removed, visit: view } = await ben.resume();
    expect(added.map(({ producerId }) => producerId)).toEqual([screen.producerId]);
    expect(removed).toEqual([]);
    expect(view.participants).toHaveLength(2);
    expect(ben.consumerOf(fromAna.producerId)?.consumerId).toBe(kept);
    await ben.receives(fromAna.producerId);
    await ana.receives(fromBen.producerId);
    expect(ben.heard('media-lost')).toBe(0);
    await closeAll(ana, ben);
  });

  test('and does not come back in its grace time has left, and its media is closed', async () => {
    const hasty = await cluster.startGateway('gateway-hasty', 100);
    const [ana, ben] = [await enter('ana', hasty), await enter('ben', hasty)];
    const fromBen = await ben.talk();
    await ana.receives(fromBen.producerId);
    ben.drop();
    const { changes } = await ana.hear('changed', (changed) =>
      changed.changes.some((change) => change.type === 'participant-left'),
    );
    expect(changes).toEqual([
      { type: 'participant-left', participantId: 'ben', reason: 'connection-lost' },
    ]);
    await ana.hear('consumers', ({ removed }) => removed.length === 1);
    await ben.reconnect(hasty);
    expect(ben.welcome.resumed).toBe(false);
    ben.close();
    await closeAll(ana);
    await hasty.kill();
  });
});

test('a second page of a participant takes over, the first is told and loses its media', async () => {
  const [ana, ben] = [await enter('ana'), await enter('ben')];
  const fromAna = await ana.talk();
  await ben.receives(fromAna.producerId);
  const again = await cluster.visitor(gateway, visit, 'ana');
  expect((await ana.hear('closing')).reason).toBe('replaced');
  await ben.hear('consumers', ({ removed }) => removed.length === 1);
  expect(again.welcome.resumed).toBe(false);
  await again.join();
  const { producerId } = await again.talk();
  await ben.receives(producerId);
  expect(await cluster.atNode()).toMatchObject({ transports: 4, producers: 1, consumers: 1 });
  ana.close();
  await closeAll(again, ben);
});

describe('while the link between gateway and node is cut', () => {
  test('media goes on untouched, and what changed meanwhile is made up for when it is back', async () => {
    const [ana, ben, cem] = [await enter('ana'), await enter('ben'), await enter('cem')];
    const [fromAna, fromCem] = [await ana.talk(), await cem.talk()];
    await ben.receives(fromAna.producerId);
    await ben.receives(fromCem.producerId);
    const kept = ben.consumerOf(fromAna.producerId)?.consumerId;

    cluster.node.way.cut();
    await until(
      'the gateway to see it',
      () =>
        ana.talk('screen-audio').then(
          () => 'ok',
          ({ code }: { code: string }) => code,
        ),
      (code) => code === 'media-unavailable',
    );
    await ben.receives(fromAna.producerId);
    await cem.command('leave', {});
    await ben.hear('changed', ({ changes }) =>
      changes.some(({ type }) => type === 'participant-left'),
    );

    cluster.node.way.restore();
    await ben.hear('consumers', ({ removed }) => removed.length === 1);
    expect(ben.consumerOf(fromAna.producerId)?.consumerId).toBe(kept);
    await ben.receives(fromAna.producerId);
    await until(
      'Cem\u2019s peer to go',
      () => cluster.atNode(),
      ({ transports }) => transports === 4,
    );
    const screen = await until(
      'the link to be back',
      () => ana.talk('screen-audio').catch(() => undefined),
      (sender) => sender !== undefined,
    );
    await ben.receives(screen?.producerId as never);
    expect(ana.heard('media-lost') + ben.heard('media-lost')).toBe(0);
    cem.close();
    await closeAll(ana, ben);
  });

  test('a visit that ends meanwhile is closed at the node when it is back, whoever keeps a page open', async () => {
    const [ana, ben] = [await enter('ana'), await enter('ben')];
    const fromAna = await ana.talk();
    await ben.receives(fromAna.producerId);
    cluster.node.way.cut();
    await ana.command('end', {});
    cluster.node.way.restore();
    await until(
      'the node to have nothing of it',
      () => cluster.atNode(),
      ({ transports }) => transports === 0,
    );
    ana.close();
    ben.close();
  });

  test('answers that are lost with it are made up for: who left is heard no more, who speaks is heard once', async () => {
    const [ana, ben, cem] = [await enter('ana'), await enter('ben'), await enter('cem')];
    const fromCem = await cem.talk();
    await ben.receives(fromCem.producerId);
    cluster.node.way.holdAnswers();
    const request = {
      transportId: ana.joined.sendTransport.transportId,
      source: 'microphone' as const,
      rtpParameters: ben.consumerOf(fromCem.producerId)?.rtpParameters as never,
      paused: false,
    };
    await cem.command('leave', {});
    const producing = ana.command('produce', request, 'same').then(
      () => 'ok',
      ({ code }: { code: string }) => code,
    );
    await until(
      'the node to have done it',
      () => cluster.atNode(),
      ({ transports }) => transports === 4,
    );
    cluster.node.way.drop();
    expect(await producing).toBe('media-unavailable');
    await ben.hear('consumers', ({ removed }) => removed.length === 1);
    const { producerId } = await until(
      'the link to be back',
      () => ana.command('produce', request, 'same').catch(() => ({ producerId: undefined })),
      (answer) => answer.producerId !== undefined,
    );
    await until(
      'Ben to be told',
      async () => ben.consumers.size,
      (size) => size === 1,
    );
    expect(ben.consumerOf(producerId as never)).toBeDefined();
    expect(await cluster.atNode()).toMatchObject({ producers: 1, consumers: 1 });
    cem.close();
    await closeAll(ana, ben);
  });
});

describe('when the media is gone', () => {
  async function rejoin(...visitors: Visitor[]): Promise<void> {
    for (const visitor of visitors) await visitor.hear('media-lost');
    for (const visitor of visitors) {
      await until(
        'the media to be back',
        () =>
          visitor.join().then(
            () => true,
            () => false,
          ),
        (joined) => joined,
      );
    }
    const [ana, ben] = visitors as [Visitor, Visitor];
    const [fromAna, fromBen] = [await ana.talk(), await ben.talk()];
    await ben.receives(fromAna.producerId);
    await ana.receives(fromBen.producerId);
    for (const visitor of visitors) expect(visitor.heard('media-lost')).toBe(0);
  }

  test('because the worker was killed, everybody is told, joins again, and is heard', async () => {
    const [ana, ben] = [await enter('ana'), await enter('ben')];
    const fromAna = await ana.talk();
    await ben.receives(fromAna.producerId);
    cluster.node.signalWorkers('SIGKILL');
    await rejoin(ana, ben);
    expect(await cluster.atNode()).toMatchObject({ transports: 4, producers: 2, consumers: 2 });
    await closeAll(ana, ben);
  });

  test('because the node was started anew, everybody is told, joins again, and is heard', async () => {
    const [ana, ben] = [await enter('ana'), await enter('ben')];
    const fromAna = await ana.talk();
    await ben.receives(fromAna.producerId);
    await cluster.node.kill();
    await cluster.node.start();
    await rejoin(ana, ben);
    expect(await cluster.atNode()).toMatchObject({ transports: 4, producers: 2, consumers: 2 });
    await closeAll(ana, ben);
  });
});

describe('with two gateways', () => {
  test('one that lost the visit without knowing steps down at its next word to the node; media goes on', async () => {
    const [a, b] = [await cluster.startGateway('left'), await cluster.startGateway('right')];
    const [ana, ben] = [await enter('ana', a), await enter('ben', a)];
    const [fromAna, fromBen] = [await ana.talk(), await ben.talk()];
    await ben.receives(fromAna.producerId);
    await ana.receives(fromBen.producerId);
    const kept = ben.consumerOf(fromAna.producerId)?.consumerId;

    // Cut off from Redis for longer than its registration lives.
    a.redisWay.cut();
    await ben.reconnect(b);
    expect(ben.welcome.resumed).toBe(true);
    await ben.resume();
    expect(ben.consumerOf(fromAna.producerId)?.consumerId).toBe(kept);
    await expect(ana.talk('screen-audio')).rejects.toThrow();
    expect((await ana.hear('closing')).reason).toBe('moved');
    await ana.reconnect(b);
    expect(ana.welcome.resumed).toBe(true);
    expect(await ana.resume()).toMatchObject({ added: [], removed: [] });
    const screen = await ana.talk('screen-audio');
    await ben.receives(screen.producerId);
    await ben.receives(fromAna.producerId);
    await ana.receives(fromBen.producerId);
    expect(ana.heard('media-lost') + ben.heard('media-lost')).toBe(0);
    await closeAll(ana, ben);
    await a.kill();
    await b.kill();
  });

  test('one that is killed is followed by the other, which takes over what the node has and closes none of it', async () => {
    const a = await cluster.startGateway('victim');
    const b = await cluster.startGateway('heir');
    const [ana, ben] = [await enter('ana', a), await enter('ben', a)];
    const [fromAna, fromBen] = [await ana.talk(), await ben.talk()];
    await ben.receives(fromAna.producerId);
    await ana.receives(fromBen.producerId);
    const before = await cluster.atNode();

    await a.kill();
    for (const visitor of [ana, ben]) {
      await visitor.reconnect(b);
      expect(visitor.welcome.resumed).toBe(true);
      expect(await visitor.resume()).toMatchObject({ added: [], removed: [] });
    }
    await ben.receives(fromAna.producerId);
    await ana.receives(fromBen.producerId);
    expect(await cluster.atNode()).toEqual(before);
    expect(ana.heard('media-lost') + ben.heard('media-lost')).toBe(0);
    const screen = await ana.talk('screen-audio');
    await ben.receives(screen.producerId);
    await closeAll(ana, ben);
    await b.kill();
  });
});
