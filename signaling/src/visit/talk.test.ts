import type { MoveTarget, ParticipantId, ProducerId, RequestId } from '@bedside/protocol';
import { describe, expect, test, vi } from 'vitest';
import { type Moment, onHistories, outcomeOf } from './arbitrary.ts';
import { isAudience } from './audience.ts';
import { type Command, decide } from './decide.ts';
import { after, by, join, visitWith } from './examples.ts';
import { admitted, findPresent, type Visit } from './state.ts';

// Many histories, also where the machine has other things to do.
vi.setConfig({ testTimeout: 60_000 });

const saidIn = (moment: Moment) =>
  outcomeOf(moment).effects.flatMap((effect) => (effect.type === 'say' ? [effect] : []));

/** Who takes part, sorted. */
const takingPart = (visit: Visit, where: (place: string) => boolean) =>
  visit.participants.flatMap(({ id, state, place }) =>
    state === 'admitted' && where(place) ? [id] : [],
  );

describe('on any history', () => {
  test('messages are numbered from 1 in the order in which they were said, without a gap', () => {
    onHistories((moments) => {
      const numbers = moments.flatMap((moment) =>
        saidIn(moment).map(({ message }) => message.number),
      );
      expect(numbers).toEqual(numbers.map((_, index) => index + 1));
    });
  });

  test('a message is for exactly those whom it names, and for who wrote it', () => {
    onHistories((moments) => {
      for (const moment of moments)
        for (const { message, audience, listeners } of saidIn(moment)) {
          const { from, to } = message;
          const place = from && findPresent(moment.before, from)?.place;
          const due =
            to.type === 'participant'
              ? [to.participantId, ...(from ? [from] : [])]
              : takingPart(moment.before, (where) => to.type === 'all' || where === place);
          expect([...audience, ...(listeners?.told ?? [])].toSorted()).toEqual(due.toSorted());
        }
    });
  });

  test('of the audience of a lecture it keeps who of those who are in was not to have it, and no others', () => {
    onHistories((moments) => {
      for (const moment of moments)
        for (const { audience, listeners } of saidIn(moment)) {
          const listening = admitted(moment.before).filter((each) =>
            isAudience(moment.before, each),
          );
          const { told = [], except = [] } = listeners ?? {};
          if (!listeners) continue;
          expect([...told, ...except].toSorted()).toEqual(listening.map(({ id }) => id).toSorted());
          expect(listening.some(({ id }) => audience.includes(id))).toBe(false);
        }
    });
  });

  test('between the audience of a lecture and who takes part there are messages to and from who may admit, and no others', () => {
    onHistories((moments) => {
      for (const moment of moments)
        for (const { message, audience } of saidIn(moment)) {
          const { from, to } = message;
          const there = audience.flatMap((id) => findPresent(moment.before, id) ?? []);
          const listening = there.filter((each) => isAudience(moment.before, each));
          if (listening.length === 0) continue;
          expect(to.type).toBe('participant');
          expect(listening).toHaveLength(1);
          for (const each of there)
            if (each !== listening[0]) expect(each.grants).toContain('admit');
          if (there.length === 1) expect(from).toBeUndefined();
        }
    });
  });

  test('between who waits and who takes part there are messages to and from who may admit, and no others', () => {
    onHistories((moments) => {
      for (const moment of moments)
        for (const { message, audience } of saidIn(moment)) {
          const there = audience.map((id) => findPresent(moment.before, id));
          if (!there.some((each) => each?.state === 'waiting')) continue;
          expect(message.to.type).toBe('participant');
          const others = there.filter((each) => each?.state !== 'waiting');
          expect(there.length - others.length).toBe(1);
          for (const each of others) expect(each?.grants).toContain('admit');
          // Without one, staff wrote from outside.
          if (others.length === 0) expect(message.from).toBeUndefined();
        }
    });
  });

  test('reactions, cues and requests reach nobody through a wall', () => {
    onHistories((moments) => {
      for (const moment of moments)
        for (const effect of outcomeOf(moment).effects) {
          if (effect.type !== 'tell' || !(effect.event === 'cue' || effect.event === 'reaction'))
            continue;
          const from = effect.event === 'cue' ? effect.payload.by : effect.payload.from;
          const place = findPresent(moment.before, from)?.place;
          expect(place).not.toBe('hold');
          for (const id of effect.to)
            expect(findPresent(moment.before, id)).toMatchObject({ state: 'admitted', place });
        }
    });
  });

  test('nobody is unmuted by anybody else', () => {
    onHistories((moments) => {
      for (const { command, before, after: visit } of moments)
        for (const { id, endpoint } of before.participants)
          for (const { id: producer, paused } of endpoint?.producers ?? []) {
            const now = findPresent(visit, id)?.endpoint?.producers.find(
              (each) => each.id === producer,
            );
            if (!paused || now?.paused !== false) continue;
            expect(command).toMatchObject({ type: 'pause-producer', participant: id });
          }
    });
  });
});

test('what is said in a room stays in it, and on hold there is none', () => {
  const move = (to: MoveTarget, who: string): Command => ({
    type: 'move',
    now: 3_000,
    by: by('provider'),
    participants: [who as ParticipantId],
    to,
    room: 'room-1',
  });
  const visit = visitWith(
    {},
    join('provider', 'provider'),
    join('patient', 'patient'),
    join('specialist', 'specialist'),
    move({ type: 'room' }, 'specialist'),
  );
  const say: Command = {
    type: 'send-message',
    now: 4_000,
    by: by('provider'),
    to: { type: 'room' },
    kind: 'chat',
    text: 'hello',
  };
  expect(decide(visit, say)).toMatchObject({
    effects: [{ type: 'say', audience: ['provider', 'patient'] }],
  });
  const held = after(visit, move({ type: 'hold', audio: 'none' }, 'provider'));
  expect(decide(held, say)).toEqual({ ok: false, code: 'forbidden' });
});

describe('to mute', () => {
  const patient = 'patient' as ParticipantId;
  const visit = visitWith({}, join('provider', 'provider'), join('patient', 'patient'), {
    type: 'produce',
    now: 2_500,
    participant: patient,
    request: 'r' as RequestId,
    producer: 'voice' as ProducerId,
    source: 'microphone',
    paused: false,
  });
  const mute: Command = { type: 'mute', now: 3_000, by: by('provider'), participant: patient };

  test('pauses a microphone at the node, and says who did it', () => {
    expect(decide(visit, mute)).toMatchObject({
      events: [{ type: 'producer-paused', participant: patient, by: 'provider' }],
      effects: [{ type: 'pause-producer', producer: 'voice', paused: true }],
    });
  });

  test('leaves it to them alone to be heard again', () => {
    const muted = after(visit, mute);
    const unmute = (participant: ParticipantId): Command => ({
      type: 'pause-producer',
      now: 4_000,
      participant,
      producer: 'voice' as ProducerId,
      paused: false,
    });
    expect(decide(muted, unmute('provider' as ParticipantId)).ok).toBe(false);
    expect(decide(muted, unmute(patient))).toMatchObject({
      ok: true,
      effects: [{ type: 'pause-producer', paused: false }],
    });
  });

  test('who has no live microphone changes nothing', () => {
    const quiet = visitWith({}, join('provider', 'provider'), join('patient', 'patient'));
    expect(decide(quiet, mute)).toMatchObject({ visit: quiet, effects: [] });
    expect(decide(after(visit, mute), mute)).toMatchObject({ ok: true, effects: [] });
  });
});
