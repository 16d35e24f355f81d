export type ProcessName = 'redis' | 'node' | 'gateway' | 'portal';

export interface Ports {
  readonly redis: number;
  readonly gateway: number;
  readonly gatewayOps: number;
  readonly node: number;
  readonly nodeOps: number;
  /** The first one: one port for UDP and TCP per worker from here on. */
  readonly media: number;
  readonly portal: number;
}

export interface Secrets {
  /** Of the control link between gateway and node. */
  readonly control: string;
  /** Of the gateways, for the tokens that they make themselves. */
  readonly guest: string;
  /** Of a cluster's Redis. */
  readonly redis: string;
  /** For /v1 of the tenant `demo`. */
  readonly apiKey: string;
  /** Signs the tokens of participants with HS256. */
  readonly tenant: { readonly id: string; readonly kid: string; readonly secret: string };
}

export interface StackProcess {
  readonly name: string;
  /** Undefined while it is down. */
  readonly pid: number | undefined;
  readonly logFile: string;
  /** Sends a signal. If the process dies of it, it is started again, unless `restart` is false. */
  kill(signal?: NodeJS.Signals): void;
  /** Starts it after stop(). */
  start(): void;
  /** Stops it by `signal`, starts it again and waits until it is ready. */
  restart(signal?: NodeJS.Signals): Promise<void>;
  /** Stops it and leaves it stopped; SIGKILL after `deadline` ms (10 s). */
  stop(options?: { signal?: NodeJS.Signals; deadline?: number }): Promise<void>;
  /** Resolves when it answers; throws after `deadline` ms (60 s). */
  untilReady(deadline?: number): Promise<void>;
}

export interface StackOptions {
  /** Path of the project's Node; in a test `process.execPath`. */
  readonly node22: string;
  /** Path of the mediasoup worker; in a test `process.env.MEDIASOUP_WORKER_BIN`. */
  readonly workerBin: string;
  /** Gets lines for a person: errors, deaths, restarts. */
  readonly log?: (line: string) => void;
  /** Where to look for free ports from, in place of the defaults. */
  readonly ports?: Partial<Ports>;
  /** Which processes are started at once; the others can be started later. All by default. */
  readonly only?: readonly ProcessName[];
  /** More environment by process. */
  readonly env?: Partial<Record<ProcessName, Record<string, string>>>;
  /** mediasoup workers of the node; one per core by default. */
  readonly workers?: number;
  /** By default .bedside/logs, or a folder beside it where another stack has the portal's usual port. */
  readonly logDir?: string;
  /** Start again what dies; true by default. */
  readonly restart?: boolean;
  /** For each process to become ready, ms; 60 s by default. */
  readonly deadline?: number;
  /** Gives up the start: stops what runs and throws the signal's reason. */
  readonly signal?: AbortSignal;
}

export interface Stack {
  readonly urls: {
    readonly portal: string;
    readonly gateway: string;
    readonly gatewayOps: string;
    readonly node: string;
    readonly nodeOps: string;
    readonly redis: string;
  };
  readonly ports: Ports;
  readonly secrets: Secrets;
  readonly processes: Record<ProcessName, StackProcess>;
  readonly logDir: string;
  /** Stops all, users before what they use; idempotent. */
  stop(): Promise<void>;
}

export const defaultPorts: Ports;

export function randomSecrets(): Secrets;

export function plan(input: {
  node22: string;
  redisServer?: string;
  redisDir: string;
  workerBin: string;
  ports: Ports;
  secrets: Secrets;
  workers: number;
  /** More origins that may connect, separated by commas. */
  origins?: string | undefined;
  logLevel: string;
}): Record<ProcessName, { command: string; args: string[]; env: Record<string, string> }>;

/** Starts the stack and resolves when every process is ready; throws, all stopped, when one isn't. */
export function startStack(options: StackOptions): Promise<Stack>;
