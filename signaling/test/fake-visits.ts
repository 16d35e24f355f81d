import {
  BedsideError,
  type ClientRequest,
  type ClientResponse,
  type CreateVisit,
  type EvidenceResource,
  type LedgerEntry,
  type ParticipantId,
  type SessionId,
  type TenantId,
  type VisitId,
  type VisitResource,
  type VisitView,
} from '@bedside/protocol';
import type {
  ClientLink,
  Identity,
  VisitCommandName,
  VisitConnection,
  Visits,
} from '../src/ports.ts';

export interface FakePage {
  identity: Identity;
  link: ClientLink;
  sessionId: SessionId | undefined;
  commands: Array<{ name: VisitCommandName; request: unknown }>;
  disconnects: number;
}

type Answer = (name: VisitCommandName, request: unknown, page: FakePage) => Promise<unknown>;

/** Visits at the port: keeps what it was told, answers what a test sets. */
export class FakeVisits implements Visits {
  readonly pages: FakePage[] = [];
  readonly resources = new Map<string, VisitResource>();
  ready = { ready: true, reasons: [] as string[] };
  stopped = 0;
  answer: Answer = async () => ({});
  beforeConnect: (identity: Identity, link: ClientLink) => Promise<void> = async () => {};

  async connect(
    identity: Identity,
    link: ClientLink,
    sessionId?: SessionId,
  ): Promise<VisitConnection> {
    await this.beforeConnect(identity, link);
    const page: FakePage = { identity, link, sessionId, commands: [], disconnects: 0 };
    this.pages.push(page);
    const run = (name: VisitCommandName, request: unknown) => this.answer(name, request, page);
    return {
      welcome: {
        participantId: identity.participant,
        sessionId: `session-${this.pages.length}` as SessionId,
        resumed: false,
        grants: [],
        rtpCapabilities: { codecs: [] },
        graceMs: 20_000,
        visit: viewOf(identity.visit),
      },
      async command<Name extends VisitCommandName>(
        name: Name,
        request: ClientRequest<Name>,
      ): Promise<ClientResponse<Name>> {
        page.commands.push({ name, request });
        return (await run(name, request)) as ClientResponse<Name>;
      },
      async identify(renewed) {
        page.identity = renewed;
        return [...(renewed.grants ?? [])];
      },
      disconnected() {
        page.disconnects += 1;
      },
    };
  }

  async create(
    tenant: TenantId,
    request: CreateVisit,
  ): Promise<{ created: boolean; visit: VisitResource }> {
    const key = `${tenant}/${request.visit}`;
    const there = this.resources.get(key);
    if (there !== undefined && there.kind !== request.kind)
      throw new BedsideError('conflict', { field: 'kind' });
    const visit = there ?? {
      visit: request.visit,
      kind: request.kind,
      state: 'open',
      admission: request.admission ?? 'auto',
      createdAt: new Date(0).toISOString(),
      participants: [],
    };
    this.resources.set(key, visit);
    return { created: there === undefined, visit };
  }

  async read(tenant: TenantId, visit: VisitId): Promise<VisitResource> {
    const resource = this.resources.get(`${tenant}/${visit}`);
    if (resource === undefined) throw new BedsideError('not-found');
    return resource;
  }

  async end(tenant: TenantId, visit: VisitId): Promise<VisitResource> {
    const ended: VisitResource = { ...(await this.read(tenant, visit)), state: 'ended' };
    this.resources.set(`${tenant}/${visit}`, ended);
    return ended;
  }

  async evidence(): Promise<EvidenceResource['evidence']> {
    return [];
  }

  async events(): Promise<LedgerEntry[]> {
    return [];
  }

  async share(tenant: TenantId, visit: VisitId): Promise<VisitResource> {
    return this.read(tenant, visit);
  }

  readiness(): { ready: boolean; reasons: string[] } {
    return this.ready;
  }

  async stop(): Promise<void> {
    this.stopped += 1;
  }

  pageOf(participant: string): FakePage | undefined {
    return this.pages.findLast(
      (page) => page.identity.participant === (participant as ParticipantId),
    );
  }
}

const viewOf = (visitId: VisitId): VisitView => ({
  visitId,
  kind: 'visit',
  state: 'open',
  interpreting: 'simultaneous',
  reactions: false,
  seq: 0,
  participants: [],
});
