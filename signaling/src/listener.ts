import {
  App,
  SSLApp,
  type TemplatedApp,
  type us_listen_socket,
  us_listen_socket_close,
  us_socket_local_port,
} from 'uWebSockets.js';
import { type AddressInfo, createServer } from 'node:net';
import type { CertificateFiles } from '@bedside/service';

/**
 * The port that clients connect to. uWS reads a certificate when an app is made and never again, so a
 * new certificate needs a new app: it listens on the same port (uWS sets SO_REUSEPORT), and only then
 * the old one stops listening. Connections of the old one live on.
 */
export class Listener {
  readonly #apps: TemplatedApp[] = [];
  readonly #host: string;
  readonly #tls: CertificateFiles | undefined;
  readonly #mount: (app: TemplatedApp) => void;
  #socket: us_listen_socket | undefined;
  #port: number;

  constructor(options: {
    host: string;
    port: number;
    tls: CertificateFiles | undefined;
    mount: (app: TemplatedApp) => void;
  }) {
    this.#host = options.host;
    this.#port = options.port;
    this.#tls = options.tls;
    this.#mount = options.mount;
  }

  get port(): number {
    return this.#port;
  }

  /** @throws Error where the port is taken */
  async open(): Promise<void> {
    this.#port = await freePort(this.#host, this.#port);
    this.#listen();
  }

  /** Serves new connections with the certificate that the files hold now. @throws Error */
  renew(): void {
    const old = this.#socket;
    this.#listen();
    if (old !== undefined) us_listen_socket_close(old);
  }

  /** No new connections; those that are open stay. */
  stopListening(): void {
    if (this.#socket !== undefined) us_listen_socket_close(this.#socket);
    this.#socket = undefined;
  }

  /** Ends every connection. */
  close(): void {
    this.stopListening();
    for (const app of this.#apps.splice(0)) app.close();
  }

  #listen(): void {
    const app =
      this.#tls === undefined
        ? App()
        : SSLApp({ cert_file_name: this.#tls.certFile, key_file_name: this.#tls.keyFile });
    this.#mount(app);
    // uWS calls back before listen() returns.
    let opened: us_listen_socket | false = false;
    app.listen(this.#host, this.#port, (socket) => {
      opened = socket;
    });
    if (opened === false) throw new Error(`can not listen on port ${this.#port}`);
    this.#apps.push(app);
    this.#socket = opened as us_listen_socket;
    this.#port = us_socket_local_port(opened);
  }
}

/**
 * The port, or a free one for 0. uWS would take one that is in use (with SO_REUSEPORT a second gateway
 * would get half of the clients), and one that it picks itself it does not share with the next app.
 * @throws Error where it is in use
 */
function freePort(host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen({ host, port, exclusive: true }, () => {
      const free = (probe.address() as AddressInfo).port;
      probe.close(() => resolve(free));
    });
  });
}
