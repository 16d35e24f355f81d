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
