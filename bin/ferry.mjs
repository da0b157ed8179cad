#!/usr/bin/env node
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const program = new URL('../dist/ferry.js', import.meta.url);

if (!existsSync(fileURLToPath(program))) {
  console.error('Ferry is not built yet. Run "npm run build", or start it with "npm start".');
  process.exit(1);
}
await import(program.href);
