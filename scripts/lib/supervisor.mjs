import { spawn } from 'node:child_process';
import { createWriteStream, mkdirSync } from 'node:fs';
import { dirname, relative } from 'node:path';
import { root } from './paths.mjs';
import { which } from './run.mjs';

/** Delay before a child that died is started again, in ms: doubles from the first to the last. */
const BACKOFF_FIRST_MS = 250;
const BACKOFF_LAST_MS = 10_000;
/** A child that has run this long is healthy again, in ms. */
const HEALTHY_MS = 30_000;
/** The same message of one child reaches the terminal at most this often, in ms. */
const REPEAT_MS = 10_000;
/** A child that has died this often without being ready once will not become so by itself. */
const DEATHS_BEFORE_READY = 4;
/** pino writes levels as numbers or, when it is told to, as names. */
const isError = (level) => level >= 50 || level === 'error' || level === 'fatal';
/** Exit code of a configuration error (sysexits EX_CONFIG): starting again can't help. */
export const EXIT_CONFIG = 78;

/**
 * One child process that is kept running until it is stopped.
 *
 * It runs in a process group of its own, so that Ctrl-C in a terminal reaches only the parent,
 * which then stops its children in order. On Linux the kernel sends it SIGTERM when the parent is
 * gone, however that happened.
 */
export class Supervised {
  #spec;
  #log;
  #child;
  #exited = Promise.resolve();
  #stopping = false;
  #startedAt = 0;
  #backoff = BACKOFF_FIRST_MS;
  #timer;
  #file;
  #said = new Map();
  #deaths = 0;
  #lastWords = '';

  /**
   * @param {object} spec
   * @param {string} spec.name
   * @param {string} spec.command
   * @param {string[]} spec.args
   * @param {NodeJS.ProcessEnv} spec.env
   * @param {string} spec.cwd
   * @param {string} spec.logFile
   * @param {boolean} [spec.restart] start it again when it dies; true unless said otherwise
   * @param {() => Promise<boolean>} spec.ready
   * @param {(line: string) => void} log for a person
   */
  constructor(spec, log) {
    this.#spec = spec;
    this.#log = log;
  }

  get name() {
    return this.#spec.name;
  }

  /** Of the running child; undefined while there is none. */
  get pid() {
    return this.#child?.pid;
  }

  get logFile() {
    return this.#spec.logFile;
  }

  /**
   * Runs this from its next start on.
   *
   * @param {{ command: string, args: string[], env?: Record<string, string> }} spec `env`: more than before
   */
  change({ command, args, env = {} }) {
    this.#spec = { ...this.#spec, command, args, env: { ...this.#spec.env, ...env } };
  }

