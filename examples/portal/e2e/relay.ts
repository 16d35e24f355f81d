import { createSocket, type RemoteInfo, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** A TCP relay to a port of this machine that can be cut, as a hospital's network cuts one. */
export class TcpRelay {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  port = 0;
  /** Where it leads; known only once somebody listens there. */
  target = 0;

  constructor() {
    this.#server = createServer((client) => {
      const upstream = connect(this.target, '127.0.0.1');
      for (const [a, b] of [
        [client, upstream],
        [upstream, client],
      ] as const) {
        this.#sockets.add(a);
        a.pipe(b);
        a.on('error', () => b.destroy());
        a.on('close', () => {
          this.#sockets.delete(a);
          b.destroy();
        });
      }
    });
  }

  async listen(port = 0, host = '127.0.0.1'): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(port, host, resolve));
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the relay has no port');
    this.port = address.port;
  }

  /** Resets every connection that is open now; new ones are relayed again. */
  cut(): number {
    const count = this.#sockets.size;
    for (const socket of this.#sockets) socket.destroy();
    return count;
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/**
 * A UDP relay, in the place of the network between a page and a media worker: it can lose everything,
 * and it can be a NAT that forgets its mappings.
 */
export class UdpRelay {
  readonly #target: number;
  readonly #inside = createSocket('udp4');
  readonly #mappings = new Map<string, UdpSocket>();
  /** While true every datagram is lost, both ways. */
  lossy = false;
  /** Datagrams passed on, both ways. */
  passed = 0;

  constructor(target: number) {
    this.#target = target;
    this.#inside.on('message', (data, from) => {
      if (this.lossy) return;
      this.passed += 1;
      this.#mappingOf(from).send(data, this.#target, '127.0.0.1');
    });
  }

  async listen(port: number, host: string): Promise<void> {
    this.#inside.bind(port, host);
    await once(this.#inside, 'listening');
  }

  /** From now on each page comes from another port, as after a change of network. */
  forgetMappings(): void {
    for (const socket of this.#mappings.values()) socket.close();
    this.#mappings.clear();
  }

  close(): void {
    this.forgetMappings();
    this.#inside.close();
  }

  #mappingOf({ address, port }: RemoteInfo): UdpSocket {
    const key = `${address} ${port}`;
    const known = this.#mappings.get(key);
    if (known) return known;
    const socket = createSocket('udp4');
    socket.on('message', (data) => {
      if (this.lossy) return;
      this.passed += 1;
      this.#inside.send(data, port, address);
    });
    this.#mappings.set(key, socket);
    return socket;
  }
}
