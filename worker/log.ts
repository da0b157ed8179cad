import { DefaultLogger, makeTelemetryFilterString, Runtime } from '@temporalio/worker';
import { pino, type Logger } from 'pino';

/** The service's log: JSON lines, or readable ones on a terminal. */
export function createLog(level: string): Logger {
  if (!process.stdout.isTTY) return pino({ level, base: null });
  return pino({
    level,
    base: null,
    transport: { target: 'pino-pretty', options: { translateTime: 'SYS:HH:MM:ss' } },
  });
}

const SDK_LEVELS = { TRACE: 'trace', DEBUG: 'debug', INFO: 'debug', WARN: 'warn', ERROR: 'error' } as const;

/** Sends the SDK's own messages (from WARN up) into the service's log. Once a process: the SDK has one runtime. */
export function installSdkLog(log: Logger): void {
  const logger = new DefaultLogger('WARN', ({ level, message, meta }) => {
    // A failed device ends its run as Failed by design: that is the records' news, not the log's.
    log[message === 'Workflow failed' ? 'debug' : SDK_LEVELS[level]]({ sdk: meta }, message);
  });
  install(logger);
}

/** For commands that use the SDK and tell themselves what comes of it. */
export function silenceSdkLog(): void {
  install(new DefaultLogger('ERROR', () => undefined));
}

function install(logger: DefaultLogger): void {
  try {
    const logging = { forward: {}, filter: makeTelemetryFilterString({ core: 'ERROR' }) };
    Runtime.install({ logger, shutdownSignals: [], telemetryOptions: { logging } });
  } catch {
    // Installed already by an earlier service in this process (the tests, a demo): it logs to that one's log.
  }
}
