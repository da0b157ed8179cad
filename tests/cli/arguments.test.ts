import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseDuration, wholeNumber } from '../../cli/durations.js';
import { parseList, readNames } from '../../cli/names-list.js';
import { localTime, printable, size, timesIn } from '../../cli/printable.js';
import { createProgram } from '../../cli/program.js';
import { table } from '../../cli/table.js';
import { ferry, Terminal } from './terminal.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ferry-cli-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('durations', () => {
  it.each([
    ['7d', 7 * 86_400_000],
    ['12h', 43_200_000],
    ['5m', 300_000],
    ['1.5h', 5_400_000],
    ['90s', 90_000],
    ['250ms', 250],
    ['2 days', 172_800_000],
  ])('%s is %i ms', (text, expected) => {
    expect(parseDuration(text)).toBe(expected);
  });

  it.each(['5', '', 'soon', '-5m', '5 parsecs', '5mm', '1h30m', 'd7'])('%j is refused', (text) => {
    expect(() => parseDuration(text)).toThrow(/duration such as/);
  });
});

describe('numbers and lists', () => {
  it.each(['', ' ', '0', '1.5', 'x', '1e99'])('%j is no whole number from 1 up', (text) => {
    expect(() => wholeNumber(1)(text)).toThrow(/whole number/);
  });

  it('reads a list', () => {
    expect(parseList('a, b,c')).toEqual(['a', 'b', 'c']);
    expect(() => parseList('a,,b')).toThrow();
  });

  it('reads names from a file, and from a CSV with a header', async () => {
    await writeFile(join(folder, 'names'), '# floor 3\nT-1\r\n\nT-2\n');
    await writeFile(join(folder, 'devices.csv'), 'deviceName,deviceSecret\nT-1,abc\nT-2,def\n');
    expect(await readNames(join(folder, 'names'))).toEqual(['T-1', 'T-2']);
    expect(await readNames(join(folder, 'devices.csv'))).toEqual(['T-1', 'T-2']);
  });

  it.each([
    ['semicolons and quotes', '"Device Name";"protocol"\r\n"T-1";mqtt\r\n T-2 ;\r\n;\r\n'],
    ['tabs', 'deviceName\tprotocol\nT-1\tmqtt\nT-2\t\n'],
    ['line ends of old Macs', 'deviceName\rT-1\rT-2\r'],
    ['UTF-16', Buffer.from('\uFEFFdeviceName\nT-1\nT-2\n', 'utf16le')],
  ])('reads names from a table with %s', async (_what, content) => {
    await writeFile(join(folder, 'table.csv'), content);
    expect(await readNames(join(folder, 'table.csv'))).toEqual(['T-1', 'T-2']);
  });

  it('reads names that an export has quoted, since they look like formulas', async () => {
    await writeFile(join(folder, 'failures.csv'), "deviceName,status\n'@T-1,completed\n'-T-2,completed\n");
    expect(await readNames(join(folder, 'failures.csv'))).toEqual(['@T-1', '-T-2']);
  });

  it('refuses a file without a name', async () => {
    await writeFile(join(folder, 'empty'), '\n# nobody\n');
    await expect(readNames(join(folder, 'empty'))).rejects.toThrow(/names no device/);
  });
});

describe('what is shown', () => {
  it('has no control characters and no marks that turn the writing around', () => {
    expect(printable('a\u001b[31mb\nc\u202ed\u0007')).toBe('a·[31mb·c·d·');
  });

  it('has times in one form, with the zone named, also those within a sentence', () => {
    const at = '2030-01-02T03:04:05.678Z';
    expect(localTime(at)).toMatch(/^2030-01-0[123] \d\d:\d\d:05 UTC([+-]\d\d:\d\d)?$/);
    expect(localTime(null)).toBe('–');
    expect(timesIn(`fails on ${at}, or at ${at}`)).toBe(`fails on ${localTime(at)}, or at ${localTime(at)}`);
  });

  it('has sizes in binary units', () => {
    expect([size(12), size(1_536), size(10 * 1024 * 1024)]).toEqual(['12 B', '1.5 KB', '10.0 MB']);
  });

  it('is a table without lines or trailing blanks', () => {
    const drawn = table(
      ['device', 'version'],
      [
        ['T-1', null],
        ['T-1000', '1.0.0'],
      ],
    );
    expect(drawn).toBe('DEVICE  VERSION\nT-1     –\nT-1000  1.0.0');
  });
});

