import type { Role } from '@bedside/protocol';
import type { VisitTelemetry } from '../src/ports.ts';

/** Keeps the present counts and what commands came to. */
export class Counts implements VisitTelemetry {
  visitsOpen = 0;
  unwritten = 0;
  readonly roles = new Map<Role, number>();
  readonly links = new Map<string, number>();
  readonly commands: string[] = [];
  readonly redisCalls: string[] = [];
  readonly joinRoundTrips: number[] = [];

  command(name: string, outcome: string): void {
    this.commands.push(`${name} ${outcome}`);
  }
  joinPhase(): void {}
  joined(redisRoundTrips: number): void {
    this.joinRoundTrips.push(redisRoundTrips);
  }
  redis(operation: string, outcome: string): void {
    this.redisCalls.push(`${operation} ${outcome}`);
  }
  nodeCall(): void {}
  nodeLink(state: string, count: number): void {
    this.links.set(state, count);
  }
  desiredNodes(): void {}
  visits(count: number): void {
    this.visitsOpen = count;
  }
  participants(role: Role, count: number): void {
    this.roles.set(role, count);
  }
  unwrittenChanges(count: number): void {
    this.unwritten = count;
  }

  get people(): number {
    return [...this.roles.values()].reduce((sum, count) => sum + count, 0);
  }
}
