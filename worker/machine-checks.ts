import { once } from 'node:events';
import { createServer } from 'node:net';
import { resolve } from 'node:path';
import { isDataFolderClaimed } from './data-folder.js';
import { hasTls, portsOf, type Problem, type Values } from './environment.js';
import { temporalCliProblem } from './temporal/cli-binary.js';
import { orphanOf } from './temporal/own-process.js';
import { fileProblem, readTls } from './tls.js';

/** What the configuration needs of this machine and does not have. Looks, and changes nothing. */
export async function machineProblems(
  values: Values,
  paths: { readonly temporalProcess: string },
): Promise<readonly Problem[]> {
  const problems = [...(await tlsFileProblems(values)), ...(await cliProblems(values))];
  // Its ports are taken by the running service; the data folder's own message says so.
  if (isDataFolderClaimed(resolve(values.FERRY_DATA_DIR))) return problems;
  const { ofHost, ofTemporal } = portsOf(values);
  const hostIsWrong = await hostProblems(values);
  const probes = [...(hostIsWrong.length > 0 ? [] : ofHost.map((name) => [name, values.FERRY_HOST] as const))];
  // A server that a killed Ferry has left behind is ended by the start, and gives its ports back.
  const hasOrphan = (await orphanOf(paths.temporalProcess)) !== undefined;
  if (!hasOrphan) probes.push(...ofTemporal.map((name) => [name, '127.0.0.1'] as const));
  const taken = await Promise.all(probes.map(([name, host]) => portProblems(name, Number(values[name]), host)));
  return [...problems, ...hostIsWrong, ...taken.flat()];
}

async function tlsFileProblems(values: Values): Promise<Problem[]> {
  if (!hasTls(values)) return [];
  const names = ['FERRY_TLS_CERT', 'FERRY_TLS_KEY', 'FERRY_TLS_CLIENT_CA'] as const;
  const found = await Promise.all(
    names.map(async (name): Promise<Problem[]> => {
      const path = values[name];
      const message = path === undefined ? undefined : await fileProblem(path);
      return message === undefined ? [] : [{ variables: [name], message }];
    }),
  );
  const unreadable = found.flat();
  if (unreadable.length > 0) return unreadable;
  const { FERRY_TLS_CERT: cert = '', FERRY_TLS_KEY: key = '', FERRY_TLS_CLIENT_CA: clientCa } = values;
  try {
    await readTls({ cert, key, clientCa });
    return [];
  } catch (error) {
    const message = `can't be used: ${(error as Error).message}. Make a set for trying out by "ferry tls create"`;
    return [{ variables: ['FERRY_TLS_CERT', 'FERRY_TLS_KEY'], message }];
  }
}

async function cliProblems({ TEMPORAL_ADDRESS, TEMPORAL_CLI }: Values): Promise<Problem[]> {
  if (TEMPORAL_ADDRESS !== undefined || TEMPORAL_CLI === undefined) return [];
  const message = await temporalCliProblem(TEMPORAL_CLI);
  return message === undefined ? [] : [{ variables: ['TEMPORAL_CLI'], message }];
}

/** Whether this machine can listen on the host at all. */
async function hostProblems({ FERRY_HOST: host }: Values): Promise<Problem[]> {
  const code = await listeningProblem(host, 0);
  if (code === undefined) return [];
  const known: Readonly<Record<string, string>> = {
    ENOTFOUND: `the name ${host} does not resolve to an address`,
    EAI_AGAIN: `the name ${host} can't be resolved at present: the name server does not answer`,
    EADDRNOTAVAIL: `${host} is no address of this machine`,
    EAFNOSUPPORT: `this machine has no addresses of the kind of ${host}`,
  };
  return [{ variables: ['FERRY_HOST'], message: known[code] ?? `${host} can't be listened on (${code})` }];
}

async function portProblems(name: string, port: number, host: string): Promise<Problem[]> {
  const code = port === 0 ? undefined : await listeningProblem(host, port);
  if (code === undefined) return [];
  const known: Readonly<Record<string, string>> = {
    EADDRINUSE: `port ${port} is in use by another process; free it, or set another one (0: any free port)`,
    EACCES: `port ${port} needs rights that this user does not have; set one above 1023`,
  };
  return [{ variables: [name], message: known[code] ?? `port ${port} can't be listened on (${code})` }];
}

/** The system's code for why a port can't be listened on; undefined if it can. */
async function listeningProblem(host: string, port: number): Promise<string | undefined> {
  const probe = createServer();
  try {
    probe.listen(port, host);
    await once(probe, 'listening');
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  } finally {
    await new Promise((closed) => probe.close(closed));
  }
}
