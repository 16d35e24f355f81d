import { admit, remove } from './admission.ts';
import { share, tick } from './deadlines.ts';
import { type Command, type Decision, type Effect, unchanged } from './decision.ts';
import { reportQuality } from './evidence.ts';
import { call, callAccepted, callExhausted, cancel, invite, revokeInvite } from './invites.ts';
import { setInterpreting, setLanguages, takeTurn, whisper } from './languages.ts';
import { nodesLeft, settleHome } from './nodes.ts';
import { move } from './places.ts';
import { connect, depart, disconnect, end, expire, identify, join, recover } from './presence.ts';
import { recordOf } from './record.ts';
import { relocate, relocating } from './relocation.ts';
import { isDone, withDone } from './repeats.ts';
import { answerHandOver, answerReassign, handOver, reassign } from './responsibility.ts';
import { closeProducer, endpointsLost, mediaLost, pauseProducer, produce } from './sending.ts';
import { settle, whispersEnded } from './settle.ts';
import { findPresent, type Visit } from './state.ts';
import { askUnmute, giveCue, mute, raiseHand, react, sendMessage } from './talk.ts';

export type { By, Command, Decision, Effect } from './decision.ts';

/**
 * The visit after a command, with what to record and what to do; the same visit where nothing changes.
 * @param request A name of who asked and for what. The same one again changes nothing, also where others have
 * changed since what it did: it was done in its place among theirs.
 */
export function decide(visit: Visit, command: Command, request?: string): Decision {
  if (request !== undefined && isDone(visit, request)) return unchanged(visit);
  const decision = carryOut(visit, command);
  if (!decision.ok || decision.visit === visit) return decision;
  const after = settleHome(settle(decision.visit, command.now));
  const ended = whispersEnded(decision.visit, after, command.now);
  return {
    ok: true,
    visit: request === undefined ? after : withDone(after, request, command.now),
    events: [...decision.events, ...ended.events, ...recordOf(visit, after, command)],
    effects: [...decision.effects, ...ended.effects, ...closed(visit, after, command)],
  };
}

/** Nodes that have no part in the visit any more. After a relocation they are closed once that is on record. */
function closed(before: Visit, after: Visit, { type }: Command): Effect[] {
  if (type === 'relocate') return [];
  return nodesLeft(before, after).map((media) => ({ type: 'close-visit', media }));
}

function carryOut(visit: Visit, command: Command): Decision {
  switch (command.type) {
    case 'connect':
      return connect(visit, command);
    case 'identify':
      return identify(visit, command);
    case 'disconnect':
      return disconnect(visit, command);
    case 'expire':
      return expire(visit, command);
    case 'join':
      return join(visit, command);
    case 'leave':
      return findPresent(visit, command.participant)
        ? depart(visit, command.participant, 'left', command.now)
        : unchanged(visit);
    case 'end':
      return end(visit, command);
    case 'admit':
      return admit(visit, command);
    case 'remove':
      return remove(visit, command);
    case 'move':
      return move(visit, command);
    case 'produce':
      return produce(visit, command);
    case 'pause-producer':
      return pauseProducer(visit, command);
    case 'close-producer':
      return closeProducer(visit, command);
    case 'mute':
      return mute(visit, command);
    case 'ask-unmute':
      return askUnmute(visit, command);
    case 'invite':
      return invite(visit, command);
    case 'revoke-invite':
      return revokeInvite(visit, command);
    case 'call':
      return call(visit, command);
    case 'cancel-call':
      return cancel(visit, command);
    case 'call-accepted':
      return callAccepted(visit, command);
    case 'call-exhausted':
      return callExhausted(visit, command);
    case 'hand-over':
      return handOver(visit, command);
    case 'answer-hand-over':
      return answerHandOver(visit, command);
    case 'reassign':
      return reassign(visit, command);
    case 'answer-reassign':
      return answerReassign(visit, command);
    case 'set-languages':
      return setLanguages(visit, command);
    case 'set-interpreting':
      return setInterpreting(visit, command);
    case 'take-turn':
      return takeTurn(visit, command);
    case 'whisper':
      return whisper(visit, command);
    case 'cue':
      return giveCue(visit, command);
    case 'send-message':
      return sendMessage(visit, command);
    case 'report-quality':
      return reportQuality(visit, command);
    case 'raise-hand':
      return raiseHand(visit, command);
    case 'react':
      return react(visit, command);
    case 'wait':
      return share(visit, command);
    case 'tick':
      return tick(visit, command);
    case 'recover':
      return recover(visit);
    case 'relocating':
      return relocating(visit, command);
    case 'relocate':
      return relocate(visit, command);
    case 'media-lost':
      return mediaLost(visit, command);
    case 'endpoints-lost':
      return endpointsLost(visit, command);
  }
}
