/** Why this machine can have no network of its own; undefined where it can. `limited`: with limit(). */
export function networkProblem(use?: { limited?: boolean }): string | undefined;

/** Who has an address in a network: a namespace, or the machine, for which the network stands. */
export interface End {
  readonly address: string;
  /** What is sent from here to that address is lost, and nobody is told. */
  lose(address: string): Promise<void>;
  /** After `lose`. */
  find(address: string): Promise<void>;
}

/** What is sent between the two is lost, and nobody is told; live connections stay. */
export function separate(one: End, other: End): Promise<void>;
/** After `separate`. */
export function reunite(one: End, other: End): Promise<void>;

/** A network namespace. Whatever runs in it reaches the others, and the machine, by their addresses. */
export class Namespace implements End {
  private constructor();
  readonly name: string;
  /** Of this namespace, as others reach it. */
  readonly address: string;
  /** This machine's end of the link to it. */
  readonly link: string;
  /** The command line that runs a command in here, in the process that it is started as. */
  command(file: string, ...args: string[]): [file: string, ...args: string[]];
  /** What may arrive in here, in kbit/s; undefined lifts the limit. Live connections stay. */
  limit(kbps: number | undefined): Promise<void>;
  /** Nothing gets in or out any more, and nobody is told; live connections stay. */
  unplug(): Promise<void>;
  plug(): Promise<void>;
  lose(address: string): Promise<void>;
  find(address: string): Promise<void>;
}

/** Namespaces, and the machine, on one bridge. Removed when the process ends; one that was killed leaves it to the next. */
export class Network implements End {
  private constructor();
  /** @throws Error where the machine can have none, see networkProblem() */
  static open(): Promise<Network>;
  /** Of this machine, as the namespaces reach it. */
  readonly address: string;
  /** "10.213.7.0/24" */
  readonly cidr: string;
  join(): Promise<Namespace>;
  lose(address: string): Promise<void>;
  find(address: string): Promise<void>;
  /** Removes it all, the namespaces too. Idempotent. */
  close(): void;
}

/** Whether a route, as `ip route show` prints them, leads into that /24 ("10.213.7"). */
export function leadsInto(routes: string, subnet: string): boolean;
