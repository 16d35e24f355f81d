import {
  type Grant,
  MAIN_ROOM,
  type ParticipantId,
  type VisitChange,
  VisitView,
} from '@bedside/protocol';
import { describe, expect, test, vi } from 'vitest';
import { onHistories, PEOPLE } from './arbitrary.ts';
import { isAudience } from './audience.ts';
import { admitted, findAdmitted, findPresent, type Visit } from './state.ts';
import { changeClass, changesFor, viewOf } from './view.ts';

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

/** The order of the list means nothing, to see no invitations is to see none, and how many listen is told later. */
const normal = ({ seq, participants, invites = [], calls = [], audience, ...rest }: VisitView) => ({
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
        for (const viewer of VIEWERS) check(after, viewer, viewOf(after, viewer, 0));
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
        let seen = viewOf(first, viewer, 0);
        for (const { before, after } of moments) {
          if (after === before) continue;
          for (const change of changesFor(before, after, viewer)) seen = apply(seen, change);
          // Who has left is told so, and then nothing more: a later join answers with a fresh view.
          if (!findPresent(after, viewer)) seen = { ...seen, participants: [] };
          expect(normal(seen)).toEqual(normal(viewOf(after, viewer, 0)));
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
          const sharing = changeClass(before, after, viewer);
          if (sharing === undefined) continue;
          const changes = changesFor(before, after, viewer);
          expect(changes).toEqual(told.get(sharing) ?? changes);
          told.set(sharing, changes);
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
      const may = (grant: Grant) => self.grants.includes(grant);
      const due = visit.participants.filter((each) => {
        const { state, handRaisedAt } = each;
        const isIn = state === 'admitted';
        if (each.id === viewer) return true;
        if (isAudience(visit, each))
          return may('admit') && (state === 'waiting' || (isIn && handRaisedAt !== undefined));
        return isIn || ((may('admit') || may('remove')) && state === 'waiting');
      });
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

  test('nobody sees the audience of a lecture, but who may admit while they ask for something', () => {
    onViews((visit, viewer, { participants }) => {
      const mayAdmit = findAdmitted(visit, viewer)?.grants.includes('admit') ?? false;
      for (const { participantId, state, handRaisedAt } of participants) {
        const each = findPresent(visit, participantId);
        if (!each || participantId === viewer || !isAudience(visit, each)) continue;
        expect(mayAdmit && (state === 'waiting' || handRaisedAt !== undefined)).toBe(true);
      }
    });
  });

  test('no change tells anybody of somebody in the audience, but themselves and who may admit', () => {
    onHistories((moments) => {
      for (const { before, after } of moments) {
        if (after === before) continue;
        const hidden = new Set(
          [before, after].flatMap((visit) =>
            visit.participants.filter((each) => isAudience(visit, each)).map(({ id }) => id),
          ),
        );
        for (const { id } of admitted(after).filter(({ grants }) => !grants.includes('admit'))) {
          if (findAdmitted(before, id)?.grants.includes('admit')) continue;
          for (const change of changesFor(before, after, id)) {
            const of =
              change.type === 'participant'
                ? change.participant
                : 'participantId' in change && change;
            if (!of || of.participantId === id || !hidden.has(of.participantId)) continue;
            // Who comes to take part, or goes back to the audience, is seen to come and go.
            const seen = [before, after].some((visit) => {
              const each = findPresent(visit, of.participantId);
              return each !== undefined && !isAudience(visit, each);
            });
            expect(seen).toBe(true);
          }
        }
      }
    });
  });

  test('the audience is counted, and told to who is in', () => {
    onViews((visit, viewer, { audience }) => {
      const listening = admitted(visit).filter((each) => isAudience(visit, each)).length;
      const isTold = visit.kind === 'lecture' && findAdmitted(visit, viewer) !== undefined;
      expect(audience).toBe(isTold ? listening : undefined);
    });
  });
});
