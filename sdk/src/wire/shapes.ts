/**
 * What the page checks messages against, made from their schemas. build.ts runs this module and
 * writes its values into the scripts, so that they carry neither the schemas nor zod.
 */
import {
  AckEnvelope,
  clientCommands,
  clientEvents,
  clinicCommands,
  clinicEvents,
  ErrorBody,
  TokenClaims,
} from '@bedside/protocol';
import { answersOf, payloadsOf, shapeOf } from './shape-of.ts';

export const ackShape = shapeOf(AckEnvelope);
export const errorShape = shapeOf(ErrorBody);
export const claimsShape = shapeOf(TokenClaims);
export const visitAnswers = answersOf(clientCommands);
export const visitEvents = payloadsOf(clientEvents);
export const clinicAnswers = answersOf(clinicCommands);
export const clinicPayloads = payloadsOf(clinicEvents);
