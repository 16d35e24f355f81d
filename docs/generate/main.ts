/** `npm run docs`: writes the generated files of docs/. */
import { writeFileSync } from 'node:fs';
import { documents } from './documents.ts';

for (const [name, content] of Object.entries(documents())) {
  writeFileSync(new URL(`../${name}`, import.meta.url), content);
  process.stdout.write(`docs/${name}\n`);
}
