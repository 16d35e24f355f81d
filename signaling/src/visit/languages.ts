import { isDeepStrictEqual } from 'node:util';
import { spend, WHISPERS } from './allowance.ts';
import {
  change,
  type Decision,
  hearerOf,
  type Of,
  permit,
  refuse,
  swap,
  unchanged,
  without,
} from './decision.ts';
import { findPresent, type Participant, type Visit } from './state.ts';

/** What people speak and follow, and how they are interpreted. */

export function setLanguages(visit: Visit, command: Of<'set-languages'>): Decision {
  const participant = 'participant' in command.by && findPresent(visit, command.by.participant);
  if (!participant) return refuse('not-joined');
  const { speaks, hears, signs, duckDb } = command;
  const after: Participant = {
    ...participant,
    ...(speaks === undefined ? {} : { speaks: [...speaks] }),
    ...(hears === undefined ? {} : { hears: [...hears] }),
    ...(signs === undefined ? {} : { signs }),
    ...(duckDb === undefined ? {} : { duckDb }),
  };
  return isDeepStrictEqual(participant, after)
    ? unchanged(visit)
    : change(visit, { participants: swap(visit, after) }, []);
}

export function setInterpreting(visit: Visit, { now, by, mode }: Of<'set-interpreting'>): Decision {
  const { giver, refused } = permit(visit, by, 'interpret', 'admit');
  if (!giver) return refuse(refused);
  if (visit.interpreting === mode) return unchanged(visit);
  return change(visit, { interpreting: mode }, [
    { type: 'interpreting-changed', at: now, by: giver.id },
  ]);
}

export function takeTurn(visit: Visit, { now, by }: Of<'take-turn'>): Decision {
  const { giver, refused } = permit(visit, by, 'interpret');
  if (!giver) return refuse(refused);
  if (visit.turns?.[0] === giver.id) return unchanged(visit);
  const turns = [giver.id, ...(visit.turns ?? []).filter((id) => id !== giver.id)];
  return change(visit, { turns }, [
    { type: 'interpreting-changed', at: now, participant: giver.id },
  ]);
}

export function whisper(visit: Visit, { now, by, to }: Of<'whisper'>): Decision {
  const { giver, refused } = permit(visit, by, 'whisper');
  if (!giver) return refuse(refused);
  if (to === null) {
    if (giver.whisperTo === undefined) return unchanged(visit);
    return change(visit, { participants: swap(visit, without(giver, 'whisperTo')) }, []);
  }
  if (!hearerOf(visit, giver, to)) return refuse('not-found');
  if (giver.whisperTo === to) return unchanged(visit);
  const whispers = spend(giver.whispers, now, WHISPERS);
  if (whispers === undefined) return refuse('rate-limited');
  return change(visit, { participants: swap(visit, { ...giver, whisperTo: to, whispers }) }, []);
}
