import { type ErrorCode, HOLD, type Message, type ParticipantId } from '@bedside/protocol';
import {
  change,
  type Decision,
  type Effect,
  giverOf,
  type Of,
  refusal,
  refuse,
  swap,
  unchanged,
  without,
} from './decision.ts';
import { withProducers } from './endpoint.ts';
import { admitted, findPresent, mayAttend, type Participant, type Visit } from './state.ts';

/** What people say to each other without sound: messages, hands, requests. */

export function sendMessage(visit: Visit, command: Of<'send-message'>): Decision {
  const { now, by, to, kind, text } = command;
  if (visit.state === 'ended') return refuse('visit-ended');
  const giver = 'participant' in by ? findPresent(visit, by.participant) : undefined;
  if ('participant' in by && !giver) return refuse('not-joined');
  const target = to.type === 'participant' ? findPresent(visit, to.participantId) : undefined;
  const refused = giver
    ? refusedWriter(giver, command, target)
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
  const audience = new Set<ParticipantId>(giver ? [giver.id] : []);
  if (target) audience.add(target.id);
  else
    for (const each of admitted(visit))
      if (to.type === 'all' || each.place === giver?.place) audience.add(each.id);
  return change(
    visit,
    { messages: number },
    [],
    [{ type: 'say', message, audience: [...audience] }],
  );
}

function refusedWriter(
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
  if (giver.state === 'admitted' && target?.state !== 'waiting') return undefined;
  if (giver.state === 'admitted') return mayAttend(giver) ? undefined : 'not-found';
  return target && mayAttend(target) ? undefined : 'forbidden';
}

export function raiseHand(visit: Visit, { now, by, raised }: Of<'raise-hand'>): Decision {
  const refused = refusal(visit, by);
  const giver = giverOf(visit, by);
  if (refused || !giver) return refuse(refused ?? 'not-joined');
  if (raised === (giver.handRaisedAt !== undefined)) return unchanged(visit);
  const after = raised ? { ...giver, handRaisedAt: now } : without(giver, 'handRaisedAt');
  return change(visit, { participants: swap(visit, after) }, []);
}

export function react(visit: Visit, { by, reaction }: Of<'react'>): Decision {
  const refused = refusal(visit, by);
  const giver = giverOf(visit, by);
  if (refused || !giver) return refuse(refused ?? 'not-joined');
  if (!visit.policy.reactions || giver.place === HOLD) return refuse('forbidden');
  const to = admitted(visit).flatMap(({ id, place }) => (place === giver.place ? [id] : []));
  return unchanged(visit, {
    type: 'tell',
    to,
    event: 'reaction',
    payload: { from: giver.id, reaction },
  });
}

/** Somebody else who takes part, as seen by who has a say over them. */
function otherOf(visit: Visit, id: ParticipantId): Participant | undefined {
  const other = findPresent(visit, id);
  return other?.state === 'admitted' ? other : undefined;
}

export function mute(visit: Visit, { now, by, participant: id }: Of<'mute'>): Decision {
  const refused = refusal(visit, by, 'mute');
  if (refused) return refuse(refused);
  const other = otherOf(visit, id);
  if (!other) return refuse('not-found');
  const producers = other.endpoint?.producers ?? [];
  const live = producers.filter(({ source, paused }) => source === 'microphone' && !paused);
  if (live.length === 0) return unchanged(visit);
  return change(
    visit,
    {
      participants: swap(
        visit,
        withProducers(
          other,
          producers.map((each) => (live.includes(each) ? { ...each, paused: true } : each)),
        ),
      ),
    },
    [{ type: 'producer-paused', at: now, participant: id, source: 'microphone' }],
    live.map((each): Effect => ({ type: 'pause-producer', producer: each.id, paused: true })),
  );
}

export function askUnmute(visit: Visit, { by, participant }: Of<'ask-unmute'>): Decision {
  const refused = refusal(visit, by, 'mute');
  const giver = giverOf(visit, by);
  if (refused || !giver) return refuse(refused ?? 'not-joined');
  if (!otherOf(visit, participant)) return refuse('not-found');
  return unchanged(visit, {
    type: 'tell',
    to: [participant],
    event: 'unmute-asked',
    payload: { by: giver.id },
  });
}

export function giveCue(visit: Visit, { by, participant, cue }: Of<'cue'>): Decision {
  const refused = refusal(visit, by, 'interpret');
  const giver = giverOf(visit, by);
  if (refused || !giver) return refuse(refused ?? 'not-joined');
  if (otherOf(visit, participant)?.place !== giver.place) return refuse('not-found');
  return unchanged(visit, {
    type: 'tell',
    to: [participant],
    event: 'cue',
    payload: { by: giver.id, cue },
  });
}
