import type { ParticipantId, ProducerId } from '@bedside/protocol';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { emptyVisit, NODE, personOf } from '../visit/arbitrary.ts';
import type { Visit } from '../visit/state.ts';
import { levelOf, Quality } from './quality.ts';

const [ana, ben] = ['ana', 'ben'] as [ParticipantId, ParticipantId];

/** A visit of participants with these producers: [id, paused]. */
const visitOf = (producers: Record<string, [string, boolean][]>): Visit => ({
  ...emptyVisit(),
  media: NODE,
  participants: Object.entries(producers).map(([id, sent]) => ({
    ...personOf(id, 'patient'),
    grants: [],
    state: 'admitted',
    connection: 'connected',
    place: 'main',
    session: 's',
    tokens: [],
    joinedAt: 0,
    endpoint: {
      peer: `peer-${id}` as never,
      request: 'r' as never,
      producers: sent.map(([producer, paused]) => ({
        id: producer as ProducerId,
        kind: 'audio',
        source: 'microphone',
        paused,
        request: 'r' as never,
      })),
    },
  })),
});
const score = (producerId: string, value: number) => ({
  producerId: producerId as ProducerId,
  score: value,
});

describe('the level of a score', () => {
  test('is 0 for lost, and never falls while the score grows', () => {
    expect([0, 1, 3, 4, 7, 8, 10].map(levelOf)).toEqual([0, 1, 1, 2, 2, 3, 3]);
    fc.assert(
      fc.property(fc.double({ min: 0, max: 10, noNaN: true }), (value) => {
        expect([0, 1, 2, 3]).toContain(levelOf(value));
        expect(levelOf(Math.min(10, value + 1))).toBeGreaterThanOrEqual(levelOf(value));
      }),
    );
  });
});

describe('connection quality', () => {
  test('is that of the worst producer that is not paused', () => {
    const quality = new Quality();
    const visit = visitOf({
      ana: [
        ['a1', false],
        ['a2', false],
        ['a3', true],
      ],
    });
    expect(quality.update(visit, [score('a1', 10), score('a2', 5), score('a3', 0)])).toEqual([
      { participantId: ana, level: 2 },
    ]);
  });

  test('is told when the level changes, and only then', () => {
    const quality = new Quality();
    const visit = visitOf({ ana: [['a1', false]], ben: [['b1', false]] });
    quality.update(visit, [score('a1', 10), score('b1', 10)]);
    expect(quality.update(visit, [score('a1', 9)])).toEqual([]);
    expect(quality.update(visit, [score('a1', 1)])).toEqual([{ participantId: ana, level: 1 }]);
    expect(quality.all(visit)).toEqual([
      { participantId: ana, level: 1 },
      { participantId: ben, level: 3 },
    ]);
  });

  test('of who has left is forgotten, and scores of producers that are gone count for nobody', () => {
    const quality = new Quality();
    quality.update(visitOf({ ana: [['a1', false]], ben: [['b1', false]] }), [
      score('a1', 10),
      score('b1', 10),
    ]);
    const visit = visitOf({ ben: [['b1', false]] });
    expect(quality.update(visit, [score('a1', 0), score('stranger', 0)])).toEqual([]);
    expect(quality.all(visit)).toEqual([{ participantId: ben, level: 3 }]);
    // Back with another producer: the old score is not remembered.
    const again = visitOf({ ana: [['a2', false]], ben: [['b1', false]] });
    expect(quality.update(again, [score('a2', 8)])).toEqual([{ participantId: ana, level: 3 }]);
  });
});
