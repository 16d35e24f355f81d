import { MAIN_ROOM, type ParticipantId, type VisitChange, VisitView } from '@bedside/protocol';
import { describe, expect, test, vi } from 'vitest';
import { onHistories, PEOPLE } from './arbitrary.ts';
import { findPresent, type Visit } from './state.ts';
import { changesFor, viewClass, viewOf } from './view.ts';

// Many histories, also where the machine has other things to do.
vi.setConfig({ testTimeout: 60_000 });

const VIEWERS = [...PEOPLE, 'stranger' as ParticipantId];

/** What a page makes of a change. */
function apply(view: VisitView, change: VisitChange): VisitView {
  const { visitId, kind, seq, participants, invites, calls } = view;
  switch (change.type) {
    case 'visit': {
      const { type, ...info } = change;
      return { visitId, kind, seq, participants, invites, calls, ...info };
    }
    case 'invites':
      return { ...view, invites: change.invites };
    case 'calls':
      return { ...view, calls: change.calls };
    case 'participant': {
      const { participantId } = change.participant;
      const others = participants.filter((each) => each.participantId !== participantId);
      return { ...view, participants: [...others, change.participant] };
    }
    case 'participant-left':
      return {
        ...view,
        participants: participants.filter(
          ({ participantId }) => participantId !== change.participantId,
        ),
      };
  }
}

/** The order of the list means nothing, and to see no invitations is to see none. */
const normal = ({ seq, participants, invites = [], calls = [], ...rest }: VisitView) => ({
  ...rest,
  invites,
  calls,
  participants: participants.toSorted((one, other) =>
    one.participantId.localeCompare(other.participantId),
  ),
});

const onViews = (check: (visit: Visit, viewer: ParticipantId, view: VisitView) => void) =>
  onHistories((moments) => {
    for (const { before, after } of moments.filter((_, index) => index % 5 === 0))
      if (before !== after)
        for (const viewer of VIEWERS) check(after, viewer, viewOf(after, viewer));
  });

describe('on any history', () => {
  test('a notice is read by whom it is for, and by who may put others on hold', () => {
    onViews((visit, viewer, { participants }) => {
      const mayHold = findPresent(visit, viewer)?.grants.includes('hold') ?? false;
      for (const { participantId, hold } of participants) {
        const notice = findPresent(visit, participantId)?.hold?.notice;
        const reads = participantId === viewer || mayHold;
        if (hold) expect(hold.notice).toBe(reads ? notice : undefined);
      }
    });
  });

  test('who applies every change sees what a fresh view shows', () => {
    onHistories((moments) => {
      const first = moments[0]?.before;
      if (!first) return;
      for (const viewer of VIEWERS) {
        let seen = viewOf(first, viewer);
        for (const { before, after } of moments) {
          if (after === before) continue;
          for (const change of changesFor(before, after, viewer)) seen = apply(seen, change);
          // Who has left is told so, and then nothing more: a later join answers with a fresh view.
          if (!findPresent(after, viewer)) seen = { ...seen, participants: [] };
          expect(normal(seen)).toEqual(normal(viewOf(after, viewer)));
        }
      }
    });
  });

  test('viewers of one class are told the same', () => {
    onHistories((moments) => {
      for (const { before, after } of moments) {
        if (after === before) continue;
        const told = new Map<string, VisitChange[]>();
        for (const viewer of PEOPLE) {
          const [was, is] = [viewClass(before, viewer), viewClass(after, viewer)];
          if (was === undefined || is === undefined) continue;
          const changes = changesFor(before, after, viewer);
          expect(changes).toEqual(told.get(`${was} ${is}`) ?? changes);
          told.set(`${was} ${is}`, changes);
        }
      }
    });
  });

  test('a view is as the protocol has it', () => {
    onViews((_, __, view) => expect(VisitView.parse(view)).toEqual(view));
  });

  test('who takes no part sees nobody; who waits sees themselves, and who else is there only where that is granted', () => {
    onViews((visit, viewer, { participants, invites, calls, responsible }) => {
      const self = findPresent(visit, viewer);
      if (self?.state === 'admitted') return;
      expect([invites, calls, responsible]).toEqual([undefined, undefined, undefined]);
      const others = participants.filter(({ participantId }) => participantId !== viewer);
      if (!self?.grants.includes('see-roster')) expect(others).toEqual([]);
      // Who is there, and no more: not where, nor what they send or say.
      for (const { participantId, role, name, lang, state, connection, ...rest } of others)
        expect([state, rest]).toEqual(['admitted', { place: MAIN_ROOM, producers: [] }]);
    });
  });

  test('who takes part sees everybody who does, and who waits only where they may admit or send away', () => {
    onViews((visit, viewer, { participants, invites }) => {
      const self = findPresent(visit, viewer);
      if (self?.state !== 'admitted') return;
      const may = ['admit', 'remove'].some((grant) => self.grants.some((each) => each === grant));
      const due = visit.participants.filter(
        ({ state }) => state === 'admitted' || (may && state === 'waiting'),
      );
      expect(participants.map(({ participantId }) => participantId)).toEqual(
        due.map(({ id }) => id),
      );
      expect(invites !== undefined).toBe(self.grants.includes('invite'));
    });
  });

  test('who takes part knows who may be in charge, and so be asked to take over', () => {
    onViews((visit, viewer, { participants }) => {
      if (findPresent(visit, viewer)?.state !== 'admitted') return;
      const able = participants.flatMap((each) => (each.mayAttend ? [each.participantId] : []));
      const due = visit.participants.filter(
        ({ state, grants }) => state === 'admitted' && grants.includes('admit'),
      );
      expect(able).toEqual(due.map(({ id }) => id));
    });
  });

  test('who may call sees which of how many groups rings, and who comes', () => {
    onViews((visit, _, { calls = [] }) => {
      for (const { callId, group, groups, acceptedBy } of calls) {
        const call = visit.calls?.find(({ id }) => id === callId);
        expect([group, groups, acceptedBy]).toEqual([
          call?.index,
          call?.groups.length,
          call?.acceptedBy,
        ]);
      }
    });
  });
});
