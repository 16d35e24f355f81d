import {
  type Ack,
  BedsideError,
  type CommandMap,
  type ErrorBody,
  parse,
  toBedsideError,
} from '@bedside/protocol';
import type { Logger } from '@bedside/service';
import type { GatewayTelemetry } from '../metrics.ts';

/** Runs a command whose name is known and whose request has its shape. */
export type Run = (name: string, request: unknown) => Promise<unknown>;

export interface CommandDeskOptions {
  /** Those that the socket may send. */
  commands: CommandMap;
  /** Of the socket's token bucket: milliseconds to wait, 0 for none. */
  take: () => number;
  /** May throw anything; what is no BedsideError is `internal`. */
  run: Run;
  telemetry: GatewayTelemetry;
  log: Logger;
}

/** Commands of one socket that may be under way; the SDK has a handful. */
export const MAX_IN_FLIGHT = 64;

/** Answers the events of one socket: checks name, rate and shape, runs the command, acknowledges once. */
export class CommandDesk {
  readonly #options: CommandDeskOptions;
  #inFlight = 0;

  constructor(options: CommandDeskOptions) {
    this.#options = options;
  }

  /** `event`: name, arguments and, where the sender waits for an answer, a callback as the last. Never throws. */
  async receive(event: readonly unknown[]): Promise<void> {
    const ack = event.at(-1);
    if (event.length < 2 || typeof ack !== 'function') {
      // Nobody waits for an answer, and an unacknowledged command might be half of one: not carried out.
      this.#options.take();
      this.#options.telemetry.ignoredEvent();
      return;
    }
    ack(await this.#answer(event[0], event.length === 2 ? undefined : event[1]));
  }

  async #answer(name: unknown, argument: unknown): Promise<Ack<unknown>> {
    const { commands, take, run, telemetry } = this.#options;
    const known = typeof name === 'string' && Object.hasOwn(commands, name);
    const command = known ? commands[name] : undefined;
    const label = known ? name : 'unknown';
    let request: unknown;
    try {
      const retryAfterMs = take();
      if (retryAfterMs > 0) throw this.#limited('socket', retryAfterMs);
      if (command === undefined) throw new BedsideError('unknown-command');
      if (this.#inFlight >= MAX_IN_FLIGHT) throw this.#limited('in-flight', 1000);
      request = parse(command.request, argument);
    } catch (error) {
      const body = this.#bodyOf(error, label);
      telemetry.answered(label, body.code);
      return { ok: false, error: body };
    }
    this.#inFlight += 1;
    try {
      return { ok: true, data: await run(label, request) };
    } catch (error) {
      return { ok: false, error: this.#bodyOf(error, label) };
    } finally {
      this.#inFlight -= 1;
    }
  }

  #limited(scope: 'socket' | 'in-flight', retryAfterMs: number): BedsideError {
    this.#options.telemetry.limited(scope);
    return new BedsideError('rate-limited', { retryAfterMs });
  }

  #bodyOf(thrown: unknown, command: string): ErrorBody {
    const error = toBedsideError(thrown);
    if (error.kind === 'internal') {
      this.#options.telemetry.internalError('command');
      this.#options.log.error({ err: error, command }, 'command failed');
    }
    return error.toBody();
  }
}
