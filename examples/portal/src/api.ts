import { BedsideError, LIMITS, parse, Role, type TokenClaims, VisitId } from '@bedside/protocol';
import * as z from 'zod/mini';
import type { PortalConfig } from './config.ts';
import { CheckIn, type FrontDesk } from './front-desk.ts';
import type { Gateway } from './gateway.ts';
import type { GuestLinks } from './guest-links.ts';
import { Positions } from './positions.ts';
import { type Attendance, type Summary, summarise } from './summary.ts';
import { CLINIC, clinicClaims, sign, visitClaims } from './tokens.ts';

/** One thing that the pages ask of the portal's server: by POST with a JSON body, or by GET for a visit. */
export interface Api {
  post: Readonly<Record<string, (body: unknown) => Promise<unknown>>>;
  get: Readonly<Record<string, (visit: VisitId) => Promise<unknown>>>;
}

const QueueView = z.object({
  /** In the order of the queue. */
  visits: z.array(VisitId).check(z.maxLength(LIMITS.queueEntriesPerMessage)),
});

interface Parts {
  config: PortalConfig;
  gateway: Gateway;
  desk: FrontDesk;
  links: GuestLinks;
}

/** Here everybody may be anybody: a real portal asks who is there, by its own login, before each of these. */
export function createApi({ config, gateway, desk, links }: Parts): Api {
  const url = config.gatewayUrl.origin;
  const positions = new Positions(gateway);

  /**
   * The gateway refuses the tokens of who was turned away; that they get no new one is the portal's part.
   * Where it has no waiting room, nobody was.
   */
  async function refuseWhoWasSentAway({ visit, sub }: TokenClaims): Promise<void> {
    if (!desk.appointment(visit)) return;
    const { participants } = await gateway.read(visit);
    const reason = participants.find(({ participant }) => participant === sub)?.leftReason;
    if (reason === 'denied' || reason === 'removed') throw new BedsideError('removed');
  }

  /** With the names that this portal knows. */
  function named(visit: VisitId, { people, ...times }: Summary): object {
    const name = ({ person, role }: Attendance) =>
      role === 'patient' ? desk.appointment(visit)?.name : desk.nameOf(person);
    return { ...times, people: people.map((each) => ({ ...each, name: name(each) })) };
  }

  return {
    post: {
      '/api/token': async (body) => {
        const claims = visitClaims(config, body);
        await refuseWhoWasSentAway(claims);
        return { token: await sign(config, claims), url };
      },

      /** Somebody has come: the visit is made before they get a token, so that they wait from the first moment. */
      '/api/check-in': async (body) => {
        const appointment = parse(CheckIn, body);
        const { visit, provider } = appointment;
        const { admission, state } = await gateway.create({
          visit,
          kind: 'visit',
          admission: 'on-admit',
          clinic: CLINIC,
          ...(provider === undefined ? {} : { provider }),
          // Who may admit sees whether somebody is ready.
          preview: true,
        });
        // A reload knows less than the check-in did.
        if (appointment.name !== undefined || !desk.appointment(visit)) desk.checkIn(appointment);
        return { visit, admission, state };
      },

      '/api/clinic/token': async (body) => {
        const claims = clinicClaims(config, body);
        const { sub: person, role, name, exp } = claims;
        desk.signOn({ person, role, name }, exp * 1000);
        return { token: await sign(config, claims), url, clinic: CLINIC, person };
      },

      '/api/clinic/off-duty': async (body) => {
        desk.signOff(clinicClaims(config, body).sub);
        return {};
      },

      /** Who is on duty, for who chooses whom to see, and for who hands over. */
      '/api/clinic/colleagues': async (body) => {
        const { role } = parse(z.object({ role: Role }), body);
        return { colleagues: desk.onDuty(role) };
      },

      /** What the portal knows of those who wait. Who sees the queue tells its order: those who wait hear their place in it. */
      '/api/clinic/queue': async (body) => {
        const { visits } = parse(QueueView, body);
        void positions.share(visits);
        return { appointments: visits.flatMap((visit) => desk.appointment(visit) ?? []) };
      },

      '/api/guest-links': async (body) => links.keep(body),
      '/api/guest-links/redeem': async (body) => ({ ...links.redeem(body), url }),
    },

    get: {
      /** The roles of those who are in the visit now and its state. Unknown is nobody: a hint on the page, nothing that joining needs. */
      '': async (visit) => {
        try {
          const { state, participants } = await gateway.read(visit);
          const present = participants.filter(({ state }) => state !== 'left');
          return { present: present.map(({ role }) => role), state };
        } catch {
          return { present: [] };
        }
      },

      /** Who admitted the patient, for a colleague who was a moment later. */
      '/admitted': async (visit) => {
        const events = await gateway.events(visit);
        const by = events.findLast(({ type }) => type === 'participant-admitted')?.by;
        return by === undefined ? {} : { by, name: desk.nameOf(by) };
      },

      '/summary': async (visit) => {
        const [resource, events] = await Promise.all([gateway.read(visit), gateway.events(visit)]);
        return named(visit, summarise(resource, events));
      },
    },
  };
}
