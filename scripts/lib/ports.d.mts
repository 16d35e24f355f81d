export interface FreePortOptions {
  readonly count?: number;
  readonly udp?: boolean;
  readonly host?: string;
  readonly taken?: Set<number>;
}

export function freePort(from: number, options?: FreePortOptions): Promise<number>;
