import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PROJECT_FOLDER } from '../../worker/paths.js';
import { World } from './world.js';

/* The OpenAPI document, as generators of clients take it. */

type Schema = Record<string, unknown>;
interface Operation {
  readonly operationId: string;
  readonly requestBody?: { readonly required?: boolean };
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly schema: Schema }[];
}
interface Document {
  readonly info: Record<string, unknown>;
  readonly servers: readonly { readonly url: string }[];
  readonly paths: Record<string, Record<string, Operation>>;
  readonly components: { readonly schemas: Record<string, { readonly properties: Record<string, Schema> }> };
}

const run = promisify(execFile);
let world: World;
let document: Document;
let folder: string;
beforeAll(async () => {
  world = await World.open();
  folder = await mkdtemp(join(tmpdir(), 'ferry-openapi-'));
  document = (await (await world.request('/openapi.json')).json()) as Document;
});
afterAll(async () => {
  await world.close();
  await rm(folder, { recursive: true });
});

/** What Redocly's linter says of the document by its recommended rules, one line each; nothing if all is well. */
async function lint(): Promise<string> {
  const file = join(folder, 'openapi.json');
  const config = join(folder, 'redocly.yaml');
  await writeFile(file, JSON.stringify(document));
  // Routes that only read, of the service itself, have nothing that a client could do wrong.
  await writeFile(config, 'extends: [recommended]\nrules:\n  operation-4xx-response: off\n');
  const program = join(PROJECT_FOLDER, 'node_modules', '@redocly', 'cli', 'bin', 'cli.js');
  const env = { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true', CI: 'true' };
  const lintArguments = [program, 'lint', file, '--config', config, '--format', 'github-actions'];
  return run(process.execPath, lintArguments, { env, cwd: folder }).then(
    ({ stdout }) => stdout.trim(),
    (error: unknown) => `failed: ${(error as { stdout: string }).stdout.trim()}`,
  );
}

const operations = () => Object.values(document.paths).flatMap((path) => Object.values(path));

describe('The OpenAPI document', () => {
  it('has no error and no warning for a linter', async () => {
    expect(await lint()).toBe('');
  });

  it('gives each operation a name of its own, for the methods of generated clients', () => {
    const ids = operations().map(({ operationId }) => operationId);
    expect(new Set(ids).size).toBe(ids.length);
    for (const id of ids) expect(id).toMatch(/^[a-z]+([A-Z][a-z]+)+$|^sign(In|Out)$/);
  });

  it('names the version of the service, its licence and where it is reached', () => {
    expect(document.info).toMatchObject({ version: '1.2.3', license: { name: 'Apache-2.0' } });
    expect(document.servers).toEqual([{ url: '/' }]);
  });

  it.each([
    ['Versions', 'items', 'claimedBy', 'Conflict'],
    ['Device', 'currentUpdate', undefined, 'DeviceUpdate'],
    ['DeviceUpdate', 'waitingFor', undefined, 'WaitingFor'],
    ['BatchPreview', 'refusal', undefined, 'Problem'],
  ])('lets %s.%s %s be null or what it refers to', (schema, property, inner, target) => {
    const outer = document.components.schemas[schema]?.properties[property];
    const items = outer?.['items'] as { properties: Record<string, Schema> } | undefined;
    const found = inner === undefined ? outer : items?.properties[inner];
    expect(found?.['anyOf']).toEqual([{ $ref: `#/components/schemas/${target}` }, { type: 'null' }]);
    expect(found).not.toHaveProperty('allOf');
  });

  it('shows the pattern of every name that the code holds to one', () => {
    const { schemas } = document.components;
    for (const [schema, property] of [
      ['CreateProduct', 'productKey'],
      ['CreateProduct', 'name'],
      ['ChangeProduct', 'name'],
      ['NewDevice', 'deviceName'],
      ['NewDevice', 'deviceSecret'],
      ['TrustKey', 'publicKey'],
    ] as const) {
      expect(schemas[schema]?.properties[property], `${schema}.${property}`).toHaveProperty('pattern');
    }
    const keys = operations().flatMap(({ parameters = [] }) =>
      parameters.filter(({ name }) => name === 'idempotency-key'),
    );
    expect(keys.length).toBeGreaterThan(3);
    for (const { schema } of keys) expect(schema).toHaveProperty('pattern');
  });

  it('asks for no body where all of it may be left out', async () => {
    for (const path of ['/v1/doctor', '/v1/tasks/{id}/approve', '/v1/tasks/{id}/reject', '/v1/tasks/{id}/reinitiate']) {
      expect(document.paths[path]?.['post']?.requestBody?.required ?? false, path).toBe(false);
    }
  });
});

describe('A body that may be left out', () => {
  it('is refused when it comes as another type, since what it asks for would be left out', async () => {
    const init = { method: 'POST', body: '{"deviceNames":["L-1"]}' };
    const answer = await world.request('/v1/tasks/none/reinitiate', init);
    expect(answer.status).toBe(415);
    expect(((await answer.json()) as { detail: string }).detail).toMatch(/Content-Type.*application\/json/);
    expect((await world.request('/v1/tasks/none/reinitiate', { method: 'POST' })).status).toBe(404);
    expect((await world.request('/v1/tasks/none/approve', { method: 'POST' })).status).toBe(404);
  });
});

describe('The service', () => {
  it('says its version at /healthz', async () => {
    expect(await (await world.request('/healthz')).json()).toEqual({ status: 'ok', version: '1.2.3' });
  });
});
