import type { Participant } from '../types.ts';
import { isSending, nameOf } from './people.ts';
import type { View } from './view.ts';

/** A line of the live region. The number tells equal lines apart, so that each is read. */
export interface Announcement {
  id: number;
  text: string;
}

/** Lines kept in the region: a screen reader reads what is added, older ones may go. */
const KEPT = 4;

export function announced(lines: readonly Announcement[], text: string): Announcement[] {
  return [...lines, { id: (lines.at(-1)?.id ?? 0) + 1, text }].slice(-KEPT);
}

/** What is worth saying of one participant; compared to tell what changed. */
export interface Heard {
  /** undefined: none is published, so that there is nothing to turn off. */
  microphone: boolean | undefined;
  screen: boolean;
  exam: boolean;
  connected: boolean;
  waiting: boolean;
  hand: boolean;
}

export const heard = (participant: Participant): Heard => ({
  microphone: participant.tracks.has('microphone')
    ? isSending(participant, 'microphone')
    : undefined,
  screen: isSending(participant, 'screen'),
  exam: isSending(participant, 'exam'),
  connected:
    participant.connection === 'connected' &&
    ![...participant.tracks.values()].some(({ interrupted }) => interrupted),
  waiting: participant.state === 'waiting',
  hand: participant.handRaisedAt !== undefined,
});

/** The lines for what changed between two looks at a participant. The first look says nothing but what is shown. */
export function changesToSay(
  { t, texts }: Pick<View, 't' | 'texts'>,
  participant: Participant,
  before: Heard | undefined,
): string[] {
  const now = heard(participant);
  const name = nameOf(participant, texts);
  const lines: string[] = [];
  const known = before?.microphone !== undefined && now.microphone !== undefined;
  if (known && before.microphone !== now.microphone)
    lines.push(t(now.microphone ? 'sayUnmuted' : 'sayMuted', { name }));
  if (before && before.connected !== now.connected)
    lines.push(t(now.connected ? 'sayBack' : 'sayLost', { name }));
  if (now.screen && !before?.screen) lines.push(t('sayShares', { name }));
  if (now.exam && !before?.exam) lines.push(t('sayExam', { name }));
  if (before?.waiting && !now.waiting) lines.push(t('sayJoined', { name }));
  if (now.hand && !before?.hand) lines.push(t('sayHand', { name }));
  return lines;
}