describe('the command line', () => {
  it('exits with 0 for help and the version', async () => {
    expect(await ferry('--help')).toMatchObject({ exitCode: 0, err: '' });
    const terminal = new Terminal();
    expect(await terminal.run(['--version'], { version: '1.2.3' })).toMatchObject({ exitCode: 0, out: '1.2.3\n' });
  });

  it.each([
    ['', 'Usage: ferry'],
    ['bogus', "unknown command 'bogus'"],
    ['task', "missing required argument 'task'"],
    ['tasks --kind both', 'Allowed choices are verification, batch'],
    ['batch main@2.0.0', "required option '--from <versions>'"],
    ['batch main@2.0.0 --from 1.0.0 --stall-timeout 5', 'It must be a duration such as 7d'],
    ['devices P --online --offline', 'cannot be used with option'],
    ['tasks --limit 0', 'whole number from 1'],
    ['simulate --devices 3 --product P --behaviour nice', '"nice" is no behaviour; there are: mix, ok'],
    ['tasks --url nonsense --token t', '--url (FERRY_URL): nonsense is not an http:// or https:// address'],
    ['verify main@2.0.0 --token t', 'Name the devices to try it on'],
    ['device add P a b --secret 12345678 --token t', '--secret fits a single device only'],
    ['device add P a/b --token t', '"a/b" must be 1 to 64 English letters'],
    ['device add P a --secret 1234 --token t', '--secret: must be 8 to 128 printable'],
    ['verify main@2.0.0 --devices a/b --token t', '--devices: no device can have such a name'],
    [
      'batch main@2.0.0 --from 1 --offline-timeout 100y --token t',
      '--offline-timeout: must be from 1 second to 366 days',
    ],
    ['batch main@2.0.0 --from 1 --soak 400d --token t', '--soak: must be from 0 ms to 30 days'],
    ['records forget --older-than 1h --token t', '--older-than: must be 1 day or more'],
  ])('exits with 2 for: ferry %s', async (line, message) => {
    const { exitCode, err, out } = await ferry(line);
    expect({ exitCode, out }).toEqual({ exitCode: 2, out: '' });
    expect(err).toContain(message);
  });

  it('says which address does not answer, and what to start', async () => {
    const { exitCode, err } = await ferry('tasks --url http://127.0.0.1:9 --token t');
    expect(exitCode).toBe(1);
    expect(err).toContain('http://127.0.0.1:9');
    expect(err).toContain('ferry up');
  });

  it.each([
    [['cancel', ''], 'The argument <task> is empty'],
    [['cancel', 'h3k9', '--device', ''], '--device is empty'],
    [['firmware', 'show', ''], 'The argument <firmware> is empty'],
    [['device', 'show', 'P', ''], 'The argument <deviceName> is empty'],
    [['device', 'add', 'P', 'T-1', ''], 'The argument <deviceName> is empty'],
    [['tasks', '--url', ''], '--url is empty'],
    [['cancel', '..'], '".." is no id'],
    [['firmware', 'show', '.'], '"." is no id'],
  ])('refuses an empty word, or one that is another path: %j', async (words, message) => {
    const { exitCode, err } = await new Terminal({ FERRY_TOKEN: 't' }).run(words);
    expect({ exitCode, err }).toEqual({ exitCode: 2, err: expect.stringContaining(message) as string });
  });

  it('answers every error in JSON with --json', async () => {
    for (const [line, code] of [
      ['tasks --limit 0 --json', 'usage'],
      ['bogus --json', 'usage'],
      ['tasks --url nonsense --token t --json', 'usage'],
      ['tasks --url http://127.0.0.1:9 --token t --json', 'no-answer'],
      [`firmware add ${join(folder, 'missing.bin')} --product P --version 1 --token t --json`, 'file'],
      [`keys generate ${folder} --json`, 'failed'],
    ] as const) {
      const { out, err } = await ferry(line);
      expect(out).toBe('');
      expect(JSON.parse(err)).toEqual({ code, detail: expect.stringMatching(/\S/) as string });
    }
  });

  it('marks required options in the help, and names each argument', async () => {
    const text = async (line: string) => (await ferry(`${line} --help`)).out.replaceAll(/\s+/g, ' ');
    expect(await text('firmware add')).toMatch(/--product <key> [^-]*\(required\)/);
    expect(await text('token create')).toMatch(/--role <role> .*\(choices[^)]*\) \(required\)/);
    expect(await text('simulate')).toMatch(/--devices <count> how many \(required\)/);
    expect(await text('device show')).toContain('deviceName name of the device');
    expect(await text('tls create')).toContain('(default: localhost,127.0.0.1)');
  });

  it.each([
    ['task list', 'tasks'],
    ['products', 'product list'],
    ['tokens', 'token list'],
    ['devices P', 'device list P'],
  ])('has "ferry %s" beside "ferry %s"', async (alias, name) => {
    const options = '--limit 3 --url http://127.0.0.1:9 --token t';
    const [one, other] = [await ferry(`${alias} ${options}`), await ferry(`${name} ${options}`)];
    expect(one.err).toContain('No answer');
    expect(one).toEqual(other);
  });

  it('takes address and token from the environment, where an empty one counts as unset', async () => {
    const env = { FERRY_URL: 'http://127.0.0.1:9', FERRY_TOKEN: 't' };
    expect((await ferry('tasks', env)).err).toContain('127.0.0.1:9');
    expect((await ferry('tasks', { FERRY_URL: '', FERRY_TOKEN: '', FERRY_DATA_DIR: folder })).err).toContain(
      `There is no token: ${join(folder, 'admin-token')} can't be read`,
    );
  });

  it('names the file that can not be read', async () => {
    const missing = join(folder, 'missing.bin');
    const { exitCode, err } = await ferry(`firmware add ${missing} --product P --version 1 --token t`);
    expect(exitCode).toBe(1);
    expect(err).toBe(`error: ${missing} does not exist (ENOENT).\n`);
  });

  it('shows defaults in the help as they would be typed', async () => {
    const { out } = await ferry('simulate --help');
    const text = out.replaceAll(/\s+/g, ' ');
    expect(text).toContain('between two percentages (default: 1s)');
    expect(text).toContain('ok=8,silent (default: mix)');
  });

  it('has a description and examples in the help of every command', () => {
    const io = {
      out: { write: () => true },
      err: { write: () => true },
      env: {},
      signals: process,
      exitNow: () => undefined,
    };
    const program = createProgram(io, { version: '1', start: () => Promise.reject(new Error('unused')) });
    const leaves = (command: Command): Command[] =>
      command.commands.length === 0 ? [command] : command.commands.flatMap(leaves);
    const all = leaves(program);
    expect(all.map((command) => command.name())).toContain('reinitiate');
    for (const command of all) {
      let help = '';
      command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp();
      expect(command.description(), command.name()).not.toBe('');
      expect(help, command.name()).toContain('Examples:\n  $ ');
    }
  });
});
