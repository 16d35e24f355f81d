import {
  BedsideError,
  type CreateVisit,
  ERRORS,
  type ErrorCode,
  type LedgerEntry,
  type VisitId,
  type VisitResource,
  type Wait,
} from '@bedside/protocol';
import type { PortalConfig } from './config.ts';

/** Milliseconds for which the gateway may take to answer. */
const DEADLINE_MS = 2000;

/** A visit to be made; what is absent has its default. */
export type NewVisit = Partial<CreateVisit> & Pick<CreateVisit, 'visit'>;

/** What the portal's server asks of a gateway, by its API key. */
export interface Gateway {
  /** Again is harmless: the visit stays as it was made. */
  create(visit: NewVisit): Promise<VisitResource>;
  read(visit: VisitId): Promise<VisitResource>;
  /** What happened in it, the oldest first. */
  events(visit: VisitId): Promise<LedgerEntry[]>;
  /** What those who wait are told of their wait. */
  share(visit: VisitId, wait: Wait): Promise<void>;
}

/** Rejects with the BedsideError that the gateway names; `state-unavailable` where it does not answer. */
export function createGateway({ gatewayUrl, apiKey }: PortalConfig): Gateway {
  async function ask(method: string, path: string, body?: object): Promise<unknown> {
    // Without a key the gateway would only say the same.
    if (apiKey === undefined) throw new BedsideError('unauthorized');
    const answer = await fetch(new URL(path, gatewayUrl), {
      method,
      headers: { Authorization: `Bearer ${apiKey}`, 'Content-Type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(DEADLINE_MS),
    }).catch((cause: unknown) => {
      throw new BedsideError('state-unavailable', { cause });
    });
    const said: unknown = await answer.json().catch((cause: unknown) => {
      throw new BedsideError('state-unavailable', { cause });
    });
    if (answer.ok) return said;
    const code = String((said as { code?: unknown }).code);
    throw new BedsideError(
      Object.hasOwn(ERRORS, code) ? (code as ErrorCode) : 'state-unavailable',
      { cause: said },
    );
  }
  const path = (visit: VisitId, rest = ''): string =>
    `/v1/visits/${encodeURIComponent(visit)}${rest}`;

  return {
    create: (visit) => ask('POST', '/v1/visits', visit) as Promise<VisitResource>,
    read: (visit) => ask('GET', path(visit)) as Promise<VisitResource>,
    events: async (visit) =>
      ((await ask('GET', path(visit, '/events'))) as { events: LedgerEntry[] }).events,
    share: async (visit, wait) => {
      await ask('PUT', path(visit, '/wait'), wait);
    },
  };
}
