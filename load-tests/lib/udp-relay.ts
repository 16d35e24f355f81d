import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';

const host = '127.0.0.1';

/** The way of UDP packets between clients and one port of a node, which a drill can cut. */
export class UdpRelay {
  readonly #front: Socket;
  /** By the client's address: the node takes each for a client of its own. */
  readonly #backs = new Map<string, Socket>();
  readonly #target: { address: string; port: number };
  #isCut = false;

  private constructor(front: Socket, target: { address: string; port: number }) {
    this.#front = front;
    this.#target = target;
    front.on('message', (packet, client) => {
      if (!this.#isCut) this.#backOf(client).send(packet, target.port, target.address);
    });
  }

  static async to(address: string, port: number): Promise<UdpRelay> {
    const front = createSocket({ type: 'udp4', recvBufferSize: 4 << 20 });
    front.bind(0, host);
    await once(front, 'listening');
    return new UdpRelay(front, { address, port });
  }

  /** Where clients reach the node. */
  get address(): { address: string; port: number } {
    return { address: host, port: this.#front.address().port };
  }

  /** Of the node, as it stands in an ICE candidate: "127.0.1.1 7200". */
  get target(): string {
    return `${this.#target.address} ${this.#target.port}`;
  }

  isTo(address: string, port: number): boolean {
    return this.#target.address === address && this.#target.port === port;
  }

  /** Nothing gets through any more, in either direction, and nobody is told. */
  cut(): void {
    this.#isCut = true;
  }

  heal(): void {
    this.#isCut = false;
  }

  close(): void {
    for (const back of this.#backs.values()) back.close();
    this.#backs.clear();
    this.#front.close();
  }

  #backOf({ address, port }: { address: string; port: number }): Socket {
    const name = `${address} ${port}`;
    const known = this.#backs.get(name);
    if (known) return known;
    const back = createSocket({ type: 'udp4', recvBufferSize: 1 << 20 });
    back.on('message', (packet) => {
      if (!this.#isCut) this.#front.send(packet, port, address);
    });
    this.#backs.set(name, back);
    return back;
  }
}
