import type { ConsumerParameters, ParticipantView } from '@bedside/protocol';
import { describe, expect, it } from 'vitest';
import { ParticipantState } from './participant.ts';

const view = (...producers: { producerId: string; paused: boolean }[]): ParticipantView =>
  ({
    participantId: 'a',
    role: 'provider',
    state: 'admitted',
    connection: 'connected',
    place: 'main',
    producers: producers.map((producer) => ({ ...producer, kind: 'video', source: 'camera' })),
  }) as ParticipantView;
const consumer = (
  consumerId: string,
  producerId: string,
  producerPaused = false,
): ConsumerParameters =>
  ({
    consumerId,
    producerId,
    participantId: 'a',
    kind: 'video',
    source: 'camera',
    producerPaused,
    gain: 1,
  }) as ConsumerParameters;
const track = { id: 't' } as MediaStreamTrack;
const setUp = () => new ParticipantState('a' as never, 'provider', false);

describe('ParticipantState', () => {
  it('lists a publication that is announced, without its track', () => {
    const participant = setUp();
    participant.apply(view({ producerId: 'x', paused: true }));
    expect(participant.tracks.get('camera')).toMatchObject({ muted: true, track: undefined });
  });

  it('lists a track that arrives before the visit says so', () => {
    const participant = setUp();
    participant.attach(consumer('c', 'x', true), track);
    expect(participant.tracks.get('camera')).toMatchObject({
      muted: true,
      received: track,
      track: undefined,
    });
  });

  it('believes the visit about mute where it knows the producer', () => {
    const participant = setUp();
    participant.apply(view({ producerId: 'x', paused: true }));
    participant.attach(consumer('c', 'x', false), track);
    expect(participant.tracks.get('camera')?.muted).toBe(true);
  });

  it('drops a publication once it is neither announced nor received', () => {
    const participant = setUp();
    participant.apply(view({ producerId: 'x', paused: true }));
    participant.attach(consumer('c', 'x'), track);
    participant.apply(view());
    expect(participant.tracks.size).toBe(1);
    participant.detach('c' as never);
    expect(participant.tracks.size).toBe(0);
  });

  it('is interrupted in what it sends when that goes without being turned off, until it is there again', () => {
    const participant = setUp();
    const interrupted = () => participant.tracks.get('camera')?.interrupted;
    participant.apply(view({ producerId: 'x', paused: false }));
    participant.attach(consumer('c', 'x'), track);
    participant.apply(view());
    participant.detach('c' as never);
    expect([interrupted(), participant.isInterrupted]).toEqual([true, true]);
    participant.apply(view({ producerId: 'y', paused: false }));
    expect(interrupted()).toBe(true);
    participant.attach(consumer('d', 'y'), track);
    expect([interrupted(), participant.isInterrupted]).toEqual([false, false]);
  });

  it('is not waited for any more once it is turned off, or its time is up', () => {
    for (const end of [
      (participant: ParticipantState) => participant.apply(view({ producerId: 'y', paused: true })),
      (participant: ParticipantState) => participant.endInterruption(),
    ]) {
      const participant = setUp();
      participant.apply(view({ producerId: 'x', paused: false }));
      participant.apply(view());
      expect(participant.isInterrupted).toBe(true);
      end(participant);
      expect(participant.isInterrupted).toBe(false);
    }
  });

  it('is interrupted in what is shown when all media fails, not in what is muted', () => {
    const participant = setUp();
    participant.apply(view({ producerId: 'x', paused: false }));
    const publication = participant.attach(consumer('c', 'x'), track);
    participant.interrupt();
    expect(publication.interrupted).toBe(false);
    publication.track = track;
    participant.interrupt();
    expect(publication.interrupted).toBe(true);
    publication.interrupted = false;
    publication.muted = true;
    participant.interrupt();
    expect(publication.interrupted).toBe(false);
  });

  it('keeps the newer consumer when the older one goes', () => {
    const participant = setUp();
    participant.attach(consumer('c1', 'x'), track);
    participant.attach(consumer('c2', 'y'), track);
    expect(participant.detach('c1' as never)).toBeUndefined();
    expect(participant.tracks.get('camera')).toMatchObject({ consumerId: 'c2', producerId: 'y' });
  });

  it.each([
    ['admitted', 'main', 'admitted', 'main', true],
    ['admitted', 'room.1', 'admitted', 'room.1', true],
    ['admitted', 'main', 'admitted', 'room.1', false],
    ['admitted', 'hold', 'admitted', 'hold', false],
    ['waiting', 'main', 'admitted', 'main', false],
    ['admitted', 'main', 'waiting', 'main', false],
  ] as const)('%s in %s and %s in %s are together: %s', (state, place, other, where, together) => {
    const [one, two] = [setUp(), setUp()];
    one.apply({ ...view(), state, place });
    two.apply({ ...view(), state: other, place: where });
    expect(one.isWith(two)).toBe(together);
  });

  it('speaks and hears its language where nothing else is said', () => {
    const participant = setUp();
    participant.apply({ ...view(), lang: 'es' });
    expect(participant).toMatchObject({ speaks: ['es'], hears: ['es'], signs: false });
    participant.apply({ ...view(), lang: 'es', speaks: ['en'] });
    expect(participant).toMatchObject({ speaks: ['en'], hears: ['en'] });
  });

  it.each<[ParticipantView['role'], Partial<ParticipantView>, boolean]>([
    ['patient', { speaks: ['ase'] }, true],
    ['patient', { speaks: ['ase'], signs: false }, false],
    ['patient', { speaks: ['en'], signs: true }, true],
    ['interpreter', { speaks: ['ase', 'en'] }, false],
  ])('a %s with %j signs: %s', (role, languages, signs) => {
    const participant = setUp();
    participant.apply({ ...view(), role, ...languages });
    expect(participant.signs).toBe(signs);
  });
});
