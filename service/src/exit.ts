/** For lines of the log that are being written, milliseconds. */
const SETTLE_MS = 100;

/**
 * Ends the process a moment later. At once would be too soon where whoever read the log is gone: what is
 * being written has not failed yet then, and sonic-boom tries to write the rest for ever before it lets the
 * process go.
 */
export function exitWith(code: number): void {
  setTimeout(() => process.exit(code), SETTLE_MS);
}
