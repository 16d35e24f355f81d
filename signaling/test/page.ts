import type {
  ClientEventName,
  ClientEventPayload,
  ClientRequest,
  ClientResponse,
  CloseReason,
  ConsumerId,
  ConsumerParameters,
  MediaSource,
  ParticipantId,
  ProducerId,
  RequestId,
  Role,
  SessionId,
  TenantId,
  VisitId,
} from '@bedside/protocol';
import type {
  ClientLink,
  Identity,
  VisitCommandName,
  VisitConnection,
  Visits,
} from '../src/ports.ts';

let requests = 0;
let tokens = 0;

export const identityOf = (participant: string, role: Role, visit = 'visit-1'): Identity => ({
  tenant: 'clinic' as TenantId,
  visit: visit as VisitId,
  participant: participant as ParticipantId,
  role,
  jti: `token-${++tokens}`,
  expiresAt: Number.MAX_SAFE_INTEGER,
});

/** One page at the port, as a socket and the SDK behind it behave: keeps what it is told, acknowledges, resumes. */
export class Page implements ClientLink {
  readonly identity: Identity;
  readonly events: { name: ClientEventName; payload: unknown }[] = [];
  /** What it receives now, as far as it was told. */
  readonly consumers = new Map<ConsumerId, ConsumerParameters>();
  readonly producers = new Map<MediaSource, ProducerId>();
  connection: VisitConnection | undefined;
  sessionId: SessionId | undefined;
  joined: ClientResponse<'join'> | undefined;
  closed: CloseReason | undefined;
  /** Told that a consumer is added which it has already: a fault of who tells. */
  repeats = 0;
  acknowledges = true;

  constructor(participant: string, role: Role = 'patient', visit?: string) {
    this.identity = identityOf(participant, role, visit);
  }

  get id(): ParticipantId {
    return this.identity.participant;
  }

  /** Opens a socket. What an earlier one was told is gone with it, but for the media. */
  async connect(visits: Pick<Visits, 'connect'>): Promise<VisitConnection> {
    // A new link for each socket: this object stands for the page.
    const link: ClientLink = {
      send: (name, payload) => this.#alive(link) && this.send(name, payload),
      sendConsumers: async (payload) => this.#alive(link) && this.sendConsumers(payload),
      close: (reason) => this.#alive(link) && this.close(reason),
    };
    this.closed = undefined;
    this.#link = link;
    const connection = await visits.connect(this.identity, link, this.sessionId);
    if (!this.#alive(link)) {
      connection.disconnected();
      return connection;
    }
    this.connection = connection;
    this.sessionId = connection.welcome.sessionId;
    if (!connection.welcome.resumed) this.forgetMedia();
    return connection;
  }

  /** The socket breaks. */
  drop(): void {
    this.#link = undefined;
    this.connection?.disconnected();
    this.connection = undefined;
  }

  async command<Name extends VisitCommandName>(
    name: Name,
    request: Omit<ClientRequest<Name>, 'requestId'>,
    requestId = newRequestId(),
  ): Promise<ClientResponse<Name>> {
    const { connection } = this;
    if (!connection) throw new Error('not connected');
    const answer = await connection.command(name, { ...request, requestId } as ClientRequest<Name>);
    if (this.connection !== connection) throw new Error('the socket went before the answer came');
    return answer;
  }

  async join(requestId?: RequestId): Promise<ClientResponse<'join'>> {
    this.forgetMedia();
    const answer = await this.command('join', { rtpCapabilities: { codecs: [] } }, requestId);
    this.joined = answer;
    this.consumers.clear();
    for (const consumer of answer.consumers) this.consumers.set(consumer.consumerId, consumer);
    return answer;
  }

  async resume(): Promise<void> {
    const { added, removed } = await this.command('resume', {
      consumerIds: [...this.consumers.keys()],
    });
    this.#apply(added, removed);
  }

  async produce(source: MediaSource, requestId?: RequestId): Promise<ProducerId> {
    const { producerId } = await this.command(
      'produce',
      {
        transportId: (this.joined as ClientResponse<'join'>).sendTransport.transportId,
        source,
        rtpParameters: { codecs: [] } as unknown as ClientRequest<'produce'>['rtpParameters'],
        paused: false,
      },
      requestId,
    );
    this.producers.set(source, producerId);
    return producerId;
  }

  forgetMedia(): void {
    this.joined = undefined;
    this.consumers.clear();
    this.producers.clear();
  }

  payloads<Name extends ClientEventName>(name: Name): ClientEventPayload<Name>[] {
    return this.events.flatMap((event) =>
      event.name === name ? [event.payload as ClientEventPayload<Name>] : [],
    );
  }

  // --- ClientLink

  send<Name extends ClientEventName>(name: Name, payload: ClientEventPayload<Name>): void {
    this.events.push({ name, payload });
    if (name === 'media-lost') this.forgetMedia();
  }

  async sendConsumers(payload: ClientEventPayload<'consumers'>): Promise<boolean> {
    this.events.push({ name: 'consumers', payload });
    this.#apply(payload.added, payload.removed);
    for (const { consumerId, ...played } of payload.updated) {
      const consumer = this.consumers.get(consumerId);
      if (consumer) this.consumers.set(consumerId, { ...consumer, ...played });
    }
    return this.acknowledges;
  }

  close(reason: CloseReason): void {
    this.closed = reason;
    this.drop();
  }

  #link: ClientLink | undefined;

  #alive(link: ClientLink): boolean {
    return this.#link === link;
  }

  #apply(added: readonly ConsumerParameters[], removed: readonly ConsumerId[]): void {
    for (const id of removed) this.consumers.delete(id);
    for (const consumer of added) {
      if (this.consumers.has(consumer.consumerId)) this.repeats += 1;
      this.consumers.set(consumer.consumerId, consumer);
    }
  }
}

export const newRequestId = (): RequestId => `request-${++requests}` as RequestId;
