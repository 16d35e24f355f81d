import { randomUUID } from 'node:crypto';
import type {
  CallId,
  ClinicCommandName,
  ClinicEventName,
  ClinicEventPayload,
  ClinicId,
  ClinicRequest,
  ClinicResponse,
  CreateVisit,
  GatewayId,
  RequestId,
  Skills,
  TenantId,
  VisitId,
} from '@bedside/protocol';
import { BedsideError, clinicCommands, clinicEvents, unwrap } from '@bedside/protocol';
import { REDIS_OPTIONS, SUBSCRIBER_OPTIONS, systemClock } from '@bedside/service';
import { Redis } from 'ioredis';
import { pino } from 'pino';
import type { Socket } from 'socket.io-client';
import { TcpProxy } from '../../load-tests/lib/tcp-proxy.ts';
import { VisitRegistry } from '../src/actor/registry.ts';
import { GuestKeys } from '../src/auth/guest-tokens.ts';
import { createClinics } from '../src/clinic/index.ts';
import { answers } from '../src/cluster/answers.ts';
import { createGateway } from '../src/gateway.ts';
import { createMetrics } from '../src/metrics.ts';
import type { Visits } from '../src/ports.ts';
import { Seal } from '../src/store/kept.ts';
import { RedisStore } from '../src/store/store.ts';
import { FakeNode } from './fake-node.ts';
import { clinicClientOf, handshake, mintClinicToken, testConfig, welcomed } from './harness.ts';
import { memberOf } from './member.ts';
import { Page } from './page.ts';
import { Counts } from './telemetry.ts';

/** A gateway with visits and clinics on a real Redis, and media at the port. */
export interface ClinicGateway {
  readonly url: string;
  readonly visits: Visits;
  /** Its way to Redis. */
  readonly way: TcpProxy;
  /** As by SIGKILL: its way to Redis is gone, and it says nothing more to anybody. */
  kill(): Promise<void>;
  stop(): Promise<void>;
}

/** `redisPort`: of a server of the test's own. */
export async function startClinicGateway(id: string, redisPort: number): Promise<ClinicGateway> {
  const way = await TcpProxy.to(redisPort);
  const redis = new Redis(way.port, '127.0.0.1', REDIS_OPTIONS);
  const subscriber = new Redis(way.port, '127.0.0.1', SUBSCRIBER_OPTIONS);
  const ready = (client: Redis) => {
    client.on('error', () => {});
    return new Promise((resolve) => client.once('ready', resolve));
  };
  await Promise.all([redis, subscriber].map(ready));
  const config = testConfig();
  const log = pino({ level: 'error' });
  const guests = new GuestKeys(config.guestSecret);
  const clinics = createClinics({
    redis,
    subscriber,
    guests,
    telemetry: createMetrics().clinics,
    log,
    entryLifeMs: 60_000,
  });
  const counts = new Counts();
  const boot = randomUUID();
  const store = new RedisStore({
    redis,
    gatewayId: id as GatewayId,
    boot,
    self: () => memberOf(id, boot, `http://127.0.0.1:${gateway.address().opsPort}`),
    answers,
    clock: systemClock,
    log,
    telemetry: counts,
    onAvailable: () => void visits.redisReturned(),
  });
  const visits: VisitRegistry = new VisitRegistry({
    store,
    nodes: new FakeNode(),
    clock: systemClock,
    log,
    telemetry: counts,
    clinics,
    guests,
    calls: clinics.calls,
    seal: new Seal('a-secret-of-all-gateways-for-tests-01'),
    graceMs: 20_000,
  });
  const gateway = createGateway(config, { core: { visits, clinics }, log });
  await gateway.start();
  await store.start();
  const { host, port } = gateway.address();
  const close = async () => {
    await gateway.stop();
    await clinics.stop();
    await store.stop();
    redis.disconnect();
    subscriber.disconnect();
    await way.close();
  };
  return {
    url: `http://${host}:${port}`,
    visits,
    way,
    async kill() {
      way.cut();
      await close();
    },
    stop: close,
  };
}

const clinic = 'clinic' as TenantId;
let requests = 0;

/** A page of a clinic's staff, which keeps what it hears. */
export class StaffPage {
  readonly socket: Socket;
  readonly heard: { name: ClinicEventName; payload: unknown }[] = [];
  #wake = () => {};

