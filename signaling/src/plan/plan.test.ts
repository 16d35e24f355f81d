import {
  HOLD,
  KIND_OF_SOURCE,
  type ParticipantId,
  type ProducerId,
  type RequestId,
} from '@bedside/protocol';
import { describe, expect, test, vi } from 'vitest';
import { onHistories, personOf } from '../visit/arbitrary.ts';
import { isAudience } from '../visit/audience.ts';
import type { Command } from '../visit/decide.ts';
import { after, by, join, visitWith } from '../visit/examples.ts';
import {
  hearsOf,
  mayAttend,
  type Participant,
  signsOf,
  speaksOf,
  type Visit,
} from '../visit/state.ts';
import { type PlannedFlow, plan, replanned } from './plan.ts';

// Many histories, also where the machine has other things to do.
vi.setConfig({ testTimeout: 60_000 });

interface Reaching extends PlannedFlow {
  sender: Participant;
}

function one<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new Error('the plan names somebody who is not there');
  return value;
}

/** What reaches whom: the plan without what it holds back. */
const reaching = (visit: Visit): Map<Participant, Reaching[]> => {
  const people = new Map(visit.participants.map((each) => [each.id, each]));
  return new Map(
    [...plan(visit)].map(([id, flows]) => [
      one(people.get(id)),
      flows
        .filter(({ flow }) => !flow.paused)
        .map((flow) => ({ ...flow, sender: one(people.get(flow.from)) })),
    ]),
  );
};

/** Holds every listener of every visit on the way of many histories to it. */
const onListeners = (
  isRight: (visit: Visit, listener: Participant, flows: readonly Reaching[]) => boolean,
) =>
  onHistories((moments) => {
    const wrong = moments
      .filter(({ before, after }) => after !== before)
      .flatMap(({ after }) =>
        [...reaching(after)].filter(([listener, flows]) => !isRight(after, listener, flows)),
      );
    expect(wrong).toEqual([]);
  });

const onFlows = (isRight: (visit: Visit, listener: Participant, flow: Reaching) => boolean) =>
  onListeners((visit, listener, flows) => flows.every((flow) => isRight(visit, listener, flow)));

const isPreview = (visit: Visit, listener: Participant, { sender, source }: Reaching) =>
  visit.policy.preview && sender.state === 'waiting' && mayAttend(listener) && source === 'camera';

const isTakingPart = ({ state, place }: Participant) => state === 'admitted' && place !== HOLD;

const producersOf = ({ endpoint }: Participant) => endpoint?.producers ?? [];

const same = (some: readonly string[], others: readonly string[]) =>
  some.toSorted().join() === others.toSorted().join();

describe('on any history the media plan', () => {
  test('gives nothing to who waits, is on hold, was removed or has left', () => {
    onListeners((_, listener, flows) => isTakingPart(listener) || flows.length === 0);
  });

  test('takes nothing from who waits, is on hold, was removed or has left, but the picture of who waits for who may admit, where the clinic allows it', () => {
    onFlows(
      (visit, listener, flow) => isTakingPart(flow.sender) || isPreview(visit, listener, flow),
    );
  });

  test('shows who may admit the picture of everybody who waits, where the clinic allows it', () => {
    onListeners((visit, listener, flows) => {
      if (!visit.policy.preview || !mayAttend(listener) || listener.place === HOLD) return true;
      const due = visit.participants
        .filter(({ state }) => state === 'waiting')
        .flatMap(producersOf)
        .filter(({ source }) => source === 'camera');
      const shown = flows.filter(({ sender }) => sender.state === 'waiting');
      return same(
        shown.map(({ producerId }) => producerId),
        due.map(({ id }) => id),
      );
    });
  });

  test('lets nothing through the wall of a room', () => {
    onFlows(
      (visit, listener, flow) =>
        flow.sender.place === listener.place || isPreview(visit, listener, flow),
    );
  });

  test('gives everybody all of everybody else in the same place, once, but whispers to others', () => {
    onListeners((visit, listener, flows) => {
      if (!isTakingPart(listener)) return true;
      const due = visit.participants
        .filter((each) => each.state === 'admitted' && each.place === listener.place)
        .flatMap((each) => {
          if (each === listener) return [];
          const toOther = each.whisperTo !== undefined && each.whisperTo !== listener.id;
          return producersOf(each).filter(({ source }) => !(toOther && source === 'microphone'));
        });
      const got = flows.filter(({ sender }) => sender.state === 'admitted');
      return same(
        got.map(({ producerId }) => producerId),
        due.map(({ id }) => id),
      );
    });
  });

  test('holds back, and does not leave out, what others elsewhere send: to bring people together is to resume', () => {
    onListeners((visit, listener) => {
      const flows = plan(visit).get(listener.id) ?? [];
      const due = visit.participants
        .filter((each) => each.state === 'admitted' && each !== listener)
        .flatMap(producersOf);
      const listed = new Set(flows.map(({ producerId }) => producerId));
      return (
        listed.size === flows.length &&
        (listener.state !== 'admitted' || due.every(({ id }) => listed.has(id))) &&
        flows.every(({ from }) => from !== listener.id)
      );
    });
  });

  test('protects exactly the pictures between signers, and between a signer and their interpreter', () => {
    const signs = (each: Participant) =>
      [...speaksOf(each), ...hearsOf(each)].some((tag) => tag === 'ase');
    const interpretsFor = (interpreter: Participant, signer: Participant) =>
      interpreter.grants.includes('interpret') &&
      speaksOf(interpreter).includes('ase') &&
      (signs(signer) || signsOf(signer));
    onFlows((_, listener, { sender, source, flow, protected: isProtected }) => {
      const converses =
        (signsOf(sender) && (signsOf(listener) || interpretsFor(listener, sender))) ||
        (signsOf(listener) && interpretsFor(sender, listener));
      const due = sender.state === 'admitted' && source === 'camera' && converses;
      // Before all others, and in all its layers.
      const isFirst = flow.priority === 255 && flow.maxSpatialLayer === undefined;
      return isProtected === due && (flow.protected ?? false) === due && isFirst === due;
    });
  });

  test('lets only sound and signed conversations go before an exam camera', () => {
    onListeners((_, __, flows) => {
      const exams = flows.filter(({ source }) => source === 'exam');
      return flows
        .filter(({ source }) => source !== 'exam')
        .every(({ source, flow, protected: isProtected }) => {
          const goesFirst = isProtected || KIND_OF_SOURCE[source] === 'audio';
          return exams.every((exam) => flow.priority > exam.flow.priority === goesFirst);
        });
    });
  });

  test('takes nothing from the audience of a lecture', () => {
    onHistories((moments) => {
      for (const { after: visit } of moments.filter((_, index) => index % 5 === 0))
        for (const flows of plan(visit).values())
          for (const { from } of flows) {
            const sender = one(visit.participants.find(({ id }) => id === from));
            expect(isAudience(visit, sender)).toBe(false);
          }
    });
  });

  test('names as replanned exactly those whose flows differ', () => {
    onHistories((moments) => {
      for (const { before, after } of moments) {
        const [old, now] = [plan(before), plan(after)];
        const differ = [...now]
          .filter(([id, flows]) => JSON.stringify(old.get(id) ?? []) !== JSON.stringify(flows))
          .map(([id]) => id);
        expect(replanned(before, after)).toEqual(differ);
      }
    });
  });
});

