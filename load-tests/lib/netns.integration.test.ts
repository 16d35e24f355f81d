import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { Network, networkProblem } from './netns.ts';

const problem = networkProblem();
if (problem) process.stderr.write(`Skipped, networks of their own: ${problem}\n`);

const ip = (...args: string[]) => execFileSync('ip', args, { encoding: 'utf8' });
const oursIn = (pid: number) =>
  `${ip('netns', 'list')}${ip('-o', 'link', 'show')}`.match(new RegExp(`\\bbds${pid}\\w*`, 'g'));

describe.skipIf(problem)('a network of its own', () => {
  let network: Network | undefined;

  afterEach(() => network?.close());

  it('lets a namespace and this machine reach each other, no faster than its link is limited to', async () => {
    network = await Network.open();
    const far = await network.join();
    const BYTES = 100_000;
    const server = createServer((socket) => socket.end(Buffer.alloc(BYTES)));
    server.listen(0, network.address);
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const script = `
      const started = performance.now();
      let bytes = 0;
      require('node:net').connect(${port}, '${network.address}')
        .on('data', (data) => { bytes += data.length; })
        .on('close', () => console.log(JSON.stringify({ bytes, ms: performance.now() - started })));`;
    const fetch = async (): Promise<{ bytes: number; ms: number }> => {
      const [file, ...args] = far.command(process.execPath, '-e', script);
      const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'] });
      const [output] = await once(child.stdout.setEncoding('utf8'), 'data');
      return JSON.parse(output);
    };
    const free = await fetch();
    await far.limit(500);
    const cut = await fetch();
    await far.limit(undefined);
    const again = await fetch();
    server.close();
    expect([free.bytes, cut.bytes, again.bytes]).toEqual([BYTES, BYTES, BYTES]);
    // 800 kbit at 500 kbit/s.
    expect(cut.ms).toBeGreaterThan(1_500);
    expect(free.ms).toBeLessThan(cut.ms / 2);
    expect(again.ms).toBeLessThan(cut.ms / 2);
  });

  it('is removed when it is closed, and by the next one where its process was killed', async () => {
    const module = new URL('./netns.ts', import.meta.url).href;
    const script = `
      import { Network } from '${module}';
      const network = await Network.open();
      await network.join();
      console.log('open');
      setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const pid = child.pid as number;
    await once(child.stdout, 'data');
    expect(oursIn(pid)).not.toBeNull();
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(oursIn(pid)).not.toBeNull();
    network = await Network.open();
    await network.join();
    expect(oursIn(pid)).toBeNull();
    expect(oursIn(process.pid)).not.toBeNull();
    await network.close();
    expect(oursIn(process.pid)).toBeNull();
  });
});
