import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

const host = '127.0.0.1';

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
  swallowed: boolean;
  isPartitioned: boolean;
}

/** A TCP connection's way between two processes, which a test can cut, slow down or swallow. */
export class TcpProxy {
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  #targetHost: string;
  #target: number;
  /** While nobody listens: where it was. */
  #port = 0;
  #refusing = false;
  /** Connections that came while the way is partitioned. */
  #waiting: Socket[] | undefined;
  #isPartitionedFor: (clientPort: number) => boolean = () => true;
  #delayMs = 0;
  #heldAnswers: (() => void)[] | undefined;

  private constructor(target: number, targetHost: string) {
    this.#target = target;
    this.#targetHost = targetHost;
    // Nothing is read before it can be passed on.
    this.#server = createServer({ pauseOnConnect: true }, (client) => this.#accept(client));
  }

  static async to(target: number, targetHost = host): Promise<TcpProxy> {
    const proxy = new TcpProxy(target, targetHost);
    proxy.#server.listen(0, host);
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get port(): number {
    return this.#server.listening ? (this.#server.address() as AddressInfo).port : this.#port;
  }

  /** Nobody listens here from now on: who connects is refused, as where the process behind is gone. */
  shut(): void {
    this.#port = this.port;
    this.#server.close();
  }

  /** Listens again, at the same port. */
  async open(): Promise<void> {
    if (this.#server.listening) return;
    this.#server.listen(this.#port, host);
    await once(this.#server, 'listening');
  }

  /** Ends every connection and refuses new ones. */
  cut(): void {
    this.#refusing = true;
    this.drop();
  }

  /** Ends every connection; new ones are taken. */
  drop(): void {
    for (const { client, server } of this.#pairs) {
      client.destroy();
      server.destroy();
    }
    this.#heldAnswers = undefined;
  }

  /** New connections are taken again, to another port where one is given. */
  restore(target = this.#target, targetHost = this.#targetHost): void {
    this.#target = target;
    this.#targetHost = targetHost;
    this.#refusing = false;
  }

  /** What is sent from now on arrives that much later, in both directions. */
  delay(ms: number): void {
    this.#delayMs = ms;
  }

  /** Requests pass, answers wait until `drop` loses or `giveAnswers` passes them. */
  holdAnswers(): void {
    this.#heldAnswers ??= [];
  }

  giveAnswers(): void {
    const held = this.#heldAnswers ?? [];
    this.#heldAnswers = undefined;
    for (const pass of held) pass();
  }

  /** The connections of now stay open and pass nothing any more, as through a firewall that forgot them. */
  swallow(): void {
    for (const pair of this.#pairs) pair.swallowed = true;
  }

  /**
   * From now on nothing gets through, new connections neither, and nobody is told, as where packets are lost;
   * for these clients, or for all.
   */
  partition(concerns: (clientPort: number) => boolean = () => true): void {
    this.#waiting ??= [];
    this.#isPartitionedFor = concerns;
    for (const pair of this.#pairs) {
      if (!concerns(pair.client.remotePort ?? 0)) continue;
      pair.isPartitioned = true;
      pair.client.pause();
      pair.server.pause();
    }
  }

  /** What waited arrives. */
  heal(): void {
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const pair of this.#pairs) {
      pair.isPartitioned = false;
      if (pair.client.destroyed || pair.server.destroyed) this.#end(pair);
      pair.client.resume();
      pair.server.resume();
    }
    for (const client of waiting) this.#accept(client);
  }

  async close(): Promise<void> {
    this.heal();
    this.cut();
    if (!this.#server.listening) return;
    this.#server.close();
    await once(this.#server, 'close');
  }

  #accept(client: Socket): void {
    if (this.#refusing) {
      client.destroy();
      return;
    }
    if (this.#waiting && this.#isPartitionedFor(client.remotePort ?? 0)) {
      client.on('error', () => {});
      this.#waiting.push(client);
      return;
    }
    const server = connect(this.#target, this.#targetHost);
    const pair: Pair = { client, server, swallowed: false, isPartitioned: false };
    this.#pairs.add(pair);
    for (const socket of [client, server]) {
      // In a partition the other end does not hear of it.
      const end = () => (pair.isPartitioned ? socket.destroy() : this.#end(pair));
      socket.on('error', end);
      socket.on('close', end);
    }
    const pass = (to: Socket, data: Buffer) => {
      if (pair.swallowed) return;
      const write = () => void to.write(data);
      if (this.#delayMs > 0) setTimeout(write, this.#delayMs);
      else write();
    };
    client.on('data', (data) => pass(server, data));
    client.resume();
    server.on('data', (data) => {
      if (this.#heldAnswers) this.#heldAnswers.push(() => pass(client, data));
      else pass(client, data);
    });
  }

  #end(pair: Pair): void {
    this.#pairs.delete(pair);
    pair.client.destroy();
    pair.server.destroy();
  }
}
