import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { type Namespace, Network, networkProblem, reunite, separate } from './namespaces.mjs';

const problem = networkProblem({ limited: true });
if (problem) process.stderr.write(`Skipped, networks of their own: ${problem}\n`);

const ip = (...args: string[]) => execFileSync('ip', args, { encoding: 'utf8' });
const oursIn = (pid: number) =>
  `${ip('netns', 'list')}${ip('-o', 'link', 'show')}`.match(new RegExp(`\\bbds${pid}\\w*`, 'g'));

describe.skipIf(problem)('a network of its own', () => {
  const networks: Network[] = [];
  const children: ChildProcess[] = [];
  const start = (file: string, ...args: string[]) => {
    const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'ignore'] });
    children.push(child);
    return child;
  };
  const open = async () => {
    const network = await Network.open();
    networks.push(network);
    return network;
  };

  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
    for (const network of networks.splice(0)) network.close();
  });

  it('lets a namespace and this machine reach each other, no faster than its link is limited to', async () => {
    const network = await open();
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
      const child = start(...far.command(process.execPath, '-e', script));
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

  it('has nothing to do with another one of the same process', async () => {
    const [one, other] = [await open(), await open()];
    const [here, there] = [await one.join(), await other.join()];
    expect(new Set([one.cidr, other.cidr, here.name, there.name]).size).toBe(4);
    other.close();
    expect(ip('netns', 'list')).toContain(here.name);
    expect(ip('netns', 'list')).not.toContain(there.name);
    expect(ip('-n', here.name, 'address')).toContain(here.address);
  });

  describe.each([
    {
      what: 'unplugged',
      cut: (far: Namespace) => far.unplug(),
      mend: (far: Namespace) => far.plug(),
    },
    {
      what: 'separated from the other end',
      cut: (far: Namespace, network: Network) => separate(network, far),
      mend: (far: Namespace, network: Network) => reunite(network, far),
    },
  ])('a namespace that is $what', ({ cut, mend }) => {
    it('keeps its connections, silent, and what was sent arrives when that is over', async () => {
      const network = await open();
      const far = await network.join();
      const server = createServer();
      server.listen(0, network.address);
      await once(server, 'listening');
      const { port } = server.address() as { port: number };
      const script = `
        const socket = require('node:net').connect(${port}, '${network.address}');
        socket.on('data', (data) => socket.write(data));
        socket.on('close', () => process.exit());`;
      const child = start(...far.command(process.execPath, '-e', script));
      // It is that process itself which runs in there.
      const [socket] = (await once(server, 'connection')) as [Socket];
      expect(ip('netns', 'pids', far.name).trim()).toBe(`${child.pid}`);
      const answer = () => once(socket, 'data').then(([data]) => `${data}`);
      socket.write('before');
      expect(await answer()).toBe('before');
      await cut(far, network);
      const answers: string[] = [];
      const later = answer().then((text) => answers.push(text));
      socket.write('meanwhile');
      // Long enough to have been sent again.
      await delay(1_000);
      expect(answers).toEqual([]);
      await mend(far, network);
      await later;
      expect(answers).toEqual(['meanwhile']);
      socket.destroy();
      server.close();
      await once(child, 'exit');
    });
  });

  it('is removed when its process exits without closing it', async () => {
    const module = new URL('./namespaces.mjs', import.meta.url).href;
    const script = `
      import { Network } from '${module}';
      await (await Network.open()).join();
      console.log(process.pid);
      throw new Error('not handled');`;
    const child = start(process.execPath, '--input-type=module', '-e', script);
    await once(child.stdout, 'data');
    await once(child, 'exit');
    expect(oursIn(child.pid as number)).toBeNull();
  });

  it('is removed when it is closed, and by the next one where its process was killed', async () => {
    const module = new URL('./namespaces.mjs', import.meta.url).href;
    const script = `
      import { Network } from '${module}';
      const network = await Network.open();
      await network.join();
      console.log('open');
      setInterval(() => {}, 1000);`;
    const child = start(process.execPath, '--input-type=module', '-e', script);
    const pid = child.pid as number;
    await once(child.stdout, 'data');
    expect(oursIn(pid)).not.toBeNull();
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(oursIn(pid)).not.toBeNull();
    const network = await open();
    await network.join();
    expect(oursIn(pid)).toBeNull();
    expect(oursIn(process.pid)).not.toBeNull();
    network.close();
    expect(oursIn(process.pid)).toBeNull();
  });
});