/** A lecture with an interpreter, to whom so many listen who follow Spanish, and so many who follow English. */
function lectureTo(spanish: number, english: number): Visit {
  const listener = (lang: string) => (_: unknown, n: number) => {
    const person = { ...personOf(`${lang}${n}`, 'observer'), lang };
    return join(person.id, 'observer', person);
  };
  const speaker = (id: string, role: 'provider' | 'interpreter', speaks: string[]): Command[] => [
    join(id, role),
    { type: 'set-languages', now: 2_000, by: by(id), speaks },
    ...(['microphone', 'camera'] as const).map(
      (source): Command => ({
        type: 'produce',
        now: 2_000,
        participant: id as ParticipantId,
        request: `${source} of ${id}` as RequestId,
        producer: `${source} of ${id}` as ProducerId,
        source,
        paused: false,
      }),
    ),
  ];
  return visitWith(
    { kind: 'lecture' },
    ...speaker('lecturer', 'provider', ['en']),
    ...speaker('interpreter', 'interpreter', ['en', 'es']),
    ...Array.from({ length: spanish }, listener('es')),
    ...Array.from({ length: english }, listener('en')),
  );
}

describe('a lecture', () => {
  const voices = (visit: Visit, listener: string) =>
    Object.fromEntries(
      one(plan(visit).get(listener as ParticipantId))
        .filter(({ source }) => source === 'microphone')
        .map(({ from, gain }) => [from, gain > 0 && gain < 1 ? 'turned down' : gain]),
    );

  test('is heard by each of its audience in the language that they follow', () => {
    const visit = lectureTo(3, 3);
    for (const n of [0, 1, 2]) {
      expect(voices(visit, `es${n}`)).toEqual({ lecturer: 'turned down', interpreter: 1 });
      expect(voices(visit, `en${n}`)).toEqual({ lecturer: 1, interpreter: 0 });
    }
  });

  test('has nobody interpreted whom nobody hears: who speaks hears no interpreter of the audience', () => {
    const visit = after(lectureTo(2, 0), join('colleague', 'specialist'), {
      type: 'set-languages',
      now: 3_000,
      by: by('colleague'),
      speaks: ['en'],
    });
    expect(voices(visit, 'colleague')).toEqual({ lecturer: 1, interpreter: 0 });
  });

  test('has one plan for all who are alike, but who is whispered to', () => {
    const visit = lectureTo(250, 250);
    const planned = plan(visit);
    expect(new Set(planned.values()).size).toBe(4);
    const whispering = {
      ...visit,
      participants: visit.participants.map((each) =>
        each.id === 'interpreter' ? { ...each, whisperTo: 'es7' as ParticipantId } : each,
      ),
    };
    const reached = (id: string) =>
      one(plan(whispering).get(id as ParticipantId)).find(
        ({ producerId }) => producerId === 'microphone of interpreter',
      )?.flow.paused;
    expect([reached('es7'), reached('es8'), reached('en0')]).toEqual([false, true, true]);
  });

  test('is planned anew for all of its audience where somebody begins to send, and for nobody where one more listens', () => {
    const visit = lectureTo(250, 250);
    const screen: Command = {
      type: 'produce',
      now: 3_000,
      participant: 'lecturer' as ParticipantId,
      request: 'screen' as RequestId,
      producer: 'screen' as ProducerId,
      source: 'screen',
      paused: false,
    };
    expect(replanned(visit, after(visit, screen))).toHaveLength(501);
    expect(replanned(visit, after(visit, join('late', 'observer')))).toEqual(['late']);
  });
});
