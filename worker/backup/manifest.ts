import { readFileSync } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { MANIFEST } from '../data-folder.js';
import { PROJECT_FOLDER } from '../paths.js';
import { BackupError } from './backup-error.js';

/** Raised when an older Ferry could not restore what a newer one has backed up. */
const FORMAT = 1;

/** What a backup is made of, besides its manifest: the paths are those of the data folder. */
export const RECORDS = 'ferry.db';
export const RUNS = 'temporal.db';
export const ADMIN_TOKEN = 'admin-token';
export const SECRET_KEYS = 'secret-keys';
export const firmwarePath = (sha256: string): string => `files/${sha256.slice(0, 2)}/${sha256.slice(2, 4)}/${sha256}`;

const Sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'must be a SHA-256 in hexadecimal digits');
/** A closed set, so that no manifest names a path outside of its folder. */
const Path = z
  .string()
  .refine(
    (path) =>
      [RECORDS, RUNS, ADMIN_TOKEN, SECRET_KEYS].includes(path) ||
      /^files\/[0-9a-f]{2}\/[0-9a-f]{2}\/[0-9a-f]{64}$/.test(path),
    'is no path of a backup',
  );
const Count = z.int().min(0);

const ManifestSchema = z.object({
  format: z.literal(FORMAT, `must be ${FORMAT}: another Ferry made this backup; restore it with that one`),
  ferry: z.string(),
  createdAt: z.iso.datetime(),
  /** `embedded`: its runs are in the backup; `outside`: they are where TEMPORAL_ADDRESS pointed to. */
  temporal: z.enum(['embedded', 'outside']),
  /** The records' newest change number before the runs were copied: the runs know at least this. */
  changeBeforeRuns: Count,
  counts: z.object({
    products: Count,
    devices: Count,
    firmware: Count,
    tasks: Count,
    openTasks: Count,
    openDeviceUpdates: Count,
  }),
  /** Firmware whose file was missing or damaged when the backup was made, and left out as was asked for. */
  damaged: z.array(z.object({ sha256: Sha256, firmware: z.string(), problem: z.string() })),
  /** Device secrets are sealed, and the keys are in no file of this backup: FERRY_SECRET_KEY has them. */
  keysElsewhere: z.boolean().optional(),
  files: z.array(z.object({ path: Path, sizeBytes: Count, sha256: Sha256 })),
});

/** What a backup says of itself. */
export type Manifest = z.infer<typeof ManifestSchema>;
export type ManifestFile = Manifest['files'][number];

/** Written last, durable when it resolves. */
export async function writeManifest(folder: string, manifest: Omit<Manifest, 'format' | 'ferry'>): Promise<Manifest> {
  const whole: Manifest = { format: FORMAT, ferry: ferryVersion(), ...manifest };
  const file = await open(join(folder, MANIFEST), 'wx', 0o600);
  try {
    await file.writeFile(`${JSON.stringify(whole, null, 2)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  return whole;
}

/** @throws BackupError when the folder is no whole backup */
export async function readManifest(folder: string): Promise<Manifest> {
  const path = join(folder, MANIFEST);
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new BackupError(
      `${folder} is no backup: ${MANIFEST} can't be read (${(error as { code?: string }).code ?? String(error)}). Name the folder that "ferry backup" has made.`,
    );
  });
  const parsed = ManifestSchema.safeParse(jsonOf(path, text));
  if (parsed.success) return requireWhole(path, parsed.data);
  const [issue] = parsed.error.issues;
  throw new BackupError(
    `${path} is damaged: ${issue?.path.join('.') || 'it'} ${issue?.message ?? 'is wrong'}. Restore another backup.`,
  );
}

function requireWhole(path: string, manifest: Manifest): Manifest {
  const paths = new Set(manifest.files.map((file) => file.path));
  const missing = [RECORDS, ...(manifest.temporal === 'embedded' ? [RUNS] : [])].find((name) => !paths.has(name));
  if (missing !== undefined)
    throw new BackupError(`${path} is damaged: it does not name ${missing}. Restore another backup.`);
  return manifest;
}

function jsonOf(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new BackupError(`${path} is no whole JSON document: it was cut off or changed. Restore another backup.`);
  }
}

function ferryVersion(): string {
  const { version } = JSON.parse(readFileSync(join(PROJECT_FOLDER, 'package.json'), 'utf8')) as { version: string };
  return version;
}
