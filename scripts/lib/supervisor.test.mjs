import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { errorIn, Supervised } from './supervisor.mjs';

let folder;
let said;
let children;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'bedside-supervisor-'));
  said = [];
  children = [];
});

afterEach(async () => {
  for (const child of children) {
    await child.stop();
    child.close();
  }
  rmSync(folder, { recursive: true, force: true });
});

function supervise(script, more = {}) {
  const child = new Supervised(
    {
      name: 'child',
      command: process.execPath,
      args: ['-e', script],
      env: process.env,
      cwd: folder,
      logFile: join(folder, 'child.log'),
      ready: async () => !script.includes('process.exit'),
      ...more,
    },
    (line) => said.push(line),
  );
  children.push(child);
  child.start();
  return child;
}

const forever = 'setInterval(() => {}, 1000)';

describe('a supervised child', () => {
  it('is started again when it dies, and says so', async () => {
    const child = supervise(forever);
    const first = child.pid;
    child.kill('SIGKILL');
    await expect.poll(() => child.pid !== undefined && child.pid !== first).toBe(true);
    expect(said.join()).toContain('was ended by SIGKILL; it is started again in 0.25 s');
    await expect.poll(() => said.join()).toContain('child: is back');
  });

  it('is not started again after a configuration error', async () => {
    const child = supervise('process.exit(78)');
    await expect.poll(() => said.join()).toContain('exit code 78; it is not started again');
    expect(child.pid).toBeUndefined();
    await expect(child.untilReady()).rejects.toThrow('child did not start');
  });

  it('is given up on when it keeps dying before it is ready, with its last words', async () => {
    const child = supervise("console.error('no such file'); process.exit(1)");
    await expect(child.untilReady()).rejects.toThrow(
      'child ended 4 times before it was ready, saying "no such file"',
    );
  });

  it('stays stopped after stop()', async () => {
    const child = supervise(forever);
    await child.stop();
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(child.pid).toBeUndefined();
    expect(said).toEqual([]);
  });

  it('is killed when it ignores the signal past the deadline', async () => {
    const child = supervise(`process.on('SIGTERM', () => {}); console.log('deaf'); ${forever}`);
    await expect.poll(() => readFileSync(child.logFile, 'utf8')).toContain('deaf');
    await child.stop({ deadline: 100 });
    expect(child.pid).toBeUndefined();
    expect(said.join()).toContain('did not stop within 0.1 s');
  });

  it('restart() gives another process', async () => {
    const child = supervise(forever);
    const first = child.pid;
    await child.restart();
    expect(child.pid).not.toBe(first);
    expect(said).toEqual([]);
  });

  it('writes everything to its log and only errors to the person', async () => {
    const child = supervise(
      `console.log(JSON.stringify({ level: 30, msg: 'fine' }));
       console.log(JSON.stringify({ level: 50, msg: 'broken' }));
       console.log(JSON.stringify({ level: 50, msg: 'broken' })); ${forever}`,
    );
    await expect.poll(() => said.length).toBe(1);
    expect(said[0]).toMatch(/^child: broken \(log: .*child\.log\)$/);
    await expect.poll(() => readFileSync(child.logFile, 'utf8')).toContain('fine');
  });
});

describe('errorIn()', () => {
  it('knows pino errors and crashes', () => {
    expect(errorIn('{"level":60,"msg":"gone"}')).toBe('gone');
    expect(errorIn('{"level":"error","msg":"lost"}')).toBe('lost');
    expect(errorIn('{"level":"info","msg":"fine"}')).toBeUndefined();
    expect(errorIn('{"level":40,"msg":"careful"}')).toBeUndefined();
    expect(errorIn('TypeError: x is not a function')).toBe('TypeError: x is not a function');
    expect(errorIn('    at file.ts:1:2')).toBeUndefined();
    expect(errorIn('{ not json')).toBeUndefined();
  });
});
