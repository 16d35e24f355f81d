import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** An earlier state of the project, as if cloned, beside this checkout. */
export class Checkout {
  readonly root: string;

  /** @throws Error where git does not know the commit, or its dependencies can not be installed */
  constructor(ref: string) {
    const commit = run('git', 'rev-parse', '--verify', `${ref}^{commit}`);
    this.root = join(root, '.bedside', `checkout-${commit.slice(0, 12)}`);
    this.close();
    mkdirSync(this.root, { recursive: true });
    // The project's text is far below what a pipe of execFileSync may hold.
    const archive = execFileSync('git', ['archive', commit], { cwd: root, maxBuffer: 1 << 28 });
    execFileSync('tar', ['-x', '-C', this.root], { input: archive });
    this.#install();
  }

  close(): void {
    rmSync(this.root, { recursive: true, force: true });
  }

  /** What is installed here, where that is the same; links between workspaces are relative. */
  #install(): void {
    const lockfile = (at: string) => readFileSync(join(at, 'package-lock.json'), 'utf8');
    if (lockfile(this.root) === lockfile(root)) {
      for (const dir of ['node_modules', 'examples/portal/node_modules'])
        if (existsSync(join(root, dir))) run('cp', '-al', join(root, dir), join(this.root, dir));
      return;
    }
    const install = (...more: string[]) =>
      spawnSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', ...more], {
        cwd: this.root,
        stdio: ['ignore', 'ignore', 'inherit'],
      }).status === 0;
    if (!install('--offline') && !install())
      throw new Error('the dependencies of that commit can not be installed');
  }
}

const run = (file: string, ...args: string[]): string =>
  execFileSync(file, args, { cwd: root, encoding: 'utf8' }).trim();
