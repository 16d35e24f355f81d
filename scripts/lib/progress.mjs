/** What is done faster than this is not mentioned, in ms. */
const QUIET_MS = 2_000;
/** Without a terminal (CI) a line is printed at most this often, in ms. */
const PLAIN_INTERVAL_MS = 15_000;

const seconds = (ms) => `${(ms / 1000).toFixed(ms < 10_000 ? 1 : 0)} s`;

/**
 * Runs `work` and shows that it goes on once it takes longer than two seconds.
 *
 * @template T
 * @param {string} label what is being done, for a person
 * @param {(detail: (text: string) => void) => Promise<T>} work gets a function to say how far it is
 * @returns {Promise<T>}
 */
export async function step(label, work) {
  const out = process.stderr;
  const started = performance.now();
  let detail = '';
  let shown = false;
  let lastPlain = 0;

  const draw = () => {
    const now = performance.now();
    if (now - started < QUIET_MS) return;
    const text = `${label}${detail ? `: ${detail}` : ''} (${seconds(now - started)})`;
    if (out.isTTY) {
      out.write(`\r\x1b[2K${text.slice(0, (out.columns ?? 80) - 1)}`);
    } else if (!shown || now - lastPlain >= PLAIN_INTERVAL_MS) {
      out.write(`${text}\n`);
      lastPlain = now;
    }
    shown = true;
  };

  const timer = setInterval(draw, 250);
  let outcome = 'failed';
  try {
    const result = await work((text) => {
      detail = text;
    });
    outcome = 'done';
    return result;
  } finally {
    clearInterval(timer);
    if (shown || outcome === 'failed') {
      if (out.isTTY) out.write('\r\x1b[2K');
      out.write(`${label}: ${outcome} (${seconds(performance.now() - started)})\n`);
    }
  }
}
