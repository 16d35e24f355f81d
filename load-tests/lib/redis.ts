import { connect } from 'node:net';

type Reply = number | string | null | Reply[];

/**
 * One command to Redis on a connection of its own, as the user of the URL, for looking at what a run left behind. Texts in the
 * reply are bytes, a character each (latin1).
 * @throws Error that Redis answers with, or when it does not answer in 5 s.
 */
export function redisCommand(url: string, ...words: string[]): Promise<Reply> {
  const { hostname, port, username, password } = new URL(url);
  const auth = password === '' ? [] : [['AUTH', ...(username ? [username] : []), password]];
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port) });
    let received = '';
    socket.setTimeout(5_000, () => socket.destroy(new Error('Redis did not answer in 5 s')));
    socket.setEncoding('latin1');
    socket.once('connect', () => {
      for (const command of [...auth, words])
        socket.write(
          command.reduce(
            (text, word) => `${text}$${Buffer.byteLength(word)}\r\n${word}\r\n`,
            `*${command.length}\r\n`,
          ),
        );
    });
    socket.on('data', (chunk: string) => {
      received += chunk;
      let reply = readReply(received, 0);
      if (reply && auth.length > 0 && !(reply.value instanceof Error))
        reply = readReply(received, reply.end);
      if (!reply) return;
      socket.end();
      if (reply.value instanceof Error) reject(reply.value);
      else resolve(reply.value);
    });
    socket.once('error', reject);
  });
}

/** One reply of RESP2 from `start` on, or undefined while it is not whole. */
function readReply(text: string, start: number): { value: Reply | Error; end: number } | undefined {
  const lineEnd = text.indexOf('\r\n', start);
  if (lineEnd < 0) return undefined;
  const line = text.slice(start + 1, lineEnd);
  const end = lineEnd + 2;
  switch (text[start]) {
    case ':':
      return { value: Number(line), end };
    case '+':
      return { value: line, end };
    case '-':
      return { value: new Error(line), end };
    case '$': {
      const length = Number(line);
      if (length < 0) return { value: null, end };
      if (text.length < end + length + 2) return undefined;
      return { value: text.slice(end, end + length), end: end + length + 2 };
    }
    default: {
      const values: Reply[] = [];
      let next = end;
      for (let i = 0; i < Number(line); i += 1) {
        const item = readReply(text, next);
        if (!item) return undefined;
        if (item.value instanceof Error) return item;
        values.push(item.value);
        next = item.end;
      }
      return { value: values, end: next };
    }
  }
}

/** All keys, for a database that only a test uses. */
export async function redisKeys(url: string): Promise<string[]> {
  return (await redisCommand(url, 'KEYS', '*')) as string[];
}
