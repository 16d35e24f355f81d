import {
  BedsideError,
  type ClientEventName,
  type ClientEventPayload,
  type ClientRequest,
  type ClientResponse,
  type ConsumerId,
  type ConsumerParameters,
  type GatewayId,
  type MediaSource,
  type ParticipantId,
  type ParticipantView,
  type PeerId,
  type ProducerId,
  type RequestId,
  type SessionId,
  toBedsideError,
  type VisitView,
} from '@bedside/protocol';
import type { Identity, VisitCommandName, WelcomePart } from '../../src/ports.ts';
import type { GatewayHost } from './gateway-host.ts';
import { type Operation, settle } from './operations.ts';
import { PageSocket } from './socket.ts';
import type { World } from './world.ts';

/** As the SDK has them. */
const OPEN_DEADLINE_MS = 10_000;
const COMMAND_DEADLINE_MS = 10_000;
const REDIRECTS_MAX = 3;
const RETRY_FIRST_MS = 300;
const BACKOFF_FIRST_MS = 250;
const BACKOFF_MAX_MS = 8_000;
/** Until a page notices that nothing of its media is left. */
const SILENT_MEDIA_MS = 3_000;
const LOOK_MS = 1_500;

export interface Surroundings {
  world: World;
  /** The balancer: where a page that asks for this gateway, or for any, gets to. */
  route: (visit: string, asked: GatewayId | undefined) => GatewayHost;
  hasPeer: (visit: string, peer: PeerId) => boolean;
  operations: Operation[];
  /** A page followed its visit to another node. */
  moved: () => void;
}

interface Sending {
  paused: boolean;
  producerId: ProducerId | undefined;
  operation: Operation | undefined;
  /** For what it was sent as over the path that is now the only one. */
  isWaiting?: boolean;
}

/** What a page has at the node that its visit goes to. */
interface NextPath {
  answer: ClientResponse<'relocate'>;
  consumers: Map<ConsumerId, ConsumerParameters>;
  /** Answers to what was sent there. */
  sent: Map<MediaSource, Promise<ProducerId | undefined>>;
}

/** A page as the SDK makes one: comes, joins, resumes, follows to other gateways, and sends again what had no answer. */
export class SimPage {
  readonly identity: Identity;
  readonly consumers = new Map<ConsumerId, ConsumerParameters>();
  readonly sending = new Map<MediaSource, Sending>();
  /** What was written, as far as it was for this page. */
  readonly texts: { number: number; text: string }[] = [];
  /** Whom it sees. */
  readonly people = new Map<ParticipantId, ParticipantView>();
  #seq = -1;
  /** Why it is over, if it is. */
  over: string | undefined;
  joined: Pick<ClientResponse<'join'>, 'sendTransport' | 'recvTransport'> | undefined;
  #next: NextPath | undefined;
  readonly #around: Surroundings;
  readonly #pending = new Set<Operation>();
  #socket: PageSocket | undefined;
  #sessionId: SessionId | undefined;
  #named: GatewayId | undefined;
  #ready = false;
  #synced = false;
  /** Asked for by the gateway that closed the socket. */
  #pauseMs = 0;
  #silentSince: number | undefined;
  #wake: () => void = () => {};

  constructor(identity: Identity, around: Surroundings) {
    this.identity = identity;
    this.#around = around;
    this.sending.set('microphone', { paused: false, producerId: undefined, operation: undefined });
    void this.#live();
    void this.#watchMedia();
  }

  get id(): ParticipantId {
    return this.identity.participant;
  }

  get visit(): string {
    return this.identity.visit;
  }

  /** In the visit, and in step with its gateway. */
  get connected(): boolean {
    return this.over === undefined && this.#ready && this.#synced && this.joined !== undefined;
  }

  get gateway(): GatewayHost | undefined {
    return this.#socket?.open ? this.#socket.gateway : undefined;
  }

  get peer(): PeerId | undefined {
    return peerOf(this.joined);
  }

