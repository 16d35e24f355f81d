import type { Browser } from 'playwright-core';

/** The browser of tests and benchmarks: WebRTC on loopback, with a test picture and a beep for devices. */
export function launchChromium(
  extraFlags?: readonly string[],
  executablePath?: string,
): Promise<Browser>;

/** The browser's program. */
export function program(): string;