  private constructor(socket: Socket) {
    this.socket = socket;
    for (const name of Object.keys(clinicEvents) as ClinicEventName[])
      socket.on(name, (payload: unknown) => {
        this.heard.push({ name, payload: clinicEvents[name].payload.parse(payload) });
        this.#wake();
      });
  }

  static async open(url: string, claims: Record<string, unknown>): Promise<StaffPage> {
    const auth = handshake(await mintClinicToken(claims));
    const page = new StaffPage(clinicClientOf(url, auth, claims.clinic as string | undefined));
    await welcomed(page.socket);
    return page;
  }

  /** On call, with the skills that are given. */
  static async onCall(
    url: string,
    person: string,
    skills: Partial<Skills>,
    claims: Record<string, unknown> = {},
  ): Promise<StaffPage> {
    const page = await StaffPage.open(url, { sub: person, role: 'specialist', skills, ...claims });
    await page.send('sign-on', { busy: false });
    return page;
  }

  /** @throws BedsideError */
  async send<Name extends ClinicCommandName>(
    name: Name,
    request: Omit<ClinicRequest<Name>, 'requestId'>,
  ): Promise<ClinicResponse<Name>> {
    const requestId = `request-${++requests}` as RequestId;
    const answer: unknown = await this.socket.emitWithAck(name, { ...request, requestId });
    return unwrap(clinicCommands[name].response, answer) as ClinicResponse<Name>;
  }

  /** The code that a command is refused with; undefined where it is not. */
  refusal<Name extends ClinicCommandName>(
    name: Name,
    request: Omit<ClinicRequest<Name>, 'requestId'>,
  ): Promise<string | undefined> {
    return this.send(name, request).then(
      () => undefined,
      (error: BedsideError) => error.code,
    );
  }

  all<Name extends ClinicEventName>(name: Name): ClinicEventPayload<Name>[] {
    return this.heard.flatMap((event) =>
      event.name === name ? [event.payload as ClinicEventPayload<Name>] : [],
    );
  }

  /** The first event of that name about the call, of those that came and those to come. */
  async hear<Name extends 'ring' | 'ring-ended'>(
    name: Name,
    call: CallId,
    fits: (payload: ClinicEventPayload<Name>) => boolean = () => true,
  ): Promise<ClinicEventPayload<Name>> {
    for (;;) {
      const found = this.all(name).find((each) => each.callId === call && fits(each));
      if (found) return found;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** The connection breaks. */
  drop(): void {
    this.socket.disconnect();
  }
}

/** A provider in a visit of the clinic `c1`, who calls. */
export class Caller {
  readonly page: Page;
  readonly #visit: VisitId;

  private constructor(page: Page, visit: VisitId) {
    this.page = page;
    this.#visit = visit;
  }

  static async open(at: ClinicGateway, visit: string, claims = {}): Promise<Caller> {
    const request = { visit: visit as VisitId, kind: 'visit', clinic: 'c1' as ClinicId };
    await at.visits.create(clinic, { ...request, ...claims } as CreateVisit);
    const page = new Page('provider', 'provider', visit);
    await page.connect(at.visits);
    await page.join();
    return new Caller(page, visit as VisitId);
  }

  /** The page finds its visit at another gateway. */
  async move(at: ClinicGateway): Promise<void> {
    this.page.drop();
    for (;;) {
      try {
        await this.page.connect(at.visits);
        return;
      } catch (error) {
        if (!(error instanceof BedsideError && error.retryable)) throw error;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
  }

  async call(
    groups: readonly object[],
    { role = 'specialist', ringMs = 30_000 }: { role?: string; ringMs?: number } = {},
  ): Promise<CallId> {
    const request = { groups: [...groups], role, ringMs } as Omit<
      Parameters<Page['command']>[1],
      'requestId'
    >;
    const { callId } = (await this.page.command('call', request as never)) as { callId: CallId };
    return callId;
  }

  cancel(callId: CallId): Promise<unknown> {
    return this.page.command('cancel-call', { callId });
  }

  /** Resolves once the page knows that the call is so. */
  async sees(call: CallId, state: string): Promise<void> {
    while (this.stateOf(call) !== state) await new Promise((resolve) => setTimeout(resolve, 5));
  }

  stateOf(call: CallId): string | undefined {
    const calls = this.page
      .payloads('changed')
      .flatMap(({ changes }) => changes)
      .flatMap((change) => (change.type === 'calls' ? [change.calls] : []))
      .at(-1);
    return calls?.find(({ callId }) => callId === call)?.state;
  }

  get visit(): VisitId {
    return this.#visit;
  }
}
