// Measures what a browser loads before the console's first content: the entry, one page and one language, with all that
// they import, compressed by gzip. Fails beyond the limit. Run after `npm run build`.
import { readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const LIMIT_KB = 350;
const CONSOLE = join(dirname(fileURLToPath(import.meta.url)), '..', 'dist', 'console');
const LANGUAGES = { en: 'en_US', zh: 'zh_CN' };

const manifest = JSON.parse(await readFile(join(CONSOLE, 'manifest.json'), 'utf8'));
const chunks = Object.entries(manifest);
const pages = chunks.map(([source]) => source).filter((source) => /^pages\/.*-page\.tsx$/.test(source));

/** The files that a chunk needs at once. */
function filesOf(source, files = new Set()) {
  const chunk = manifest[source];
  if (!chunk) throw new Error(`${source} is not in the manifest of dist/console`);
  if (files.has(chunk.file)) return files;
  for (const file of [chunk.file, ...(chunk.css ?? []), ...(chunk.assets ?? [])]) files.add(file);
  for (const imported of chunk.imports ?? []) filesOf(imported, files);
  return files;
}

async function kilobytesOf(files) {
  const sizes = await Promise.all(Array.from(files, async (file) => (await stat(join(CONSOLE, `${file}.gz`))).size));
  return sizes.reduce((sum, size) => sum + size, 0) / 1024;
}

const rows = [];
for (const page of pages) {
  for (const [language, antd] of Object.entries(LANGUAGES)) {
    const [locale] = chunks.find(([source]) => source.endsWith(`antd/es/locale/${antd}.js`)) ?? [];
    const sources = ['index.html', page, `texts/${language}/index.ts`, ...(locale ? [locale] : [])];
    const files = new Set(sources.flatMap((source) => [...filesOf(source)]));
    rows.push({ page: page.split('/')[1], language, kB: Math.round(await kilobytesOf(files)) });
  }
}
console.table(rows);
const tooLarge = rows.filter(({ kB }) => kB > LIMIT_KB);
if (tooLarge.length > 0) {
  console.error(`More than ${LIMIT_KB} kB (gzip) before the first content. Load what is large when it is needed.`);
  process.exit(1);
}
