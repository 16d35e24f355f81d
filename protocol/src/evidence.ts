import * as z from 'zod/mini';
import { ParticipantId } from './ids.ts';
import { LIMITS } from './limits.ts';

/**
 * How well a signed conversation could be seen, measured by the page that shows it, against EN 301 549, 6.5
 * and 45 CFR 92.201: numbers, no pictures.
 */

/** Of a protected picture: frames a second; freezes in two seconds; pixels of its shorter side; ms from its sound. */
export const QualityMeasure = z.enum(['frame-rate', 'freezes', 'resolution', 'sync']);
export type QualityMeasure = z.infer<typeof QualityMeasure>;

const number = z.number().check(z.minimum(0), z.maximum(1_000_000_000));

/** A measure went beyond its threshold, or came back. */
export const QualityChange = z.object({
  /** Whose picture. */
  participantId: ParticipantId,
  what: QualityMeasure,
  value: number,
  threshold: number,
  breached: z.boolean(),
});
export type QualityChange = z.infer<typeof QualityChange>;

/** Of samples of about two seconds each. `p5`: 5 % were lower. */
export const Distribution = z.object({
  samples: number,
  min: number,
  p5: number,
  median: number,
  p95: number,
  max: number,
});
export type Distribution = z.infer<typeof Distribution>;

/** What one page measured of one participant's protected pictures so far. */
export const QualityEvidence = z.object({
  /** Whose picture. */
  participantId: ParticipantId,
  /** For how long it was measured. */
  seconds: number,
  framesPerSecond: Distribution,
  /** Of the picture's shorter side, in pixels. */
  shortSide: Distribution,
  /** Between sound and picture, in milliseconds. */
  offsetMs: Distribution,
  freezes: number,
  frozenSeconds: number,
  /** Seconds beyond the threshold. */
  secondsBreached: z.object({
    'frame-rate': number,
    freezes: number,
    resolution: number,
    sync: number,
  }),
});
export type QualityEvidence = z.infer<typeof QualityEvidence>;

export const qualityChanges = z.array(QualityChange).check(z.maxLength(LIMITS.evidence));
export const qualityEvidence = z.array(QualityEvidence).check(z.maxLength(LIMITS.evidence));
