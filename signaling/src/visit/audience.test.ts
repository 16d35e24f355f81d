import { LIMITS, type ParticipantId, type RequestId } from '@bedside/protocol';
import * as fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { personOf } from './arbitrary.ts';
import { isAudience } from './audience.ts';
import { type Command, decide } from './decide.ts';
import { after, by, join, leave, visitWith } from './examples.ts';
import { isProof } from './ledger.ts';
import { DEPARTED_AUDIENCE_LIMIT, Visit } from './state.ts';
import { changesFor, resourceOf, viewOf } from './view.ts';

// Many histories, also where the machine has other things to do.
vi.setConfig({ testTimeout: 60_000 });

const lecture = (...commands: readonly Command[]): Visit =>
  visitWith(
    { kind: 'lecture', admission: 'auto' },
    join('lecturer', 'provider'),
    join('guest', 'specialist'),
    ...commands,
  );

const listeners = (count: number, from = 0): Command[] =>
  Array.from({ length: count }, (_, n) => join(`l${from + n}`, 'observer'));

const raises = (id: string, now: number): Command => ({
  type: 'raise-hand',
  now,
  by: by(id),
  raised: true,
});

const seen = (visit: Visit, viewer: string): string[] =>
  viewOf(visit, viewer as ParticipantId, 0).participants.map(({ participantId }) => participantId);

test.each([
  ['lecture', undefined, true],
  ['lecture', ['chat', 'see-roster'], true],
  ['lecture', [], true],
  ['lecture', ['publish-audio'], false],
  ['lecture', ['chat', 'caption'], false],
  ['lecture', ['admit'], false],
  ['group', undefined, false],
] as const)('in a %s who has the grants %j is of the audience: %s', (kind, grants, is) => {
  const visit = visitWith({ kind });
  expect(isAudience(visit, personOf('l', 'observer', grants))).toBe(is);
});

describe('a full audience', () => {
  const full = lecture(...listeners(LIMITS.audiencePerVisit));

  test('can be written and read', () => {
    // Ids of tests are not those of pages.
    const text = JSON.stringify(full).replaceAll(' of ', '.');
    expect(Visit.parse(JSON.parse(text))).toEqual(JSON.parse(text));
  });

  test('refuses one more, and takes who takes part', () => {
    expect(decide(full, join('late', 'observer'))).toEqual({ ok: false, code: 'limit-reached' });
    expect(decide(full, join('late', 'specialist')).ok).toBe(true);
    const again = { ...join('l7', 'observer'), request: 'again' as RequestId };
    expect(decide(full, again).ok).toBe(true);
  });

  test('is not recorded one by one where the lecture ends', () => {
    const ended = decide(full, { type: 'end', now: 5_000, by: 'lecturer' as ParticipantId });
    if (!ended.ok) throw new Error(ended.code);
    const left = ended.events.filter(({ type }) => type === 'participant-left');
    expect(left.map(({ participant }) => participant)).toEqual(['lecturer', 'guest']);
  });
});

test('those who take part are full without the audience, which may not join them then', () => {
  const many = Array.from({ length: LIMITS.participantsPerVisit - 2 }, (_, n) =>
    join(`p${n}`, 'patient'),
  );
  const visit = lecture(...listeners(3), ...many);
  expect(decide(visit, join('late', 'patient'))).toEqual({ ok: false, code: 'limit-reached' });
  expect(decide(visit, join('l3', 'observer')).ok).toBe(true);
  const person = personOf('l0', 'observer', ['publish-audio']);
  expect(decide(visit, { type: 'identify', now: 3_000, person })).toEqual({
    ok: false,
    code: 'limit-reached',
  });
  expect(decide(visit, { type: 'connect', now: 3_000, person, session: 'another' })).toEqual({
    ok: false,
    code: 'limit-reached',
  });
});

test('who is given a grant to speak takes part from then on: all see them, and the record proves it', () => {
  const visit = lecture(...listeners(2));
  const person = personOf('l0', 'observer', ['publish-audio']);
  const decision = decide(visit, { type: 'identify', now: 3_000, person });
  if (!decision.ok) throw new Error(decision.code);
  expect(seen(decision.visit, 'guest')).toEqual(['lecturer', 'guest', 'l0']);
  expect(seen(decision.visit, 'l1')).toEqual(['lecturer', 'guest', 'l0', 'l1']);
  expect(decision.events.filter(isProof)).toEqual([
    { type: 'participant-admitted', at: 3_000, participant: 'l0', role: 'observer' },
  ]);
});

test('nobody is told that somebody of the audience came, raised a hand or went, but who may admit of the hand', () => {
  let visit = lecture(...listeners(3));
  const steps: [Command, string[]][] = [
    [join('l3', 'observer'), ['l3']],
    [raises('l3', 3_000), ['lecturer', 'l3']],
    [{ ...leave('l3'), now: 4_000 }, ['lecturer', 'l3']],
  ];
  for (const [command, told] of steps) {
    const next = after(visit, command);
    const ids = ['lecturer', 'guest', 'l0', 'l1', 'l2', 'l3'];
    expect(ids.filter((id) => changesFor(visit, next, id as ParticipantId).length > 0)).toEqual(
      told,
    );
    visit = next;
  }
});

test('who may admit sees the first of many who raise their hand', () => {
  const count = LIMITS.audienceShown + 5;
  const hands = Array.from({ length: count }, (_, n) => raises(`l${count - 1 - n}`, 3_000 + n));
  const visit = lecture(...listeners(count), ...hands);
  const first = Array.from({ length: LIMITS.audienceShown }, (_, n) => `l${n + 5}`);
  expect(seen(visit, 'lecturer')).toEqual(['lecturer', 'guest', ...first]);
  expect(seen(visit, 'guest')).toEqual(['lecturer', 'guest']);
  const lowered: Command = { type: 'raise-hand', now: 9_000, by: by('l5'), raised: false };
  expect(seen(after(visit, lowered), 'lecturer')).toContain('l4');
});

