import type {
  ClientCommandName,
  ClientEventName,
  ClientEventPayload,
  ClientRequest,
  ClientResponse,
  ConsumerId,
  ConsumerParameters,
  ProducerId,
} from '@bedside/protocol';
import { NativeParticipant, type ParticipantOptions, type Sender } from '../native/participant.ts';

/** Packets of others, in which one that is not silent would have sent some. */
const SILENT_PACKETS = 100;

/** A page with media: knows what it was told to receive, and what it does receive. */
export class Visitor {
  readonly #native: NativeParticipant;
  readonly #heard: { name: ClientEventName; payload: unknown }[];
  readonly #wake: Set<() => void>;
  /** What it receives now, as far as it was told. */
  readonly consumers: Map<ConsumerId, ConsumerParameters>;
  /** Packets by SSRC. */
  readonly #packets = new Map<number, number>();
  readonly #talking: NodeJS.Timeout[] = [];

  static async connect(options: ParticipantOptions): Promise<Visitor> {
    const heard: { name: ClientEventName; payload: unknown }[] = [];
    const wake = new Set<() => void>();
    const consumers = new Map<ConsumerId, ConsumerParameters>();
    const native = await NativeParticipant.connect({
      ...options,
      onEvent(name, payload) {
        heard.push({ name, payload });
        if (name === 'consumers')
          tell(consumers, payload as unknown as ClientEventPayload<'consumers'>);
        for (const call of wake) call();
      },
    });
    return new Visitor(native, heard, wake, consumers);
  }

  private constructor(
    native: NativeParticipant,
    heard: { name: ClientEventName; payload: unknown }[],
    wake: Set<() => void>,
    consumers: Map<ConsumerId, ConsumerParameters>,
  ) {
    this.#native = native;
    this.#heard = heard;
    this.#wake = wake;
    this.consumers = consumers;
  }

  get welcome() {
    return this.#native.welcome;
  }

  get joined() {
    return this.#native.joined;
  }

  command<Name extends ClientCommandName>(
    name: Name,
    request: Omit<ClientRequest<Name>, 'requestId'>,
    requestId?: string,
  ): Promise<ClientResponse<Name>> {
    return this.#native.command(name, request, requestId);
  }

  /** Joins, with ICE and DTLS of both transports. */
  async join(): Promise<void> {
    this.#native.closeMedia();
    await this.#native.join();
    this.consumers.clear();
    tell(this.consumers, { added: this.joined.consumers, removed: [] });
    await this.#native.connectMedia();
    this.#native.onRtp(({ ssrc }) => {
      this.#packets.set(ssrc, (this.#packets.get(ssrc) ?? 0) + 1);
      for (const call of this.#wake) call();
    });
  }

  async resume(): Promise<ClientResponse<'resume'>> {
    const answer = await this.command('resume', { consumerIds: [...this.consumers.keys()] });
    tell(this.consumers, answer);
    return answer;
  }

  /** Sends a packet of sound every 20 ms from now on. */
  async talk(source: 'microphone' | 'screen-audio' = 'microphone'): Promise<Sender> {
    const sender = await this.#native.produce(source);
    this.#talking.push(setInterval(() => sender.send(Buffer.alloc(40, 7), 960), 20));
    return sender;
  }

  /** Resolves once it was told of this producer and as many more packets of it have come. */
  async receives(producerId: ProducerId, packets = 5): Promise<void> {
    let until: number | undefined;
    await this.#until(() => {
      const ssrc = this.consumerOf(producerId)?.rtpParameters.encodings?.[0]?.ssrc;
      if (ssrc === undefined) return undefined;
      const count = this.#packets.get(ssrc) ?? 0;
      until ??= count + packets;
      return count >= until || undefined;
    });
  }

  /** Resolves once no packet of this producer has come for a while, which others' have. */
  async silence(producerId: ProducerId): Promise<void> {
    const ssrc = this.consumerOf(producerId)?.rtpParameters.encodings?.[0]?.ssrc ?? 0;
    for (;;) {
      const before = this.#packets.get(ssrc);
      const all = this.#received;
      await this.#until(() => this.#received >= all + SILENT_PACKETS || undefined);
      if (this.#packets.get(ssrc) === before) return;
    }
  }

  /** Packets of everybody. */
  get #received(): number {
    return [...this.#packets.values()].reduce((sum, count) => sum + count, 0);
  }

  consumerOf(producerId: ProducerId): ConsumerParameters | undefined {
    return [...this.consumers.values()].find((consumer) => consumer.producerId === producerId);
  }

  /** The next event of this name that fits, of those that came and those to come. */
  hear<Name extends ClientEventName>(
    name: Name,
    fits: (payload: ClientEventPayload<Name>) => boolean = () => true,
  ): Promise<ClientEventPayload<Name>> {
    return this.#until(() => {
      const index = this.#heard.findIndex(
        (event) => event.name === name && fits(event.payload as ClientEventPayload<Name>),
      );
      if (index < 0) return undefined;
      return this.#heard.splice(index, 1)[0]?.payload as ClientEventPayload<Name>;
    });
  }

  /** How many such events came and wait to be heard. */
  heard(name: ClientEventName): number {
    return this.#heard.filter((event) => event.name === name).length;
  }

  /** Another socket for the same session; tries again while the visit is nobody's. */
  async reconnect({ url }: { url: string }): Promise<void> {
    for (;;) {
      try {
        return await this.#native.reconnect(url);
      } catch (error) {
        if (!(error instanceof Error) || error.message !== 'moved') throw error;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
  }

  drop(): void {
    this.#native.drop();
  }

  close(): void {
    for (const timer of this.#talking) clearInterval(timer);
    this.#native.close();
  }

  async #until<Result>(look: () => Result | undefined): Promise<Result> {
    for (;;) {
      const found = look();
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => {
        const call = () => {
          this.#wake.delete(call);
          resolve();
        };
        this.#wake.add(call);
      });
    }
  }
}

function tell(
  consumers: Map<ConsumerId, ConsumerParameters>,
  { added, removed }: { added: readonly ConsumerParameters[]; removed: readonly ConsumerId[] },
): void {
  for (const id of removed) consumers.delete(id);
  for (const consumer of added) consumers.set(consumer.consumerId, consumer);
}
