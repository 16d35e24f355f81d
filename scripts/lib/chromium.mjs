import { chromium } from 'playwright-core';

/**
 * What headless Chromium needs for WebRTC on loopback as root, with a moving test picture for a
 * camera and a beep for a microphone, both granted without a prompt.
 */
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--use-fake-device-for-media-stream',
  '--use-fake-ui-for-media-stream',
  '--autoplay-policy=no-user-gesture-required',
];

/** The browser's program. */
export const program = () => process.env.BEDSIDE_CHROMIUM ?? '/usr/bin/chromium';

/**
 * The browser of tests and benchmarks, as the set-up found or installed it.
 *
 * @param {readonly string[]} [extraFlags]
 * @param {string} [executablePath] what starts it, where that is not the program itself
 * @returns {Promise<import('playwright-core').Browser>}
 */
export function launchChromium(extraFlags = [], executablePath = program()) {
  return chromium.launch({
    executablePath,
    headless: true,
    args: [...FLAGS, ...extraFlags],
  });
}
