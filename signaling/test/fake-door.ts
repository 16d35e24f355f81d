import type { ClinicRequest, ClinicResponse } from '@bedside/protocol';
import type {
  ClinicConnection,
  ClinicDoor,
  ClinicLink,
  Staff,
  StaffCommandName,
} from '../src/ports.ts';

export interface FakeSeat {
  staff: Staff;
  link: ClinicLink;
  commands: { name: StaffCommandName; request: unknown }[];
  disconnects: number;
}

type Answer = (name: StaffCommandName, request: unknown, seat: FakeSeat) => Promise<unknown>;

/** Clinics at the port: keeps what it was told, answers what a test sets. */
export class FakeDoor implements ClinicDoor {
  readonly seats: FakeSeat[] = [];
  answer: Answer = async () => ({ entries: [], stale: false });

  connect(staff: Staff, link: ClinicLink): ClinicConnection {
    const seat: FakeSeat = { staff, link, commands: [], disconnects: 0 };
    this.seats.push(seat);
    const run = (name: StaffCommandName, request: unknown) => this.answer(name, request, seat);
    return {
      async command<Name extends StaffCommandName>(
        name: Name,
        request: ClinicRequest<Name>,
      ): Promise<ClinicResponse<Name>> {
        seat.commands.push({ name, request });
        return (await run(name, request)) as ClinicResponse<Name>;
      },
      identify(renewed) {
        seat.staff = renewed;
      },
      disconnected() {
        seat.disconnects += 1;
      },
    };
  }
}
