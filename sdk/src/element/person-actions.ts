import type { ParticipantId } from '@bedside/protocol';
import type { Participant } from '../types.ts';
import { type Act, given } from './act.ts';
import { isSending, publication } from './people.ts';
import type { View } from './view.ts';

/** What oneself may do with one of the others. */
export function actionsOn(
  { visit, t, host }: View,
  participant: Participant,
  { write, remove }: { write(id: ParticipantId): void; remove(id: ParticipantId): void },
): Act[] {
  const { id, state, isHere, mayAttend } = participant;
  const { localParticipant: self, responsible } = visit;
  const may = self.grants;
  const takesPart = state === 'admitted';
  const microphone = publication(participant, 'microphone');
  const mayHandOver = may.has('hand-over') || responsible?.id === self.id;
  const whispers = self.whisperTo === id;
  const run = (action: Promise<unknown>): void => host.run(action);
  const actions: (Act | false)[] = [
    takesPart &&
      may.has('mute') &&
      microphone !== undefined &&
      (isSending(participant, 'microphone')
        ? { action: 'mute', label: t('mute'), onClick: () => run(visit.mute(id)) }
        : {
            action: 'ask-unmute',
            label: t('askUnmute'),
            onClick: () => run(visit.askToUnmute(id)),
          }),
    may.has('chat') && { action: 'write', label: t('write'), onClick: () => write(id) },
    isHere &&
      may.has('interpret') && {
        action: 'ask-pause',
        label: t('askPause'),
        onClick: () => run(visit.cue(id, 'pause')),
      },
    isHere &&
      may.has('interpret') && {
        action: 'ask-repeat',
        label: t('askRepeat'),
        onClick: () => run(visit.cue(id, 'repeat')),
      },
    isHere &&
      may.has('whisper') && {
        action: 'whisper',
        label: t(whispers ? 'whisperEnd' : 'whisper'),
        onClick: () => run(visit.whisper(whispers ? null : id)),
      },
    takesPart &&
      mayHandOver &&
      responsible?.id !== id &&
      mayAttend && {
        action: 'hand-over',
        label: t('handOver'),
        onClick: () => run(visit.handOver(id)),
      },
    takesPart &&
      may.has('remove') && {
        action: 'remove',
        label: t('remove'),
        danger: true,
        onClick: () => remove(id),
      },
  ];
  return given(actions);
}
