import type { BedsideError, ParticipantId, RequestId, TenantId } from '@bedside/protocol';
import type { VisitCommandName } from '../../src/ports.ts';
import type { Life } from './gateway-host.ts';

export const TENANT = 'clinic' as TenantId;

/** One command of one page, from when the page first sent it until it knew what came of it. */
export interface Operation {
  readonly name: VisitCommandName;
  readonly by: ParticipantId;
  readonly visit: string;
  readonly request: { requestId: RequestId } & Record<string, unknown>;
  /** Steps of the world's clock: an operation that ended before another began came before it. */
  readonly begunAt: number;
  endedAt: number;
  /** `unknown`: nobody told the page, so it may have been carried out or not, once at the most. */
  outcome: 'under way' | 'done' | 'refused' | 'unknown';
  answer: unknown;
  /** Who answered. */
  life: Life | undefined;
  /** Answered while Redis was away: it lives with its gateway until Redis is back. */
  kept: boolean;
}

export type Settled =
  | { answer: unknown; life: Life; kept: boolean }
  | { error: BedsideError }
  | 'unknown';

export function settle(operation: Operation, how: Settled, now: number): void {
  if (operation.outcome !== 'under way') return;
  operation.endedAt = now;
  if (how === 'unknown') operation.outcome = 'unknown';
  else if ('error' in how) {
    operation.outcome = 'refused';
    operation.answer = how.error.code;
  } else {
    operation.outcome = 'done';
    Object.assign(operation, how);
  }
}
