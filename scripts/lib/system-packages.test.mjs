import { describe, expect, it } from 'vitest';
import { instructions, packageManager } from './system-packages.mjs';

describe('packageManager()', () => {
  it('goes by the distribution or what it is like', () => {
    expect(packageManager('linux', 'NAME="Debian"\nID=debian\n')).toBe('apt');
    expect(packageManager('linux', 'ID=linuxmint\nID_LIKE="ubuntu debian"\n')).toBe('apt');
    expect(packageManager('linux', 'ID="rocky"\nID_LIKE="rhel centos fedora"\n')).toBe('dnf');
    expect(packageManager('linux', 'ID=alpine\n')).toBeUndefined();
    expect(packageManager('darwin', '')).toBe('brew');
  });
});

describe('instructions()', () => {
  it('is one command', () => {
    expect(instructions('redis-server', 'apt', ['redis-server'])).toContain(
      'sudo apt-get update && sudo apt-get install -y --no-install-recommends redis-server',
    );
    expect(instructions('redis-server', 'dnf', ['redis'])).toContain('sudo dnf install -y redis');
    expect(instructions('both', 'brew', ['redis', '--cask', 'chromium'])).toContain(
      'brew install redis && brew install --cask chromium',
    );
  });

  it('names what is missing where the package manager is unknown', () => {
    expect(instructions('redis-server', undefined, [])).toContain('Missing: redis-server');
  });
});
