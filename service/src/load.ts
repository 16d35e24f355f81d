/** CPU share of a visit, while there is none to measure it by: four participants with pictures. */
const CPU_OF_A_VISIT = 0.03;
/** Fewer that begin say little of what they will need. */
const MEASURED_VISITS = 10;

/**
 * Share of a core that one more visit takes, for who places it: as the visits that are there do, where there
 * are enough to tell.
 * @param cpu share of a core, or the sum of several, that `visits` take together
 */
export const cpuOfAVisit = (cpu: number, visits: number): number =>
  visits < MEASURED_VISITS
    ? CPU_OF_A_VISIT
    : Math.max(cpu / visits, CPU_OF_A_VISIT / MEASURED_VISITS);
