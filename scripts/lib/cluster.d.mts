import type { End, Namespace } from './namespaces.mjs';
import type { Ports, Secrets, StackProcess } from './stack.mjs';

export interface Address {
  readonly host: string;
  readonly port: number;
}

export interface ClusterOptions {
  /** Path of the project's Node; in a test `process.execPath`. */
  readonly node22: string;
  /** Path of the mediasoup worker; in a test `process.env.MEDIASOUP_WORKER_BIN`. */
  readonly workerBin: string;
  /** Two by default; each is an entry of the balancer's list. */
  readonly gateways?: number;
  /** Three by default. */
  readonly nodes?: number;
  /** mediasoup workers of each node; one by default. */
  readonly workers?: number;
  /**
   * Each node, each gateway and Redis in a network namespace of its own, which networkProblem() must not speak
   * against, and not at a loopback address.
   */
  readonly namespaces?: boolean;
  /** Started at once; true by default. */
  readonly withBalancer?: boolean;
  readonly withPortal?: boolean;
  /** Where to look for free ports from, in place of the defaults. */
  readonly ports?: Partial<Ports>;
  /** More environment of every gateway, of every node, and of Redis. */
  readonly env?: Partial<Record<'gateway' | 'node' | 'redis', Record<string, string>>>;
  /**
   * The address at which `from` is to reach `to`, which is at `address`: for a way that can be cut. From a
   * gateway or node to `redis`, from `gateways`, all of them, to a node, and from `balancer` to a gateway and
   * to what it is checked by, "gateway-1 ops".
   */
  readonly way?: (from: string, to: string, address: Address) => Promise<Address>;
  /** Of the checkout that nodes and gateways run; this one by default. */
  readonly root?: string;
  /** A file for what a node or gateway writes to its standard output, in place of `logDir`. */
  readonly output?: (id: string) => string | undefined;
  /** Gets lines for a person: errors, deaths, restarts. */
  readonly log?: (line: string) => void;
  /** Is told who is waited for while it starts. */
  readonly detail?: (text: string) => void;
  /** .bedside/logs-cluster by default. */
  readonly logDir?: string;
  /** Start again what dies; true by default. */
  readonly restart?: boolean;
  /** For each process to become ready, ms; 60 s by default. */
  readonly deadline?: number;
  /** Gives up the start: stops what runs and throws the signal's reason. */
  readonly signal?: AbortSignal;
}

export interface ClusterMember {
  /** "gateway-1", "node-1" */
  readonly id: string;
  /** Of a gateway, for clients: http. Of a node, the control link: ws, past the way of the gateways. */
  readonly url: string;
  readonly opsUrl: string;
  readonly process: StackProcess;
  /** Where it runs, unless it is at a loopback address. */
  readonly namespace: Namespace | undefined;
  /** From its next start on it runs that checkout; this one where none is named. */
  runFrom(root?: string): void;
}

/** A node; its first worker's port of media, the others' follow. */
export interface ClusterNode extends ClusterMember {
  readonly mediaPort: number;
}

export interface RunningCluster {
  /** `gateway` is the balancer; that of Redis has its password. */
  readonly urls: { readonly gateway: string; readonly redis: string; readonly portal: string };
  readonly secrets: Secrets;
  readonly redis: StackProcess;
  readonly nodes: readonly ClusterNode[];
  readonly gateways: readonly ClusterMember[];
  readonly balancer: StackProcess;
  readonly portal: StackProcess;
  readonly logDir: string;
  /** This machine and Redis, as the namespaces reach them; undefined at loopback addresses. */
  readonly network: { readonly machine: End; readonly redis: End } | undefined;
  /** Starts one more, which is not in the balancer's list, and resolves when it is ready. */
  addGateway(id: string, env?: Readonly<Record<string, string>>): Promise<ClusterMember>;
  /** Stops all, users before what they use; idempotent. */
  stop(): Promise<void>;
}

/** Starts the cluster and resolves when every process is ready; throws, all stopped, when one isn't. */
export function startCluster(options: ClusterOptions): Promise<RunningCluster>;
