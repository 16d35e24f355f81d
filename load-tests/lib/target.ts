import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Stack, type StackOptions, startStack } from '../../scripts/lib/stack.mjs';
import type { TenantKey } from './token.ts';

/** What is put under load. */
export interface Target {
  /** "http://127.0.0.1:7000" */
  gateway: string;
  tenant: TenantKey;
}

/** A gateway that runs elsewhere, named by the environment; undefined where none is named. */
export function targetFromEnvironment(env: NodeJS.ProcessEnv = process.env): Target | undefined {
  const gateway = env.BEDSIDE_LOAD_GATEWAY;
  if (!gateway) return undefined;
  const {
    BEDSIDE_LOAD_TENANT: id,
    BEDSIDE_LOAD_TENANT_KID: kid,
    BEDSIDE_LOAD_TENANT_SECRET: secret,
  } = env;
  if (!id || !kid || !secret) {
    throw new Error(
      'With BEDSIDE_LOAD_GATEWAY set BEDSIDE_LOAD_TENANT, BEDSIDE_LOAD_TENANT_KID and BEDSIDE_LOAD_TENANT_SECRET too.',
    );
  }
  return { gateway, tenant: { id, kid, secret } };
}

export const targetOf = (stack: Stack): Target => ({
  gateway: stack.urls.gateway,
  tenant: stack.secrets.tenant,
});

/** All load comes from one address, and of one tenant: the limits on these are not what is measured. */
export const ONE_SOURCE = {
  BEDSIDE_ADDRESS_CONNECTION_BURST: '100000',
  BEDSIDE_ADDRESS_CONNECTIONS_PER_SECOND: '100000',
  BEDSIDE_TENANT_CONNECTION_BURST: '100000',
  BEDSIDE_TENANT_CONNECTIONS_PER_SECOND: '100000',
};

/** Starts the product for a measurement, off the ports that `npm start` likes, and stops it afterwards. */
export async function withStack<T>(
  options: Partial<Pick<StackOptions, 'only' | 'env' | 'workers'>>,
  work: (stack: Stack) => Promise<T>,
): Promise<T> {
  const workerBin = process.env.MEDIASOUP_WORKER_BIN;
  if (!workerBin) throw new Error('MEDIASOUP_WORKER_BIN is not set; run this through npm.');
  const logDir = mkdtempSync(join(tmpdir(), 'bedside-load-'));
  const stack = await startStack({
    node22: process.execPath,
    workerBin,
    logDir,
    // What dies under load is a result, not something to start again.
    restart: false,
    log: (line) => process.stderr.write(`${line}\n`),
    ports: {
      redis: 16_390,
      gateway: 17_000,
      gatewayOps: 17_001,
      node: 17_100,
      nodeOps: 17_101,
      media: 17_200,
      portal: 18_080,
    },
    ...options,
    env: { ...options.env, gateway: { ...ONE_SOURCE, ...options.env?.gateway } },
  });
  const interrupted = () => void stack.stop().finally(() => process.exit(130));
  process.once('SIGINT', interrupted);
  process.once('SIGTERM', interrupted);
  try {
    return await work(stack);
  } catch (error) {
    process.stderr.write(`Logs of the stack: ${logDir}\n`);
    throw error;
  } finally {
    process.off('SIGINT', interrupted);
    process.off('SIGTERM', interrupted);
    await stack.stop();
  }
}
