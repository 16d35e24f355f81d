import { ConsumerId, PeerId, ProducerId } from '@bedside/protocol';
import { describe, expect, test } from 'vitest';
import { ScoreBook } from './scores.ts';

const producerId = ProducerId.parse('p');
const consumerId = ConsumerId.parse('c');
const peer = PeerId.parse('peer');

describe('ScoreBook', () => {
  test('gives each change once', () => {
    const book = new ScoreBook();
    book.producer(producerId, 9);
    book.consumer(peer, consumerId, 8, 9);
    expect(book.take()).toEqual({
      producers: [{ producerId, score: 9 }],
      consumers: [{ peer, consumerId, score: 8, producerScore: 9 }],
    });
    expect(book.take()).toBeUndefined();
  });

  test('a score that came back to what was told is not told again', () => {
    const book = new ScoreBook();
    book.producer(producerId, 9);
    book.consumer(peer, consumerId, 8, 9);
    book.take();
    book.producer(producerId, 2);
    book.producer(producerId, 9);
    book.consumer(peer, consumerId, 1, 9);
    book.consumer(peer, consumerId, 8, 9);
    expect(book.take()).toBeUndefined();
  });

  test('what is closed has no score', () => {
    const book = new ScoreBook();
    book.producer(producerId, 9);
    book.consumer(peer, consumerId, 8, 9);
    book.forgetProducer(producerId);
    book.forgetConsumer(consumerId);
    expect(book.take()).toBeUndefined();
  });
});
