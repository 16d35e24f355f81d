import { HOLD, MAIN_ROOM, type ParticipantId, type Place } from '@bedside/protocol';
import {
  change,
  type Decision,
  type Of,
  permit,
  refuse,
  swap,
  unchanged,
  without,
} from './decision.ts';
import { admitted, findPresent, type Participant, type Visit } from './state.ts';

/** Main room, hold and private rooms. */

const isRoom = (place: Place): boolean => place !== MAIN_ROOM && place !== HOLD;

/** Who is in which private room. */
export function roomsOf(visit: Visit): Map<Place, ParticipantId[]> {
  const rooms = new Map<Place, ParticipantId[]>();
  for (const { id, place } of admitted(visit))
    if (isRoom(place)) rooms.set(place, [...(rooms.get(place) ?? []), id]);
  return rooms;
}

export function move(visit: Visit, command: Of<'move'>): Decision {
  const { by, participants: ids, to } = command;
  const { giver, refused } = permit(visit, by, 'hold', 'private-room');
  if (!giver) return refuse(refused);
  const moved = [...new Set(ids)].map((id) => findPresent(visit, id));
  if (!moved.every((each) => each?.state === 'admitted')) return refuse('not-found');
  const people = moved as Participant[];
  const place = placeOf(command);
  if (to.type === 'room' && to.room !== undefined && !roomsOf(visit).has(to.room))
    return refuse('not-found');
  for (const each of [place, ...people.map((one) => one.place)])
    if (each !== MAIN_ROOM && !giver.grants.includes(each === HOLD ? 'hold' : 'private-room'))
      return refuse('forbidden');
  const hold = to.type === 'hold' ? { audio: to.audio, ...notice(to) } : undefined;
  const changed = people.filter(
    (each) =>
      each.place !== place ||
      each.hold?.notice !== hold?.notice ||
      each.hold?.audio !== hold?.audio,
  );
  if (changed.length === 0) return unchanged(visit);
  return change(
    visit,
    {
      participants: swap(
        visit,
        ...changed.map((each) => ({ ...without(each, 'hold'), place, ...(hold ? { hold } : {}) })),
      ),
    },
    [],
  );
}

const notice = ({ notice: text }: { notice?: string | undefined }) =>
  text === undefined ? {} : { notice: text };

/** Where a `move` leads. */
export function placeOf({ to, room }: Pick<Of<'move'>, 'to' | 'room'>): Place {
  if (to.type === 'main') return MAIN_ROOM;
  return to.type === 'hold' ? HOLD : (to.room ?? room);
}
