/** For lines of the log that are being written, milliseconds. */
const SETTLE_MS = 100;

/** Ends the process a moment later: lines of the log are written in the background, as long as somebody reads them. */
export function exitWith(code: number): void {
  setTimeout(() => process.exit(code), SETTLE_MS);
}
