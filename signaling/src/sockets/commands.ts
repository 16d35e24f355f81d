import {
  type Ack,
  BedsideError,
  type ClientCommandName,
  clientCommands,
  type ErrorBody,
  parse,
  toBedsideError,
} from '@bedside/protocol';
import type { Logger } from '../log.ts';
import type { GatewayTelemetry } from '../metrics.ts';

/** A command that came in, checked. */
export type Run = (name: ClientCommandName, request: unknown) => Promise<unknown>;

const isCommand = (name: unknown): name is ClientCommandName =>
  typeof name === 'string' && Object.hasOwn(clientCommands, name);

/** Commands of one socket that may be under way; the SDK has a handful. */
export const MAX_IN_FLIGHT = 64;

/** Answers the events of one socket: checks name, rate and shape, runs the command, acknowledges once. */
export class CommandDesk {
  readonly #take: () => number;
  readonly #run: Run;
  readonly #telemetry: GatewayTelemetry;
  readonly #log: Logger;
  #inFlight = 0;

  /** `take`: of the socket's token bucket. `run` may throw anything; what is no BedsideError is `internal`. */
  constructor(options: { take: () => number; run: Run; telemetry: GatewayTelemetry; log: Logger }) {
    this.#take = options.take;
    this.#run = options.run;
    this.#telemetry = options.telemetry;
    this.#log = options.log;
  }

  /** `event`: name, arguments and, where the sender waits for an answer, a callback as the last. Never throws. */
  async receive(event: readonly unknown[]): Promise<void> {
    const ack = event.at(-1);
    if (event.length < 2 || typeof ack !== 'function') {
      // Nobody waits for an answer, and an unacknowledged command might be half of one: not carried out.
      this.#take();
      this.#telemetry.ignoredEvent();
      return;
    }
    ack(await this.#answer(event[0], event.length === 2 ? undefined : event[1]));
  }

  async #answer(name: unknown, argument: unknown): Promise<Ack<unknown>> {
    const label = isCommand(name) ? name : 'unknown';
    let request: unknown;
    try {
      const retryAfterMs = this.#take();
      if (retryAfterMs > 0) throw this.#limited('socket', retryAfterMs);
      if (!isCommand(name)) throw new BedsideError('unknown-command');
      if (this.#inFlight >= MAX_IN_FLIGHT) throw this.#limited('in-flight', 1000);
      request = parse(clientCommands[name].request, argument);
    } catch (error) {
      const body = this.#bodyOf(error, label);
      this.#telemetry.answered(label, body.code);
      return { ok: false, error: body };
    }
    this.#inFlight += 1;
    try {
      return { ok: true, data: await this.#run(name, request) };
    } catch (error) {
      return { ok: false, error: this.#bodyOf(error, label) };
    } finally {
      this.#inFlight -= 1;
    }
  }

  #limited(scope: 'socket' | 'in-flight', retryAfterMs: number): BedsideError {
    this.#telemetry.limited(scope);
    return new BedsideError('rate-limited', { retryAfterMs });
  }

  #bodyOf(thrown: unknown, command: string): ErrorBody {
    const error = toBedsideError(thrown);
    if (error.kind === 'internal') {
      this.#telemetry.internalError('command');
      this.#log.error({ err: error, command }, 'command failed');
    }
    return error.toBody();
  }
}
