import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { launchChromium, program } from '../../scripts/lib/chromium.mjs';
import { type Namespace, Network } from '../../scripts/lib/namespaces.mjs';
import type { StackOptions } from '../../scripts/lib/stack.mjs';
import { servePage } from './browser-page.ts';

/** A browser here, and one behind a link whose bandwidth can be cut. Both reach the product by `address`. */
export interface Distance {
  readonly near: Browser;
  readonly far: Browser;
  /** On the way to `far`. */
  readonly link: Namespace;
  /** Of this machine, as both browsers reach it. */
  readonly address: string;
  /** Of an empty page with the SDK's module beside it; it may have camera and microphone. */
  readonly origin: string;
  /** What the product needs to be reached from both. */
  readonly env: NonNullable<StackOptions['env']>;
  close(): Promise<void>;
}

/** @throws Error where this machine can have no such link, see networkProblem() */
export async function openDistance(flags: readonly string[] = []): Promise<Distance> {
  const network = await Network.open();
  const folder = mkdtempSync(join(tmpdir(), 'bedside-far-'));
  const { address } = network;
  const page = await servePage(address);
  const { origin } = page;
  const browsers: Browser[] = [];
  const close = async () => {
    await Promise.allSettled(browsers.map((browser) => browser.close()));
    page.close();
    rmSync(folder, { recursive: true, force: true });
    network.close();
  };
  try {
    const link = await network.join();
    const start = join(folder, 'chromium');
    const command = link.command(program()).join(' ');
    writeFileSync(start, `#!/bin/sh\nexec ${command} "$@"\n`, { mode: 0o700 });
    // Of addresses without TLS only loopback ones may have devices.
    const all = [`--unsafely-treat-insecure-origin-as-secure=${origin}`, ...flags];
    for (const path of [program(), start]) browsers.push(await launchChromium(all, path));
    const [near, far] = browsers as [Browser, Browser];
    const env = {
      node: { BEDSIDE_MEDIA_LISTEN_IP: address },
      gateway: {
        BEDSIDE_GATEWAY_HOST: '0.0.0.0',
        BEDSIDE_GUEST_SECRET: randomBytes(32).toString('base64url'),
        BEDSIDE_ALLOWED_ORIGINS: origin,
      },
    };
    return { near, far, link, address, origin, env, close };
  } catch (error) {
    await close();
    throw error;
  }
}