test('whoever of the audience has left pushes out nobody who took part', () => {
  const many = listeners(DEPARTED_AUDIENCE_LIMIT + 10);
  const visit = after(
    lecture(...many),
    leave('guest'),
    ...many.map((_, n) => ({ ...leave(`l${n}`), now: 4_000 + n })),
  );
  expect(visit.participants).toHaveLength(2 + DEPARTED_AUDIENCE_LIMIT);
  expect(visit.participants[1]).toMatchObject({ id: 'guest', state: 'left' });
  expect(visit.participants.at(-1)?.id).toBe(`l${many.length - 1}`);
});

describe('somebody of the audience', () => {
  const visit = lecture(...listeners(2));
  const says = (id: string, to: string): Command => ({
    type: 'send-message',
    now: 3_000,
    by: by(id),
    to:
      to === 'all' ? { type: 'all' } : { type: 'participant', participantId: to as ParticipantId },
    kind: 'chat',
    text: 'hello',
  });

  test.each([
    ['l0', 'lecturer', true],
    ['lecturer', 'l0', true],
    ['l0', 'guest', 'forbidden'],
    ['l0', 'l1', 'forbidden'],
    ['l0', 'all', 'forbidden'],
    ['guest', 'l0', 'not-found'],
  ])('in messages from %s to %s: %s', (from, to, is) => {
    const decision = decide(visit, says(from, to));
    expect(decision.ok || decision.code).toBe(is);
  });

  test('does not react where all would see them, and is told so', () => {
    const react: Command = { type: 'react', now: 3_000, by: by('l0'), reaction: 'applause' };
    expect(decide(visit, react)).toEqual({ ok: false, code: 'forbidden' });
    expect(viewOf(visit, 'l0' as ParticipantId, 0).reactions).toBe(false);
    expect(viewOf(visit, 'guest' as ParticipantId, 0).reactions).toBe(true);
  });

  test('answers for nothing: without who may, the lecture is unattended', () => {
    const alone = after(visit, leave('lecturer'), leave('guest'));
    expect(alone.unattendedSince).toBe(2_500);
  });
});

test('`/v1` has the number of the audience, and who takes part', () => {
  const visit = lecture(...listeners(3), leave('l0'), leave('guest'));
  const { audience, participants } = resourceOf(visit);
  expect(audience).toBe(2);
  expect(participants.map(({ participant }) => participant)).toEqual(['lecturer', 'guest']);
  expect(resourceOf(visitWith({}, ...listeners(2))).audience).toBeUndefined();
});

/** Of a lecture to 500, as anybody would explain it. */
interface Model {
  /** Who is there, with whether they take part. */
  there: Map<string, boolean>;
  /** Whose hand is up, the first one first. */
  hands: string[];
}

test('a lecture to 500 in which people come, go, raise their hand and get the floor does as the simple account says', () => {
  const SIZE = 500;
  const step = fc.record({
    do: fc.constantFrom('come', 'go', 'raise', 'lower', 'speak', 'listen'),
    who: fc.nat(SIZE + 20).map((n) => `l${n}`),
  });
  const start = lecture(...listeners(SIZE));
  fc.assert(
    fc.property(fc.array(step, { minLength: 40, maxLength: 120, size: 'max' }), (steps) => {
      let visit = start;
      const model: Model = {
        there: new Map(listeners(SIZE).map((_, n) => [`l${n}`, false])),
        hands: [],
      };
      const lower = (id: string) => {
        model.hands = model.hands.filter((each) => each !== id);
      };
      for (const [index, { do: what, who }] of steps.entries()) {
        const now = 10_000 + index;
        const isThere = model.there.has(who);
        if (what === 'come') {
          const request = `join ${index}` as RequestId;
          visit = after(visit, { ...join(who, 'observer'), now, request });
          model.there.set(who, false);
        } else if (what === 'go') {
          visit = after(visit, { ...leave(who), now });
          model.there.delete(who);
          lower(who);
        } else if (isThere && (what === 'speak' || what === 'listen')) {
          const grants = what === 'speak' ? (['publish-audio'] as const) : undefined;
          const person = personOf(who, 'observer', grants);
          visit = after(visit, { type: 'identify', now, person });
          model.there.set(who, what === 'speak');
        } else if (isThere && (what === 'raise' || what === 'lower')) {
          const raised = what === 'raise';
          visit = after(visit, { type: 'raise-hand', now, by: by(who), raised });
          if (!raised) lower(who);
          else if (!model.hands.includes(who)) model.hands.push(who);
        }
      }
      const speaking = [...model.there].flatMap(([id, speaks]) => (speaks ? [id] : []));
      const listening = [...model.there].flatMap(([id, speaks]) => (speaks ? [] : [id]));
      const asking = model.hands.filter((id) => model.there.get(id) === false);
      const shown = asking.slice(0, LIMITS.audienceShown);
      expect(seen(visit, 'lecturer').toSorted()).toEqual(
        ['lecturer', 'guest', ...speaking, ...shown].toSorted(),
      );
      expect(seen(visit, 'guest').toSorted()).toEqual(
        ['lecturer', 'guest', ...speaking].toSorted(),
      );
      const [one = '', other = ''] = [listening[0], listening.at(-1)];
      for (const id of [one, other])
        expect(seen(visit, id).toSorted()).toEqual(
          ['lecturer', 'guest', ...speaking, id].toSorted(),
        );
      expect(viewOf(visit, one as ParticipantId, 0).audience).toBe(listening.length);
    }),
    { numRuns: 15 },
  );
});
