import { type CallId, type InviteId, LIMITS, type ParticipantId } from '@bedside/protocol';
import { describe, expect, test, vi } from 'vitest';
import { onHistories, outcomeOf, personOf } from './arbitrary.ts';
import { type Command, decide } from './decide.ts';
import { after, by, join, leave, visitWith } from './examples.ts';
import { findPresent, present, type Visit } from './state.ts';

// Many histories, also where the machine has other things to do.
vi.setConfig({ testTimeout: 60_000 });

describe('on any history', () => {
  test('an invitation is good for one page, within its time, unless it was revoked', () => {
    onHistories((moments) => {
      const until = new Map<string, number>();
      const revoked = new Set<string>();
      const page = new Map<string, string>();
      for (const { command, decision, before, after: visit } of moments) {
        if (!decision.ok) continue;
        if (command.type === 'invite' && !until.has(command.invite))
          until.set(command.invite, command.now + command.ttlMs);
        if (command.type === 'call-accepted') until.set(command.call, Number.POSITIVE_INFINITY);
        if (command.type === 'revoke-invite') revoked.add(command.invite);
        if (command.type !== 'join' || visit === before) continue;
        const { invite } = command.person;
        if (invite === undefined) continue;
        const first = page.get(invite);
        page.set(invite, command.session);
        if (first !== undefined) {
          expect(command.session).toBe(first);
          continue;
        }
        expect(revoked).not.toContain(invite);
        expect(command.now).toBeLessThanOrEqual(until.get(invite) ?? 0);
      }
    });
  });

  test('every call that was made ends once, but that who accepted late counts, and none outlives the visit', () => {
    onHistories((moments) => {
      const calls = new Map<CallId, string>();
      for (const moment of moments) {
        for (const { type, call, reason } of outcomeOf(moment).events) {
          if (call === undefined) continue;
          const was = calls.get(call);
          if (type === 'called') expect(was).toBeUndefined();
          else if (reason === 'accepted') expect(['ringing', 'unanswered']).toContain(was);
          else expect(was).toBe('ringing');
          calls.set(call, type === 'called' ? 'ringing' : (reason ?? ''));
        }
        if (moment.after.state === 'ended') expect([...calls.values()]).not.toContain('ringing');
      }
    });
  });
});

const inviting = (
  id: string,
  rest: Partial<Extract<Command, { type: 'invite' }>> = {},
): Command => ({
  type: 'invite',
  now: 3_000,
  by: by('provider'),
  invite: id as InviteId,
  role: 'caregiver',
  ttlMs: 10_000,
  knock: false,
  ...rest,
});

const guest = (id: string, invite: string) => ({
  ...personOf(id, 'caregiver'),
  invite: invite as InviteId,
});
const stateOf = (visit: Visit, id: string) => findPresent(visit, id as ParticipantId)?.state;

describe('an invitation', () => {
  const visit = visitWith({}, join('provider', 'provider'), inviting('invite-1'));

  test('lets a guest in, and nobody else after them', () => {
    const used = after(visit, join('guest', 'caregiver', guest('guest', 'invite-1')));
    expect(stateOf(used, 'guest')).toBe('admitted');
    const another = join('other', 'caregiver', guest('other', 'invite-1'));
    expect(decide(used, another)).toEqual({ ok: false, code: 'invite-used' });
    expect(decide(used, { ...another, type: 'connect' } as Command)).toEqual({
      ok: false,
      code: 'invite-used',
    });
  });

  test('lets its page come back', () => {
    const person = guest('guest', 'invite-1');
    const { session } = join('guest', 'caregiver', person);
    const back = after(
      visit,
      join('guest', 'caregiver', person),
      { type: 'disconnect', now: 3_500, participant: person.id, session },
      { type: 'connect', now: 3_600, person, session },
    );
    expect(stateOf(back, 'guest')).toBe('admitted');
  });

  test('of who was removed is good for nothing any more, with a fresh token neither', () => {
    const gone = after(visit, join('guest', 'caregiver', guest('guest', 'invite-1')), {
      type: 'remove',
      now: 4_000,
      by: by('provider'),
      participant: 'guest' as ParticipantId,
    });
    const person = { ...guest('guest', 'invite-1'), token: 'fresh' };
    expect(decide(gone, join('guest', 'caregiver', person))).toEqual({
      ok: false,
      code: 'invite-used',
    });
  });

  test('with a knock makes its guest wait, whatever the visit’s policy is', () => {
    const knocking = after(
      visit,
      inviting('invite-2', { knock: true }),
      join('guest', 'caregiver', guest('guest', 'invite-2')),
    );
    expect(stateOf(knocking, 'guest')).toBe('waiting');
    const admit: Command = { type: 'admit', now: 4_000, by: by('provider') };
    expect(stateOf(after(knocking, admit), 'guest')).toBe('admitted');
  });

  test.each<[string, Visit, number]>([
    ['after its time', visit, 13_001],
    [
      'once revoked',
      after(visit, {
        type: 'revoke-invite',
        now: 3_500,
        by: by('provider'),
        invite: 'invite-1' as InviteId,
      }),
      4_000,
    ],
  ])('is good for nothing %s', (_, given, now) => {
    const late = { ...join('guest', 'caregiver', guest('guest', 'invite-1')), now };
    expect(decide(given, late)).toEqual({ ok: false, code: 'invite-used' });
  });

  test('gives nobody a say over others that who invites lacks', () => {
    const host = personOf('host', 'patient', ['invite']);
    const open = visitWith({}, join('host', 'patient', host));
    const asked = (role: 'provider' | 'specialist') =>
      decide(open, inviting('invite-1', { by: by('host'), role }));
    expect(asked('provider')).toEqual({ ok: false, code: 'forbidden' });
    expect(asked('specialist').ok).toBe(true);
  });
});

