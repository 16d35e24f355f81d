import { existsSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { basename, join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { defaultPorts, type Stack, startStack } from './stack.mjs';

let stack: Stack | undefined;
let squatter: Server | undefined;

afterEach(async () => {
  await stack?.stop();
  squatter?.close();
});

describe('startStack()', () => {
  it('starts a Redis of its own beside one that has the default port', async () => {
    squatter = createServer();
    await new Promise<void>((resolve) => {
      squatter?.once('error', () => resolve());
      squatter?.listen(defaultPorts.redis, '127.0.0.1', resolve);
    });
    stack = await startStack({ node22: process.execPath, workerBin: '', only: ['redis'] });
    expect(stack.ports.redis).toBeGreaterThan(defaultPorts.redis);
    const { pid } = stack.processes.redis;
    await stack.processes.redis.restart();
    expect(stack.processes.redis.pid).not.toBe(pid);
    await stack.stop();
    expect(stack.processes.redis.pid).toBeUndefined();
  });

  it('leaves the logs of another one in the same clone alone', async () => {
    squatter = createServer();
    await new Promise<void>((resolve) => {
      squatter?.once('error', () => resolve());
      squatter?.listen(defaultPorts.portal, '127.0.0.1', resolve);
    });
    stack = await startStack({ node22: process.execPath, workerBin: '', only: ['redis'] });
    expect(basename(stack.logDir)).toBe(`logs-${stack.ports.portal}`);
    expect(stack.processes.redis.logFile).toBe(join(stack.logDir, 'redis.log'));
    expect(existsSync(stack.processes.redis.logFile)).toBe(true);
  });

  it('gives up when it is told to while it starts', async () => {
    const gone = new AbortController();
    const starting = startStack({
      node22: '/nonexistent',
      workerBin: '',
      only: ['redis', 'node'],
      signal: gone.signal,
    });
    gone.abort(new Error('asked to stop'));
    await expect(starting).rejects.toThrow('asked to stop');
  });
});
