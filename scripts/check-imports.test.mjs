import { describe, expect, it } from 'vitest';
import { checkImports, violations } from './check-imports.mjs';

const count = (file, source) => violations(file, source).length;

describe('the dependency rule', () => {
  it('lets sfu, signaling and sdk import protocol', () => {
    for (const home of ['sfu', 'signaling', 'sdk']) {
      expect(count(`${home}/src/a.ts`, "import { x } from '@bedside/protocol';")).toBe(0);
    }
  });

  it('keeps sfu, signaling and sdk apart', () => {
    for (const home of ['sfu', 'signaling', 'sdk']) {
      for (const other of ['sfu', 'signaling', 'sdk'].filter((name) => name !== home)) {
        expect(count(`${home}/src/a.ts`, `import type { X } from '@bedside/${other}';`)).toBe(1);
      }
    }
  });

  it('lets protocol import none of the others', () => {
    expect(count('protocol/src/a.ts', "export * from '@bedside/sdk';")).toBe(1);
    expect(count('protocol/src/a.ts', "import { z } from 'zod/mini';")).toBe(0);
  });

  it('sees relative paths, dynamic imports, requires and subpaths', () => {
    expect(count('sfu/src/a.ts', "import { x } from '../../signaling/src/x.ts';")).toBe(1);
    expect(count('sdk/src/a.ts', "const x = await import('@bedside/signaling');")).toBe(1);
    expect(count('sdk/src/a.ts', "require('@bedside/sfu/src/x.ts')")).toBe(1);
    expect(count('sdk/src/a.ts', "import '../../sfu/src/x.ts';")).toBe(1);
    expect(count('sfu/src/a.ts', "import {\n  a,\n  b,\n} from '@bedside/sdk';")).toBe(1);
  });

  it('lets tests, and only tests, use the native peer of load-tests', () => {
    const source = "import { peer } from '../../load-tests/native/peer.ts';";
    expect(count('sfu/src/a.integration.test.ts', source)).toBe(0);
    expect(count('sfu/src/a.ts', source)).toBe(1);
    expect(count('sfu/src/a.test.ts', "import '@bedside/signaling';")).toBe(1);
  });

  it('leaves imports inside a package alone', () => {
    expect(count('sdk/src/a/b.ts', "import { x } from '../c.ts';")).toBe(0);
  });

  it('names file, line and rule', () => {
    expect(violations('sdk/src/a.ts', "\nimport '@bedside/sfu';")).toEqual([
      {
        file: 'sdk/src/a.ts',
        line: 2,
        specifier: '@bedside/sfu',
        rule: 'sdk may import protocol, not sfu',
      },
    ]);
  });

  it('holds in this checkout', () => {
    expect(checkImports()).toEqual([]);
  });
});
