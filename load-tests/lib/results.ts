import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';

const file = fileURLToPath(new URL('../RESULTS.md', import.meta.url));

/** One run's figures for RESULTS.md. */
export interface Result {
  /** What makes them: "npm run bench:join". Names the section. */
  command: string;
  /** What was measured, and the tables, in Markdown. */
  body: string;
}

/** The document with the section of this command replaced, or added at its end. Pure. */
export function withSection(document: string, command: string, section: string): string {
  const heading = `## \`${command}\``;
  const sections = document.trimEnd().split(/\n(?=## )/);
  const index = sections.findIndex((text) => text.split('\n', 1)[0] === heading);
  const text = `${heading}\n\n${section.trim()}\n`;
  if (index < 0) sections.push(text);
  else sections[index] = text;
  return `${sections.map((part) => part.trimEnd()).join('\n\n')}\n`;
}

/** Writes the figures, with machine, date and commit, in place of the last ones of this command. */
export function record({ command, body }: Result): void {
  const provenance = `${new Date().toISOString().slice(0, 10)}, commit ${commit()}, ${machine()}.`;
  writeFileSync(file, withSection(readFileSync(file, 'utf8'), command, `${provenance}\n\n${body}`));
}

function machine(): string {
  const processors = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  return `${processors.length} × ${processors[0]?.model.trim() ?? 'CPU'}, ${memory} GiB, Linux ${release()}`;
}

function commit(): string {
  const git = (...args: string[]) =>
    execFileSync('git', args, {
      encoding: 'utf8',
      cwd: fileURLToPath(new URL('.', import.meta.url)),
    }).trim();
  try {
    // What was measured is the commit only where the services' folders are as committed.
    const changed = git(
      'status',
      '--porcelain',
      '--',
      '../../protocol',
      '../../sfu',
      '../../signaling',
      '../../sdk',
    );
    return `${git('rev-parse', '--short', 'HEAD')}${changed ? ' with uncommitted changes' : ''}`;
  } catch {
    return 'unknown';
  }
}

/** A Markdown table. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, i) => (i === 0 ? '---' : '--:'))), ...rows.map(line)].join(
    '\n',
  );
}
