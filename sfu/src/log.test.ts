import { BedsideError } from '@bedside/protocol';
import { expect, test } from 'vitest';
import { createLog } from './log.ts';

const written = (write: (log: ReturnType<typeof createLog>) => void): string => {
  const lines: string[] = [];
  write(createLog('trace', { write: (line) => void lines.push(line) }));
  return lines.join('');
};

test('credentials and descriptions of devices are not written, at any of the depths we log', () => {
  const text = written((log) =>
    log.info({
      token: 'MARKED',
      auth: { token: 'MARKED' },
      request: { dtlsParameters: 'MARKED', peer: { rtpCapabilities: 'MARKED', name: 'MARKED' } },
      config: { controlSecret: 'MARKED' },
    }),
  );
  expect(text).not.toContain('MARKED');
});

test('of an error its own fields are written, with the cause, and nothing hung on it', () => {
  const error = Object.assign(new Error('outer', { cause: new Error('inner') }), {
    config: { headers: 'MARKED' },
  });
  const text = written((log) => log.error({ err: error }));
  expect(text).toContain('outer');
  expect(text).toContain('inner');
  expect(text).not.toContain('MARKED');
});

test('lines have time, level and service as those of the gateway', () => {
  const line = JSON.parse(written((log) => log.info({ port: 7100 }, 'started')));
  expect(line).toEqual({
    level: 'info',
    time: expect.any(String),
    service: 'node',
    port: 7100,
    msg: 'started',
  });
  expect(new Date(line.time).toISOString()).toBe(line.time);
});

test.each([
  'unexpected "MARKED" in an answer',
  'no router [MARKED]',
  'MARKED-abcdefghijklmnop is not known',
  'first line\n    at "MARKED" (file.ts:1:2)',
])('what an error quotes is masked, in the frames too: %s', (message) => {
  const text = written((log) => log.error({ err: new Error('x', { cause: new Error(message) }) }));
  expect(text).not.toContain('MARKED');
  expect(JSON.parse(text).err.cause.stack[0]).toMatch(/^at .*log\.test\.ts/);
});

test('the text of our own errors is written as it is', () => {
  const error = new BedsideError('unsupported-version');
  expect(JSON.parse(written((log) => log.error({ err: error }))).err).toMatchObject({
    code: 'unsupported-version',
    message: error.message,
  });
});
