import { join } from 'node:path';
import { root } from './paths.mjs';
import { Supervised } from './supervisor.mjs';

/**
 * Processes that are started and stopped together, in groups: who is used by others is in an earlier
 * group and goes later. The first one, Redis, is ready before the others start, side by side.
 */
export class Fleet {
  #groups = [];
  #options;
  #stopped;

  /** @param {{ logDir: string, log: (line: string) => void, restart: boolean }} options */
  constructor(options) {
    this.#options = options;
  }

  /**
   * @param {number} group from 0
   * @param {string} name
   * @param {import('./processes.mjs').Spec} spec
   * @param {() => Promise<boolean>} ready
   * @param {Record<string, string>} [env] more environment
   */
  add(group, name, { command, args, env: own }, ready, env = {}) {
    const { logDir, log, restart } = this.#options;
    const child = new Supervised(
      {
        name,
        cwd: root,
        logFile: join(logDir, `${name}.log`),
        restart,
        ready,
        command,
        args,
        env: { ...process.env, ...own, ...env },
      },
      log,
    );
    while (this.#groups.length <= group) this.#groups.push([]);
    this.#groups[group].push(child);
    return child;
  }

  /**
   * Starts these, or all; resolves once each is ready.
   *
   * @param {{ wanted?: (name: string) => boolean, deadline: number, signal?: AbortSignal, detail?: (text: string) => void }} options
   *   `deadline` of each in ms; `signal` gives up the start; `detail` is told who is waited for
   * @throws {Error} when one is not ready in time, or the signal's reason; stop() what runs then
   */
  async start({ wanted = () => true, deadline, signal, detail = () => {} }) {
    const start = async () => {
      const [first = [], ...rest] = this.#groups;
      for (const group of [first, rest.flat()]) {
        const children = group.filter(({ name }) => wanted(name));
        const missing = new Set(children.map(({ name }) => name));
        for (const child of children) child.start();
        detail([...missing].join(', '));
        await Promise.all(
          children.map(async (child) => {
            await child.untilReady(deadline);
            missing.delete(child.name);
            if (missing.size > 0) detail([...missing].join(', '));
          }),
        );
      }
    };
    await (signal ? Promise.race([start(), aborted(signal)]) : start());
  }

  /** Stops all, users before what they use; idempotent. */
  stop() {
    this.#stopped ??= (async () => {
      for (const group of this.#groups.toReversed())
        await Promise.all(
          group.map(async (child) => {
            await child.stop();
            child.close();
          }),
        );
    })();
    return this.#stopped;
  }
}

/** Rejects when the signal is aborted. */
function aborted(signal) {
  return new Promise((_, reject) => {
    const onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
}
