/** A worker, as far as it matters for one more peer of a visit. */
export interface Place {
  /** Visits that are there. */
  readonly visits: number;
  /** Share of what it takes that is taken, of CPU or of consumers: 0 to 1 and beyond. */
  readonly fullness: number;
  /** Consumers that are there. */
  readonly consumers: number;
  /** Those of them that are this visit's; undefined where the visit is not at this worker. */
  readonly own: number | undefined;
}

export interface PlaceLimits {
  readonly consumersPerWorker: number;
  readonly visitsPerWorker: number;
}

/** How full a worker may be for a visit that is new to it. The rest is for who joins visits that are there. */
const SOFT_LIMIT = 0.9;
/** How full it may be for one more who joins. The rest is for what those who are there come to receive. */
const LATE_LIMIT = 0.95;
/**
 * The share of a worker that a visit may take before it spreads. Where each receives two flows from
 * everybody, n people take 2n² consumers when they are alone there, and 2nm when m have come in all. With
 * the 2,000 of a worker a quarter is had by 15 people, who take all of it when the visit has the 64 that
 * one may have: so the first worker of a visit still carries its own when the last has come.
 */
const SHARE = 0.25;
/** A visit is about to have some consumers: counted so, a rush of new visits spreads over the workers. */
const CONSUMERS_OF_A_NEW_VISIT = 4;

/**
 * Where the next peer of a visit goes, which will have so many consumers, and as many again for the others to
 * receive it; undefined where no worker has room for it. A visit stays together while it is small, for what
 * crosses from worker to worker costs each of them something; it spreads evenly when it is large, over
 * workers and, where they have their share of it, over nodes.
 * @param isLastResort there is no other node: anywhere rather than that somebody stays out
 */
export function choosePlace<P extends Place>(
  places: readonly P[],
  consumers: number,
  limits: PlaceLimits,
  isLastResort: boolean,
): P | undefined {
  const { consumersPerWorker, visitsPerWorker } = limits;
  const fits = (place: P) => place.consumers + consumers <= consumersPerWorker;
  const here = places.filter((place) => place.own !== undefined && fits(place));
  const elsewhere = places.filter(
    (place) => place.own === undefined && place.visits < visitsPerWorker && fits(place),
  );
  const roomy = elsewhere.filter(({ fullness }) => fullness < SOFT_LIMIT);
  if (places.every(({ own }) => own === undefined)) return least(roomy);

  const growing = consumers * 2;
  const grows = (place: P) => place.consumers + growing <= consumersPerWorker * LATE_LIMIT;
  const unfilled = here.filter((place) => place.fullness < LATE_LIMIT && grows(place));
  const shares = ({ own = 0 }: Place) => own === 0 || own + growing <= consumersPerWorker * SHARE;
  const together = unfilled.find(shares) ?? least(roomy.filter(grows));
  if (together || !isLastResort) return together;
  return least(unfilled) ?? least(here) ?? least(elsewhere);
}

const least = <P extends Place>(places: readonly P[]): P | undefined =>
  [...places].sort((a, b) => burden(a) - burden(b))[0];

const burden = ({ consumers, visits }: Place): number =>
  consumers + visits * CONSUMERS_OF_A_NEW_VISIT;