  /** Whether its media is connected with that. */
  uses(peer: PeerId): boolean {
    return this.over === undefined && (this.peer === peer || peerOf(this.#next?.answer) === peer);
  }

  /** The network of the page changes. */
  drop(): void {
    this.#socket?.break();
  }

  /** The page is closed, or loaded anew: nobody hears of it. */
  close(): void {
    this.#end('closed');
  }

  issue(name: VisitCommandName, request: Record<string, unknown>): Operation {
    const { world, operations } = this.#around;
    const operation: Operation = {
      name,
      by: this.id,
      visit: this.visit,
      request: { ...request, requestId: world.name('request') as RequestId },
      begunAt: world.now,
      endedAt: Number.POSITIVE_INFINITY,
      outcome: 'under way',
      answer: undefined,
      life: undefined,
      kept: false,
    };
    operations.push(operation);
    world.note(`${this.id} ${name} ${JSON.stringify(operation.request)}`);
    this.#pending.add(operation);
    world.after(COMMAND_DEADLINE_MS, () => this.#settle(operation, 'unknown'));
    if (this.#ready) this.#send(operation, 0);
    return operation;
  }

  pause(source: MediaSource, paused: boolean): void {
    const sending = this.sending.get(source);
    if (!sending) return;
    sending.paused = paused;
    if (sending.producerId !== undefined)
      this.issue('pause-producer', { producerId: sending.producerId, paused });
  }

  share(source: MediaSource): void {
    if (this.sending.has(source)) return;
    this.sending.set(source, { paused: false, producerId: undefined, operation: undefined });
    if (this.connected) this.#produceAll();
  }

  /** Whatever else it asked for is forgotten: it is not asked for again under a session to come. */
  leave(): void {
    for (const operation of [...this.#pending]) this.#settle(operation, 'unknown');
    this.issue('leave', {});
  }

  // --- the session

  async #live(): Promise<void> {
    let attempt = 0;
    while (this.over === undefined) {
      const step = !this.#socket?.open ? 'open' : !this.joined ? 'join' : 'resume';
      try {
        if (step === 'open') await this.#connect();
        else {
          if (step === 'join') await this.#join();
          else await this.#resume();
          attempt = 0;
          this.#becomeReady();
          await this.#trouble();
          await this.#around.world.sleep(this.#pauseMs);
          this.#pauseMs = 0;
        }
      } catch (thrown) {
        const error = toBedsideError(thrown);
        if (this.over !== undefined) return;
        const { code } = error;
        if (step === 'resume' && ['not-joined', 'media-lost', 'session-expired'].includes(code)) {
          this.#forgetMedia();
          if (attempt++ === 0) continue;
        } else if (!error.retryable) return this.#end(code);
        if (['deadline', 'moved', 'shutting-down', 'connection-failed'].includes(code))
          this.#closeSocket();
        const backoff = Math.min(BACKOFF_FIRST_MS * 2 ** attempt++, BACKOFF_MAX_MS);
        await this.#around.world.sleep(
          backoff * (0.5 + this.#around.world.random.next() / 2) + (error.retryAfterMs ?? 0),
        );
      }
    }
  }

  async #connect(): Promise<void> {
    for (let redirects = 0; ; redirects++) {
      try {
        return await this.#open();
      } catch (thrown) {
        const { code, gateway } = thrown as BedsideError;
        if (code !== 'moved' || gateway === this.#named || redirects >= REDIRECTS_MAX) {
          this.#named = undefined;
          throw thrown;
        }
        this.#named = gateway;
      }
    }
  }

  #open(): Promise<void> {
    const { world, route } = this.#around;
    this.#closeSocket();
    return new Promise((resolve, reject) => {
      const fail = (error: BedsideError) => {
        socket.close();
        reject(error);
      };
      const ours = () => this.#socket === socket && this.over === undefined;
      let open = false;
      const socket: PageSocket = new PageSocket(
        world,
        route(this.visit, this.#named),
        this.identity,
        this.#sessionId,
        {
          welcome: (welcome) => {
            if (!ours()) return;
            open = true;
            this.#welcomed(welcome);
            resolve();
          },
          refused: fail,
          event: (name, payload) => ours() && this.#hear(name, payload),
          consumers: (payload) => ours() && this.#consumersChanged(payload),
          closing: (reason, retryAfterMs) => {
            if (!ours()) return;
            world.note(`${this.id} is told ${reason}`);
            if (reason !== 'moved' && reason !== 'shutting-down') return this.#end(reason);
            this.#pauseMs = retryAfterMs ?? 0;
            this.#closeSocket();
          },
          lost: () => {
            if (!open) fail(new BedsideError('connection-failed'));
            else if (ours()) this.#lost();
          },
        },
      );
      this.#socket = socket;
      world.after(OPEN_DEADLINE_MS, () => !open && fail(new BedsideError('connection-failed')));
    });
  }

  #welcomed({ sessionId, resumed, visit }: WelcomePart): void {
    this.#sessionId = sessionId;
    this.#seq = -1;
    this.#see(visit);
    if (this.joined && !resumed) this.#forgetMedia();
  }

  async #join(): Promise<void> {
    const answer = (await this.#ask('join', {
      rtpCapabilities: { codecs: [] },
      messagesAfter: this.#lastNumber,
    })) as ClientResponse<'join'>;
    this.#forgetMedia();
    this.joined = answer;
    this.#see(answer.visit);
    this.#read(answer.messages);
    for (const consumer of answer.consumers) this.consumers.set(consumer.consumerId, consumer);
  }

