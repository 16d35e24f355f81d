import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { node22, root } from './paths.mjs';
import { step } from './progress.mjs';
import { run } from './run.mjs';

/** npm passes a Ctrl-C on that the terminal has sent to the child as well: that soon, in ms, it is the same one. */
const SAME_MS = 500;

const say = (line) => process.stderr.write(`${line}\n`);

/**
 * Starts what a person tries in a browser and stops it, in order, at the first Ctrl-C, also while it starts.
 *
 * @param {(say: (line: string) => void, signal: AbortSignal) => Promise<{ stop(): Promise<void> }>} start
 *   `say` is for a person; the signal gives up the start, which stops what runs by then
 * @param {Pick<NodeJS.Process, 'on' | 'exit' | 'exitCode'>} [host] where signals come and the process ends
 * @param {() => number} [now] ms
 */
export async function untilAskedToStop(start, host = process, now = () => performance.now()) {
  const asked = new AbortController();
  const { signal } = asked;
  let askedAt;
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    host.on(name, () => {
      if (askedAt !== undefined) {
        // A second one does not wait for an orderly end.
        if (now() - askedAt > SAME_MS) host.exit(130);
        return;
      }
      askedAt = now();
      say('\nStopping');
      asked.abort();
    });
  }
  try {
    const running = await start(say, signal);
    if (!signal.aborted)
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    await running.stop();
    say('Stopped');
  } catch (error) {
    if (signal.aborted) {
      say('Stopped');
    } else {
      say(`\n${error.message}`);
      host.exitCode = 1;
    }
  }
}

export async function buildSdk(env) {
  const script = join(root, 'sdk', 'build.ts');
  const { scripts } = JSON.parse(readFileSync(join(root, 'sdk', 'package.json'), 'utf8'));
  if (!scripts?.build || !existsSync(script)) return;
  await step('Building the SDK', () => run(node22, [script], { cwd: join(root, 'sdk'), env }));
}
