import type { VersionRange } from './contract.ts';

/**
 * How versions meet. A client offers the range it speaks; the server picks the highest version that
 * both speak and names it in `welcome`. A server speaks its own version and the one before, so that
 * a cluster and the pages that embed it can be upgraded one part at a time. Within a version,
 * changes only add what a receiver that does not know it can ignore: optional fields, commands,
 * events, error codes. A new value of a fixed list (a role, a reason) is not ignored but refused,
 * and so is a new version.
 */
export const PROTOCOL_VERSION = 1;

/** The oldest version that this code still speaks. */
export const PROTOCOL_VERSION_MIN = 1;

/** The range this build speaks, as sent in the handshake. */
export const SUPPORTED_VERSIONS: VersionRange = {
  min: PROTOCOL_VERSION_MIN,
  max: PROTOCOL_VERSION,
};

/** The highest version in both ranges, or undefined where they do not meet. */
export function negotiateVersion(
  offered: VersionRange,
  supported: VersionRange = SUPPORTED_VERSIONS,
): number | undefined {
  const version = Math.min(offered.max, supported.max);
  return version >= Math.max(offered.min, supported.min) ? version : undefined;
}