  async #resume(): Promise<void> {
    const answer = (await this.#ask('resume', {
      consumerIds: [...this.consumers.keys()],
      recvTransportId: this.joined?.recvTransport.transportId,
      messagesAfter: this.#lastNumber,
    })) as ClientResponse<'resume'>;
    this.#see(answer.visit);
    this.#read(answer.messages);
    for (const id of answer.removed) this.consumers.delete(id);
    for (const consumer of answer.added) this.consumers.set(consumer.consumerId, consumer);
    this.#reconcile(answer.visit);
  }

  /** What it sent before and the visit has no more is sent anew. */
  #reconcile(view: VisitView): void {
    const self = view.participants.find(({ participantId }) => participantId === this.id);
    const known = new Map(self?.producers.map((each) => [each.producerId, each]));
    for (const sending of this.sending.values()) {
      if (sending.producerId === undefined) continue;
      const there = known.get(sending.producerId);
      if (!there) Object.assign(sending, { producerId: undefined, operation: undefined });
      else if (there.paused) sending.paused = true;
    }
  }

  #becomeReady(): void {
    this.#ready = true;
    this.#synced = true;
    this.#produceAll();
    for (const operation of this.#pending) this.#send(operation, 0);
  }

  #trouble(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #lost(): void {
    this.#next = undefined;
    this.#ready = false;
    this.#synced = false;
    this.#wake();
  }

  #outOfStep(): void {
    if (!this.#synced) return;
    this.#synced = false;
    this.#around.world.after(200, () => this.#wake());
  }

  #mediaFailed(): void {
    if (!this.joined) return;
    this.#forgetMedia();
    this.#synced = false;
    this.#wake();
  }

  #forgetMedia(): void {
    this.joined = this.#next = undefined;
    this.#silentSince = undefined;
    this.consumers.clear();
    for (const sending of this.sending.values())
      Object.assign(sending, { producerId: undefined, operation: undefined });
  }

  async #watchMedia(): Promise<void> {
    const { world, hasPeer } = this.#around;
    while (this.over === undefined) {
      await world.sleep(LOOK_MS);
      if (this.peer === undefined || hasPeer(this.visit, this.peer)) this.#silentSince = undefined;
      else {
        this.#silentSince ??= world.now;
        if (world.now - this.#silentSince >= SILENT_MEDIA_MS) this.#mediaFailed();
      }
    }
  }

  #closeSocket(): void {
    const socket = this.#socket;
    this.#socket = this.#next = undefined;
    this.#ready = false;
    this.#synced = false;
    socket?.close();
    this.#wake();
  }

  #end(why: string): void {
    if (this.over !== undefined) return;
    this.#around.world.note(`${this.id} of ${this.visit} is over: ${why}`);
    this.over = why;
    this.#closeSocket();
    for (const operation of [...this.#pending]) this.#settle(operation, 'unknown');
  }

  // --- what it hears

  #see(view: VisitView): void {
    if (view.seq < this.#seq) return;
    this.#seq = view.seq;
    this.people.clear();
    for (const each of view.participants) this.people.set(each.participantId, each);
  }

  get #lastNumber(): number {
    return this.texts.at(-1)?.number ?? 0;
  }

  #read(messages: readonly { number: number; text: string }[]): void {
    for (const { number, text } of messages)
      if (number > this.#lastNumber) this.texts.push({ number, text });
  }

  #hear(name: ClientEventName, payload: unknown): void {
    if (name === 'changed') {
      const { seq, changes } = payload as ClientEventPayload<'changed'>;
      for (const change of changes)
        if (change.type === 'participant' && change.participant.participantId === this.id)
          for (const { source, producerId, paused } of change.participant.producers) {
            const sending = this.sending.get(source);
            // As who is muted by somebody else learns of it.
            if (sending?.producerId === producerId && paused) sending.paused = true;
          }
      if (seq <= this.#seq) return;
      const complete = seq === this.#seq + 1;
      this.#seq = seq;
      for (const change of changes)
        if (change.type === 'participant')
          this.people.set(change.participant.participantId, change.participant);
        else if (change.type === 'participant-left') this.people.delete(change.participantId);
      if (!complete) this.#outOfStep();
    } else if (name === 'message') {
      if (this.#ready) this.#read([payload as ClientEventPayload<'message'>]);
    } else if (name === 'media-lost') this.#mediaFailed();
    else if (name === 'relocating') void this.#relocate();
    else if (name === 'relocation-ended')
      this.#relocated((payload as ClientEventPayload<'relocation-ended'>).moved);
  }

  #consumersChanged({
    added,
    removed,
    recvTransportId: named,
  }: ClientEventPayload<'consumers'>): boolean {
    const isOf = (path: Pick<ClientResponse<'join'>, 'recvTransport'> | undefined) =>
      path !== undefined && path.recvTransport.transportId === named;
    const isNext = isOf(this.#next?.answer);
    if (named !== undefined && !isNext && !isOf(this.joined)) return false;
    const consumers = (isNext && this.#next?.consumers) || this.consumers;
    for (const id of removed) consumers.delete(id);
    for (const consumer of added) consumers.set(consumer.consumerId, consumer);
    return true;
  }

  // --- the way to another node

  async #relocate(): Promise<void> {
    const { world } = this.#around;
    this.#next = undefined;
    const path = this.joined;
    const answer = (await this.#request('relocate', { rtpCapabilities: { codecs: [] } }).catch(
      () => undefined,
    )) as ClientResponse<'relocate'> | undefined;
    if (!answer || !path || this.joined !== path) return;
    const consumers = new Map(answer.consumers.map((each) => [each.consumerId, each]));
    const next: NextPath = { answer, consumers, sent: new Map() };
    this.#next = next;
    for (const [source, { producerId }] of this.sending)
      if (producerId !== undefined) next.sent.set(source, this.#sendThere(source, next));
    await Promise.all(next.sent.values());
    // Some never get what is steady enough.
    if (world.random.chance(0.1)) return;
    await world.sleep(world.random.within(200, 3_000));
    if (this.#next === next) await this.#request('relocated', {}).catch(() => {});
  }

  #sendThere(source: MediaSource, { answer }: NextPath): Promise<ProducerId | undefined> {
    return this.#request('produce', {
      transportId: answer.sendTransport.transportId,
      source,
      rtpParameters: { codecs: [] },
      paused: this.sending.get(source)?.paused,
    }).then(
      (produced) => (produced as ClientResponse<'produce'>).producerId,
      () => undefined,
    );
  }

  /** One of two paths is left. */
  #relocated(moved: boolean): void {
    const next = this.#next;
    this.#next = undefined;
    if (!next || !moved) return;
    this.#around.moved();
    this.joined = next.answer;
    this.consumers.clear();
    for (const [id, consumer] of next.consumers) this.consumers.set(id, consumer);
    for (const [source, sending] of this.sending)
      void this.#sendOverNext(sending, next, next.sent.get(source));
    this.#produceAll();
  }

  /** Where it was not sent there in time it is sent again. */
  async #sendOverNext(
    sending: Sending,
    { answer }: NextPath,
    sent: Promise<ProducerId | undefined> | undefined,
  ): Promise<void> {
    Object.assign(sending, { producerId: undefined, operation: undefined });
    if (!sent) return;
    sending.isWaiting = true;
    const producerId = await sent;
    sending.isWaiting = false;
    if (this.joined?.sendTransport.transportId !== answer.sendTransport.transportId) return;
    sending.producerId ??= producerId;
    if (this.connected) this.#produceAll();
  }

  // --- what it sends

  #produceAll(): void {
    for (const [source, sending] of this.sending) {
      const isUnderWay = sending.isWaiting || sending.operation?.outcome === 'under way';
      if (sending.producerId !== undefined || isUnderWay) continue;
      sending.operation = this.issue('produce', {
        transportId: this.joined?.sendTransport.transportId,
        source,
        rtpParameters: { codecs: [] },
        paused: sending.paused,
      });
    }
  }

  /** At once, on this socket, or not at all. */
  #ask(name: 'join' | 'resume', request: Record<string, unknown>): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#wake = () => reject(new BedsideError('connection-failed'));
      this.#request(name, request).then(resolve, reject);
    });
  }

  #request(name: VisitCommandName, request: Record<string, unknown>): Promise<unknown> {
    const { world } = this.#around;
    const socket = this.#socket;
    return new Promise((resolve, reject) => {
      world.after(COMMAND_DEADLINE_MS, () => reject(new BedsideError('deadline')));
      socket?.command(name, { ...request, requestId: world.name('request') }, (given) => {
        if (this.#socket !== socket) return;
        if ('error' in given) reject(given.error);
        else resolve(given.ok);
      });
    });
  }

  #send(operation: Operation, attempt: number): void {
    const socket = this.#socket;
    if (!socket) return;
    socket.command(operation.name, operation.request, (given) => {
      if (this.#socket !== socket || operation.outcome !== 'under way') return;
      if ('ok' in given) {
        this.#settle(operation, { answer: given.ok, life: socket.life, kept: given.kept });
        return;
      }
      const { error } = given;
      if (!error.retryable) return this.#settle(operation, { error });
      const { world } = this.#around;
      const wait =
        error.retryAfterMs ?? RETRY_FIRST_MS * 2 ** attempt * (0.5 + world.random.next());
      world.after(wait, () => {
        if (this.#ready && this.#socket === socket && operation.outcome === 'under way')
          this.#send(operation, attempt + 1);
      });
    });
  }

  #settle(operation: Operation, how: Parameters<typeof settle>[1]): void {
    if (!this.#pending.delete(operation)) return;
    const { world } = this.#around;
    settle(operation, how, world.now);
    world.note(
      `${this.id} ${operation.request.requestId} ${operation.outcome} ${JSON.stringify(operation.answer) ?? ''}${operation.kept ? ' (kept)' : ''}`,
    );
    if (operation.name === 'leave') this.#end('left');
    if (operation.name === 'produce') this.#produced(operation);
  }

  #produced(operation: Operation): void {
    const { source } = operation.request as unknown as ClientRequest<'produce'>;
    const sending = this.sending.get(source);
    if (sending?.operation !== operation) return;
    if (operation.outcome === 'done') {
      const { producerId } = operation.answer as ClientResponse<'produce'>;
      // Over a path that is closed by now.
      if (operation.request.transportId !== this.joined?.sendTransport.transportId) {
        sending.operation = undefined;
        this.#produceAll();
        return;
      }
      sending.producerId = producerId;
      // Changed while it was on its way.
      if (sending.paused !== operation.request.paused)
        this.issue('pause-producer', { producerId, paused: sending.paused });
      return;
    }
    sending.operation = undefined;
    if (operation.outcome === 'unknown') this.#mediaFailed();
    else this.#around.world.after(500, () => this.connected && this.#produceAll());
  }
}

const peerOf = (path: Pick<ClientResponse<'join'>, 'sendTransport'> | undefined) =>
  path?.sendTransport.transportId.replace(/^send-/, '') as PeerId | undefined;