describe('as many invitations as a visit has room for', () => {
  const many = (count: number, rest: Partial<Extract<Command, { type: 'invite' }>> = {}) =>
    Array.from({ length: count }, (_, index) => inviting(`invite-${index}`, rest));
  const full = visitWith(
    { clinic: 'clinic-1' as never },
    join('provider', 'provider'),
    ...many(LIMITS.invites),
  );

  test('leave none for another', () => {
    expect(decide(full, inviting('one more'))).toEqual({ ok: false, code: 'limit-reached' });
  });

  test('make room where one is good for nothing any more', () => {
    expect(decide(full, inviting('one more', { now: 13_001 })).ok).toBe(true);
  });

  test('never lock out a guest who is in', () => {
    const person = guest('guest', 'invite-0');
    const visit = after(full, join('guest', 'caregiver', person));
    const later = Array.from({ length: LIMITS.invites - 1 }, (_, index) =>
      inviting(`later-${index}`, { now: 13_001 }),
    );
    const { session } = join('guest', 'caregiver', person);
    const crowded = after(visit, ...later);
    expect(decide(crowded, inviting('one more', { now: 13_002 })).ok).toBe(false);
    expect(decide(crowded, { type: 'connect', now: 13_003, person, session }).ok).toBe(true);
  });

  const accepted = (call: string, person: string): Command[] => [
    {
      type: 'call',
      now: 3_000,
      by: by('provider'),
      call: call as CallId,
      role: 'specialist',
      groups: [{}],
      ringMs: 10_000,
    },
    {
      type: 'call-accepted',
      now: 3_000,
      call: call as CallId,
      person: person as ParticipantId,
    },
  ];

  test('are not those of who accepted a call and does not come', () => {
    const visit = visitWith(
      { clinic: 'clinic-1' as never },
      join('provider', 'provider'),
      ...Array.from({ length: LIMITS.invites + 2 }, (_, index) =>
        accepted(`call-${index}`, `specialist-${index}`),
      ).flat(),
      inviting('one more'),
    );
    expect(visit.invites).toHaveLength(LIMITS.invites);
    expect(visit.invites?.[0]?.id).toBe('call-3');
  });

  test('are not that of who accepted a call and came otherwise', () => {
    const visit = visitWith(
      { clinic: 'clinic-1' as never },
      join('provider', 'provider'),
      ...accepted('call-1', 'on their way'),
      ...accepted('call-2', 'here'),
      join('here', 'specialist'),
      ...many(LIMITS.invites - 1),
    );
    const ids = visit.invites?.map(({ id }) => id);
    expect(ids).toContain('call-1');
    expect(ids).not.toContain('call-2');
  });

  test('keep room for who accepts a call', () => {
    const call = 'call-1' as CallId;
    const calling: Command = {
      type: 'call',
      now: 3_500,
      by: by('provider'),
      call,
      role: 'specialist',
      groups: [{}],
      ringMs: 10_000,
    };
    expect(decide(full, calling)).toEqual({ ok: false, code: 'limit-reached' });
    const { invites = [] } = full;
    const ringing = after({ ...full, invites: invites.slice(1) }, calling);
    expect(decide(ringing, inviting('one more'))).toEqual({ ok: false, code: 'limit-reached' });
    const accepted = after(ringing, {
      type: 'call-accepted',
      now: 4_000,
      call,
      person: 'specialist' as ParticipantId,
    });
    const person = { ...personOf('specialist', 'specialist'), invite: call as string as InviteId };
    expect(stateOf(after(accepted, join('specialist', 'specialist', person)), 'specialist')).toBe(
      'admitted',
    );
  });
});

test.each<Command>([
  { type: 'end', now: 4_000 },
  { ...leave('provider'), now: 4_000 },
])(
  'a call that rings when the visit ends, or nobody is left, is cancelled, and so on record',
  (last) => {
    const call = 'call-1' as CallId;
    const ringing = visitWith({ clinic: 'clinic-1' as never }, join('provider', 'provider'), {
      type: 'call',
      now: 3_000,
      by: by('provider'),
      call,
      role: 'specialist',
      groups: [{}],
      ringMs: 10_000,
    });
    expect(decide(ringing, last)).toMatchObject({
      visit: { calls: [{ id: call, state: 'cancelled' }] },
      events: expect.arrayContaining([
        { type: 'call-ended', at: 4_000, call, reason: 'cancelled' },
      ]),
    });
  },
);

describe('a guest who left', () => {
  test('makes their invitation spent', () => {
    const person = guest('guest', 'invite-1');
    const gone = visitWith(
      {},
      join('provider', 'provider'),
      inviting('invite-1'),
      join('guest', 'caregiver', person),
      leave('guest'),
      ...Array.from({ length: LIMITS.invites }, (_, index) => inviting(`later-${index}`)),
    );
    expect(gone.invites?.some(({ id }) => id === 'invite-1')).toBe(false);
    expect(decide(gone, join('guest', 'caregiver', person))).toEqual({
      ok: false,
      code: 'invite-used',
    });
    expect(present(gone)).toHaveLength(1);
  });
});