  start() {
    if (this.#child) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#stopping = false;
    this.#startedAt = performance.now();
    this.#lastWords = '';
    if (!this.#file) {
      mkdirSync(dirname(this.#spec.logFile), { recursive: true });
      this.#file = createWriteStream(this.#spec.logFile, { flags: 'w' });
    }
    const setpriv = process.platform === 'linux' ? which('setpriv') : undefined;
    const { command, args, env, cwd } = this.#spec;
    const child = spawn(
      setpriv ?? command,
      setpriv ? ['--pdeathsig', 'TERM', '--', command, ...args] : args,
      { cwd, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] },
    );
    this.#child = child;
    this.#read(child.stdout);
    this.#read(child.stderr, (line) => {
      if (line.trim() && !line.startsWith('{')) this.#lastWords = line.trim().slice(0, 200);
    });
    this.#exited = new Promise((resolve) => {
      child.once('error', (error) => {
        this.#say(`could not be started: ${error.message}`);
        this.#child = undefined;
        resolve();
      });
      // Not 'exit': by now its last words have been read.
      child.once('close', (code, signal) => {
        this.#child = undefined;
        resolve();
        this.#onExit(code, signal);
      });
    });
  }

  /**
   * Resolves when the child answers that it is ready.
   *
   * @param {number} [deadline] ms
   * @throws {Error} when it gave up or the deadline passed
   */
  async untilReady(deadline = 60_000) {
    const end = performance.now() + deadline;
    const deaths = this.#deaths;
    while (!(this.#child && (await this.#spec.ready()))) {
      if (!this.#child && this.#timer === undefined) {
        throw new Error(`${this.name} did not start; see ${this.#shownLog()}`);
      }
      if (this.#deaths - deaths >= DEATHS_BEFORE_READY) {
        throw new Error(
          `${this.name} ended ${DEATHS_BEFORE_READY} times before it was ready${this.#reason()}; see ${this.#shownLog()}`,
        );
      }
      if (performance.now() > end) {
        throw new Error(
          `${this.name} was not ready within ${deadline / 1000} s; see ${this.#shownLog()}`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  }

  /** Sends a signal to the child as it is; if it dies of it, it is started again as after any death. */
  kill(signal = 'SIGTERM') {
    this.#child?.kill(signal);
  }

  /**
   * Stops the child, starts it again and waits until it is ready.
   *
   * @param {NodeJS.Signals} [signal]
   */
  async restart(signal = 'SIGTERM') {
    await this.stop({ signal });
    this.start();
    await this.untilReady();
  }

  /** @param {{ signal?: NodeJS.Signals, deadline?: number }} [options] deadline in ms, then SIGKILL */
  async stop({ signal = 'SIGTERM', deadline = 10_000 } = {}) {
    this.#stopping = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const child = this.#child;
    if (child) {
      child.kill(signal);
      const timer = setTimeout(() => {
        this.#say(`did not stop within ${deadline / 1000} s; it is killed`);
        signalGroup(child.pid, 'SIGKILL');
      }, deadline);
      await this.#exited;
      clearTimeout(timer);
      // Whatever it has left behind in its group, such as a media worker.
      signalGroup(child.pid, 'SIGKILL');
    }
  }

  /** Ends the log file; call after the last stop(). */
  close() {
    this.#file?.end();
    this.#file = undefined;
  }

  #onExit(code, signal) {
    if (this.#stopping) return;
    this.#deaths += 1;
    const how = signal ? `was ended by ${signal}` : `ended with exit code ${code}${this.#reason()}`;
    if (code === EXIT_CONFIG || this.#spec.restart === false) {
      this.#say(`${how}; it is not started again`);
      return;
    }
    if (performance.now() - this.#startedAt > HEALTHY_MS) this.#backoff = BACKOFF_FIRST_MS;
    this.#say(`${how}; it is started again in ${this.#backoff / 1000} s`);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.start();
      void this.#sayWhenBack(this.#child);
    }, this.#backoff);
    this.#backoff = Math.min(this.#backoff * 2, BACKOFF_LAST_MS);
  }

  /** Unless this child ends before. */
  async #sayWhenBack(child) {
    while (child && this.#child === child && !this.#stopping) {
      if (await this.#spec.ready()) {
        if (this.#child === child) this.#say('is back');
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  #reason() {
    return this.#lastWords ? `, saying "${this.#lastWords}"` : '';
  }

  #read(stream, onLine) {
    let rest = '';
    stream.setEncoding('utf8');
    stream.on('data', (chunk) => {
      this.#file?.write(chunk);
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        onLine?.(line);
        const error = errorIn(line);
        if (error !== undefined) this.#sayOnce(error);
      }
    });
  }

  #sayOnce(text) {
    const now = performance.now();
    if (now - (this.#said.get(text) ?? Number.NEGATIVE_INFINITY) < REPEAT_MS) return;
    if (this.#said.size > 100) this.#said.clear();
    this.#said.set(text, now);
    this.#say(text);
  }

  #say(text) {
    this.#log(`${this.name}: ${text} (log: ${this.#shownLog()})`);
  }

  #shownLog() {
    const path = relative(root, this.#spec.logFile);
    return path.startsWith('..') ? this.#spec.logFile : path;
  }
}

/** What a person should know of one line of output: pino's errors, and what a crash leaves. */
export function errorIn(line) {
  if (line.startsWith('{')) {
    try {
      const entry = JSON.parse(line);
      return isError(entry.level) ? String(entry.msg ?? entry.err?.message ?? 'error') : undefined;
    } catch {
      return undefined;
    }
  }
  return /^(?:\w*Error\b|Uncaught )/.test(line) ? line.slice(0, 200) : undefined;
}

function signalGroup(pid, signal) {
  try {
    process.kill(-pid, signal);
  } catch {
    // Nothing of the group is left.
  }
}
