import type { ClinicId, QueueEntry, TenantId, VisitId, VisitKey } from '@bedside/protocol';
import { visitKey } from '../src/store/keys.ts';

export const TENANT = 'clinic' as TenantId;
export const CLINIC = { tenant: TENANT, clinic: 'c1' as ClinicId };

export const keyOfVisit = (visit: string): VisitKey => visitKey(TENANT, visit as VisitId);

/** One patient, who waits since then. */
export function entryOf(visit: string, since: number, more: Partial<QueueEntry> = {}): QueueEntry {
  return {
    visit: visit as VisitId,
    kind: 'visit',
    state: 'open',
    waiting: [
      {
        participantId: `patient-of-${visit}` as QueueEntry['waiting'][0]['participantId'],
        role: 'patient',
        since,
        languages: ['es'],
        needs: { interpreter: true, signLanguage: false },
        connection: 'connected',
      },
    ],
    attended: false,
    ...more,
  };
}
