import type { LedgerEvent } from './state.ts';

/**
 * What a record has to keep. `proof`: who was there, where, and could hear whom, and who answered for it.
 * `activity`: what anybody may repeat at will, as often as they like.
 */
const KINDS: Readonly<Record<LedgerEvent['type'], 'proof' | 'activity'>> = {
  'visit-created': 'proof',
  'visit-started': 'proof',
  'visit-ended': 'proof',
  'participant-admitted': 'proof',
  'participant-waiting': 'proof',
  'participant-replaced': 'activity',
  'participant-reconnecting': 'activity',
  'participant-reconnected': 'activity',
  'participant-left': 'proof',
  'no-show': 'proof',
  'producer-opened': 'activity',
  'producer-paused': 'activity',
  'producer-resumed': 'activity',
  'producer-closed': 'activity',
  'media-placed': 'activity',
  'media-lost': 'activity',
  'responsible-changed': 'proof',
  unattended: 'proof',
  'hold-started': 'proof',
  'hold-ended': 'proof',
  'privacy-started': 'proof',
  'privacy-changed': 'proof',
  'privacy-ended': 'proof',
  'whisper-started': 'proof',
  'whisper-ended': 'proof',
  invited: 'proof',
  'invite-used': 'proof',
  'invite-revoked': 'proof',
  called: 'proof',
  'call-ended': 'proof',
  'hand-over-offered': 'proof',
  'hand-over-answered': 'proof',
  'reassign-offered': 'proof',
  'reassign-answered': 'proof',
  'interpreting-changed': 'activity',
  'quality-breached': 'activity',
  'quality-restored': 'activity',
};

/** Of the audience of a lecture there are so many that their coming and going is no proof of who took part. */
export const isProof = ({ type, audience }: Pick<LedgerEvent, 'type' | 'audience'>): boolean =>
  KINDS[type] === 'proof' && audience === undefined;

/** The latest of these, in their order: activity goes before any proof does. */
export function latest(events: readonly LedgerEvent[], most: number): LedgerEvent[] {
  let surplus = events.length - most;
  if (surplus <= 0) return [...events];
  const kept = events.filter((event) => isProof(event) || surplus-- <= 0);
  return kept.slice(-most);
}
