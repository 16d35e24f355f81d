/**
 * Where the processes of a cluster run, each as if on a host of its own: at loopback addresses, or in network
 * namespaces. The balancer and the portal are on this machine itself either way, where browsers reach them as
 * localhost.
 */
import { Network } from './namespaces.mjs';
import { freePort } from './ports.mjs';
import { host } from './processes.mjs';

/** This machine, at one of its loopback addresses. */
class LoopbackHost {
  #promised = new Set();

  constructor(address) {
    this.address = address;
  }

  /** The first of so many free ports in a row, none given twice. */
  async port(from, { count = 1, udp = false } = {}) {
    const options = { count, udp, host: this.address, taken: this.#promised };
    const port = await freePort(from, options);
    for (let i = 0; i < count; i += 1) this.#promised.add(port + i);
    return port;
  }

  /** How a process starts there. */
  inside(spec) {
    return spec;
  }
}

class NamespaceHost {
  constructor(namespace) {
    this.namespace = namespace;
    this.address = namespace.address;
  }

  /** Nobody else is there. */
  async port(from) {
    return from;
  }

  inside({ command, args, ...spec }) {
    const [file, ...rest] = this.namespace.command(command, ...args);
    return { ...spec, command: file, args: rest };
  }
}

/** Addresses of their own for as many as the system has them for: Linux has all of 127.0.0.0/8. */
export class LoopbackHosts {
  here = new LoopbackHost(host);
  /** From where the balancer comes to gateways. */
  balancer = '127.0.0.0/8';
  /** Between which nodes may have pipes; undefined: loopback. */
  pipes = undefined;
  network = undefined;
  #nodes = 0;
  #gateways = 0;

  async redis() {
    return this.here;
  }

  async node() {
    this.#nodes += 1;
    return this.#at(`127.0.1.${this.#nodes}`);
  }

  async gateway() {
    this.#gateways += 1;
    return this.#at(`127.0.2.${this.#gateways}`);
  }

  close() {}

  #at(address) {
    return process.platform === 'linux' ? new LoopbackHost(address) : this.here;
  }
}

/** A namespace for each, on one bridge, which this machine is on, too. */
export class NamespaceHosts {
  here = new LoopbackHost(host);
  /** @throws {Error} where the machine can have none, see networkProblem() */
  static async open() {
    return new NamespaceHosts(await Network.open());
  }

  constructor(network) {
    this.network = network;
    this.balancer = network.address;
    this.pipes = network.cidr;
  }

  redis = () => this.#join();
  node = () => this.#join();
  gateway = () => this.#join();

  close() {
    this.network.close();
  }

  async #join() {
    return new NamespaceHost(await this.network.join());
  }
}
