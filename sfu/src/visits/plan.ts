import type { ControlRequest, Flow, ProducerId } from '@bedside/protocol';
import { type Line, UNKNOWN_LINE } from './bandwidth.ts';

/** What a listener's tile asked for, within the plan. */
export type Preference = Omit<
  ControlRequest<'prefer-consumers'>['preferences'][number],
  'consumerId'
>;

/** How one consumer has to be set, from everything that has a say in it. */
export interface ConsumerSettings {
  paused: boolean;
  priority: number;
  /** Highest layers to send; undefined: no limit. */
  spatialLayer: number | undefined;
  temporalLayer: number | undefined;
}

/** What has to happen so that a listener's consumers are those of the plan. */
export interface PlanDiff {
  add: Flow[];
  /** Flows whose consumer is there already; whether a call is needed, the settings tell. */
  keep: Flow[];
  remove: ProducerId[];
}

/**
 * The difference between the planned flows and the producers that are consumed now.
 * A producer planned twice counts once, as it is planned last.
 */
export function diffPlan(planned: readonly Flow[], present: ReadonlySet<ProducerId>): PlanDiff {
  const flows = new Map(planned.map((flow) => [flow.producerId, flow]));
  const diff: PlanDiff = { add: [], keep: [], remove: [] };
  for (const flow of flows.values()) {
    (present.has(flow.producerId) ? diff.keep : diff.add).push(flow);
  }
  for (const producerId of present) {
    if (!flows.has(producerId)) diff.remove.push(producerId);
  }
  return diff;
}

/**
 * Plan, readiness of the listener and its tile's wish, in one. Each can only take away:
 * a consumer runs where none of them holds it, in the lowest of the layers they allow. From a
 * protected flow the tile takes nothing.
 *
 * @param line what the listener's line allows: nothing to what is not protected where it is tight, and
 *   the smallest layer to what is protected right after a cut
 */
export function settingsOf(
  flow: Flow,
  started: boolean,
  preference: Preference | undefined,
  line: Pick<Line, 'tight' | 'careful'> = UNKNOWN_LINE,
): ConsumerSettings {
  const wish = flow.protected ? undefined : preference;
  const limit = flow.protected && line.careful ? 0 : undefined;
  return {
    paused: flow.paused || !started || (line.tight && !flow.protected) || (wish?.paused ?? false),
    priority: flow.priority,
    spatialLayer: lowest(lowest(flow.maxSpatialLayer, wish?.spatialLayer), limit),
    temporalLayer: lowest(flow.maxTemporalLayer, wish?.temporalLayer),
  };
}

function lowest(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined) return b;
  return b === undefined ? a : Math.min(a, b);
}
