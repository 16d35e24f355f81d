/** What a signed picture must have at least (EN 301 549, 6.5: QVGA), and what is better, on its shorter side in pixels. */
const FLOOR = 240;
const GOOD = 360;

/**
 * How a camera's three layers are sent while somebody signs to it. Without temporal layers above the
 * smallest one, so that a node which has less bandwidth has only resolution to take, and never sends half
 * the frames of a larger picture in place of all frames of a smaller one. The smallest keeps the floor of
 * resolution at an emergency's bit rate (clinical quality) and gives up frames only where nothing else is
 * left; the middle one stays below what is estimated of a line of 500 kbit/s at its worst moments.
 */
export function signingEncodings(shortSide: number) {
  const layer = (side: number, maxBitrate: number, scalabilityMode: string) => ({
    scaleResolutionDownBy: Math.max(1, shortSide / side),
    maxBitrate,
    scalabilityMode,
  });
  return [
    layer(FLOOR, 150_000, 'L1T3'),
    layer(GOOD, 280_000, 'L1T1'),
    layer(shortSide, 1_500_000, 'L1T1'),
  ];
}
