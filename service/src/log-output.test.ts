import { expect, test } from 'vitest';
import { LogOutput } from './log-output.ts';

type Written = (error: NodeJS.ErrnoException | null, written: number) => void;

function output() {
  const tries: { text: string; done: Written }[] = [];
  const complaints: string[] = [];
  const returns: number[] = [];
  const log = new LogOutput({
    fd: 1,
    complain: (text) => complaints.push(text),
    onReturned: (lost) => returns.push(lost),
    write: (_fd, bytes, done) => void tries.push({ text: bytes.toString(), done }),
  });
  const fail = (code: string) => tries.at(-1)?.done(Object.assign(new Error(code), { code }), 0);
  const pass = (bytes = tries.at(-1)?.text.length ?? 0) => tries.at(-1)?.done(null, bytes);
  const texts = () => tries.map(({ text }) => text);
  return { log, fail, pass, texts, complaints, returns };
}

test('lines that come while one is written go together after it', () => {
  const { log, pass, texts, complaints } = output();
  for (const line of ['1\n', '2\n', '3\n']) log.write(line);
  expect(texts()).toEqual(['1\n']);
  pass();
  expect(texts()).toEqual(['1\n', '2\n3\n']);
  pass();
  expect(complaints).toEqual([]);
});

test('what was written in part goes on where it was', () => {
  const { log, pass, texts } = output();
  log.write('12345\n');
  pass(2);
  expect(texts()).toEqual(['12345\n', '345\n']);
});

test('what a full disk does not take is lost, which is said once, and in the log when it has room again', () => {
  const { log, fail, pass, texts, complaints, returns } = output();
  log.write('1\n');
  log.write('2\n');
  log.write('3\n');
  fail('ENOSPC');
  fail('ENOSPC');
  expect(complaints).toEqual([expect.stringContaining('ENOSPC')]);
  expect(returns).toEqual([]);
  log.write('4\n');
  pass();
  expect(texts().at(-1)).toBe('4\n');
  expect(returns).toEqual([3]);
});

test('of a reader who does not read any more the process holds no more than a bound', () => {
  const { log, pass, texts, complaints } = output();
  const line = `${'x'.repeat(9_999)}\n`;
  for (let i = 0; i < 1_000; i += 1) log.write(line);
  expect(complaints).toHaveLength(1);
  pass();
  expect(texts().at(-1)?.length).toBeLessThan(1_100_000);
});
