import { type ErrorCode, HOLD, type Message } from '@bedside/protocol';
import { isAudience } from './audience.ts';
import {
  change,
  type Decision,
  hearerOf,
  type Of,
  permit,
  refusal,
  refuse,
  swap,
  unchanged,
  without,
} from './decision.ts';
import { microphoneOf, withMicrophonePaused } from './endpoint.ts';
import {
  admitted,
  findAdmitted,
  findPresent,
  mayAttend,
  type Participant,
  type Visit,
} from './state.ts';

/** What people say to each other without sound: messages, hands, requests. */

export function sendMessage(visit: Visit, command: Of<'send-message'>): Decision {
  const { now, by, to, kind, text, request } = command;
  if (visit.state === 'ended') return refuse('visit-ended');
  const giver = 'participant' in by ? findPresent(visit, by.participant) : undefined;
  if ('participant' in by && !giver) return refuse('not-joined');
  const target = to.type === 'participant' ? findPresent(visit, to.participantId) : undefined;
  const refused = giver
    ? refusedWriter(visit, giver, command, target)
    : // The clinic writes to who waits, from outside; what is said inside is not theirs.
      (refusal(visit, by, 'admit') ?? (target?.state === 'waiting' ? undefined : 'not-found'));
  if (refused) return refuse(refused);
  const number = (visit.messages ?? 0) + 1;
  const message: Message = {
    number,
    ...(giver ? { from: giver.id } : {}),
    to,
    kind,
    text,
    at: now,
  };
  const reached = target
    ? { audience: [target.id] }
    : reachedIn(visit, (each) => to.type === 'all' || each.place === giver?.place);
  const audience = [...new Set([...(giver ? [giver.id] : []), ...reached.audience])];
  return change(
    visit,
    { messages: number },
    [],
    [
      {
        type: 'say',
        message,
        ...reached,
        audience,
        ...(request === undefined ? {} : { request }),
      },
    ],
  );
}

/** Whom a message to many reaches: who takes part by name; of a lecture's audience who it does not. */
function reachedIn(visit: Visit, reaches: (each: Participant) => boolean) {
  const {
    told = [],
    except = [],
    others = [],
  } = Object.groupBy(admitted(visit), (each) => {
    if (!isAudience(visit, each)) return 'others';
    return reaches(each) ? 'told' : 'except';
  });
  const ids = (some: readonly Participant[]) => some.map(({ id }) => id);
  return {
    audience: ids(others.filter(reaches)),
    ...(told.length === 0 ? {} : { listeners: { told: ids(told), except: ids(except) } }),
  };
}

function refusedWriter(
  visit: Visit,
  giver: Participant,
  { to, kind }: Of<'send-message'>,
  target: Participant | undefined,
): ErrorCode | undefined {
  if (to.type === 'participant' && (!target || target === giver)) return 'not-found';
  if (!giver.grants.includes(kind === 'caption' ? 'caption' : 'chat')) return 'forbidden';
  // Captions are of what is heard, so they go where that is.
  if (kind === 'caption' && to.type !== 'room') return 'forbidden';
  // On hold there is nobody in the same place, though several be there.
  if (giver.place === HOLD && to.type === 'room') return 'forbidden';
  // Who is outside, or of the audience, and who may admit write to each other; nobody else sees them.
  const isApart = (each: Participant) => each.state === 'waiting' || isAudience(visit, each);
  if (isApart(giver)) return target && mayAttend(target) ? undefined : 'forbidden';
  if (target && isApart(target)) return mayAttend(giver) ? undefined : 'not-found';
  return undefined;
}

export function raiseHand(visit: Visit, { now, by, raised }: Of<'raise-hand'>): Decision {
  const { giver, refused } = permit(visit, by);
  if (!giver) return refuse(refused);
  if (raised === (giver.handRaisedAt !== undefined)) return unchanged(visit);
  const after = raised ? { ...giver, handRaisedAt: now } : without(giver, 'handRaisedAt');
  return change(visit, { participants: swap(visit, after) }, []);
}

export function react(visit: Visit, { by, reaction }: Of<'react'>): Decision {
  const { giver, refused } = permit(visit, by);
  if (!giver) return refuse(refused);
  if (!visit.policy.reactions || giver.place === HOLD || isAudience(visit, giver))
    return refuse('forbidden');
  const to = admitted(visit).flatMap(({ id, place }) => (place === giver.place ? [id] : []));
  return unchanged(visit, {
    type: 'tell',
    to,
    event: 'reaction',
    payload: { from: giver.id, reaction },
  });
}

export function mute(visit: Visit, { now, by, participant: id }: Of<'mute'>): Decision {
  const { giver, refused } = permit(visit, by, 'mute');
  if (!giver) return refuse(refused);
  const other = findAdmitted(visit, id);
  if (!other) return refuse('not-found');
  const live = microphoneOf(other);
  if (!live || live.paused) return unchanged(visit);
  return change(
    visit,
    { participants: swap(visit, withMicrophonePaused(other)) },
    [{ type: 'producer-paused', at: now, participant: id, source: 'microphone', by: giver.id }],
    [{ type: 'pause-producer', producer: live.id, paused: true }],
  );
}

export function askUnmute(visit: Visit, { by, participant }: Of<'ask-unmute'>): Decision {
  const { giver, refused } = permit(visit, by, 'mute');
  if (!giver) return refuse(refused);
  if (!findAdmitted(visit, participant)) return refuse('not-found');
  return unchanged(visit, {
    type: 'tell',
    to: [participant],
    event: 'unmute-asked',
    payload: { by: giver.id },
  });
}

export function giveCue(visit: Visit, { by, participant, cue }: Of<'cue'>): Decision {
  const { giver, refused } = permit(visit, by, 'interpret');
  if (!giver) return refuse(refused);
  if (!hearerOf(visit, giver, participant)) return refuse('not-found');
  return unchanged(visit, {
    type: 'tell',
    to: [participant],
    event: 'cue',
    payload: { by: giver.id, cue },
  });
}
