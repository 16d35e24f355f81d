import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

const host = '127.0.0.1';

/** A TCP connection's way between two processes, which a test can cut, slow down or swallow. */
export class TcpProxy {
  readonly #server: Server;
  readonly #pairs = new Set<{ client: Socket; server: Socket; swallowed: boolean }>();
  #target: number;
  #refusing = false;
  #delayMs = 0;
  #heldAnswers: (() => void)[] | undefined;

  private constructor(target: number) {
    this.#target = target;
    this.#server = createServer((client) => this.#accept(client));
  }

  static async to(target: number): Promise<TcpProxy> {
    const proxy = new TcpProxy(target);
    proxy.#server.listen(0, host);
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
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
  restore(target = this.#target): void {
    this.#target = target;
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

  async close(): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #accept(client: Socket): void {
    if (this.#refusing) {
      client.destroy();
      return;
    }
    const server = connect(this.#target, host);
    const pair = { client, server, swallowed: false };
    this.#pairs.add(pair);
    const end = () => {
      this.#pairs.delete(pair);
      client.destroy();
      server.destroy();
    };
    for (const socket of [client, server]) {
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
    server.on('data', (data) => {
      if (this.#heldAnswers) this.#heldAnswers.push(() => pass(client, data));
      else pass(client, data);
    });
  }
}
