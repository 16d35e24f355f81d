import type { CallId } from '@bedside/protocol';
import type { ClinicKey } from '../keys.ts';

/** Beside the clinic's queue, under the same hash tag. */
export const onCallKeys = (clinic: ClinicKey) => ({
  /** Set of the gateways at which somebody of the clinic is on call. */
  gateways: `bedside:{${clinic}}:on-call`,
  /** Who is on call at one of them; gone with it. */
  people: (gateway: string) => `bedside:{${clinic}}:on-call:${gateway}`,
  call: (call: CallId) => `bedside:{${clinic}}:call:${call}`,
  /** Channel of OnCallMessage. */
  messages: `bedside:{${clinic}}:on-call-messages`,
});
