import {
  BedsideError,
  type ClinicRequest,
  type ClinicResponse,
  toBedsideError,
} from '@bedside/protocol';
import type { ClinicConnection, ClinicTelemetry, Staff, StaffCommandName } from '../ports.ts';
import { GRANT_OF_COMMAND } from './grants.ts';
import type { OnCallSeat } from './on-call/seat.ts';
import type { QueueSeat } from './queue/seat.ts';

type Handlers = {
  [Name in StaffCommandName]: (request: ClinicRequest<Name>) => Promise<ClinicResponse<Name>>;
};

export interface StaffConnectionOptions {
  staff: Staff;
  queue: QueueSeat;
  onCall: OnCallSeat;
  telemetry: Pick<ClinicTelemetry, 'command'>;
}

/** One socket of a clinic's staff: checks the grant of each command, and hands it to who answers it. */
export class StaffConnection implements ClinicConnection {
  readonly #queue: QueueSeat;
  readonly #onCall: OnCallSeat;
  readonly #telemetry: Pick<ClinicTelemetry, 'command'>;
  readonly #handlers: Handlers;
  #staff: Staff;

  constructor({ staff, queue, onCall, telemetry }: StaffConnectionOptions) {
    this.#staff = staff;
    this.#queue = queue;
    this.#onCall = onCall;
    this.#telemetry = telemetry;
    this.#handlers = {
      'watch-queue': () => queue.watch(),
      'sign-on': (request) => onCall.signOn(request),
      'sign-off': () => onCall.signOff(),
      'set-busy': (request) => onCall.setBusy(request),
      'accept-call': (request) => onCall.accept(request),
      'decline-call': (request) => onCall.decline(request),
    };
  }

  async command<Name extends StaffCommandName>(
    name: Name,
    request: ClinicRequest<Name>,
  ): Promise<ClinicResponse<Name>> {
    const started = performance.now();
    const seconds = () => (performance.now() - started) / 1000;
    try {
      if (!this.#staff.grants.includes(GRANT_OF_COMMAND[name])) throw new BedsideError('forbidden');
      const response = await this.#handlers[name](request);
      this.#telemetry.command(name, 'ok', seconds());
      return response;
    } catch (error) {
      this.#telemetry.command(name, toBedsideError(error).code, seconds());
      throw error;
    }
  }

  identify(staff: Staff): void {
    this.#staff = staff;
    if (!staff.grants.includes('queue')) this.#queue.close();
    if (staff.grants.includes('on-call')) this.#onCall.identify(staff);
    else void this.#onCall.signOff();
  }

  disconnected(): void {
    this.#queue.close();
    this.#onCall.disconnected();
  }
}
