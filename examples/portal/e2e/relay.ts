import { connect, createServer, type Server, type Socket } from 'node:net';

/** A TCP relay between page and gateway that can be cut, as a hospital's network cuts one. */
export class Relay {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  port = 0;
  /** The gateway's port; known only once it runs. */
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

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
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
