import { type Logger, pino } from 'pino';

export type LogFields = Readonly<Record<string, unknown>>;

/** One wide event per request or job, with stable names. Prompts, answers, keys and secrets never go in. */
export interface Log {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
  child(fields: LogFields): Log;
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

/** Field names whose values are cut out wherever they appear at the first two levels. */
const REDACTED = ['authorization', 'apiKey', 'api_key', 'secret', 'pepper', 'password', 'cookie'];

/** JSON lines on `destination` (a file descriptor; stderr by default, so that stdout stays for answers). */
export function createLog(level: LogLevel, destination = 2): Log {
  const logger = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      messageKey: 'event',
      redact: { paths: REDACTED.flatMap(name => [name, `*.${name}`]), censor: '***' },
    },
    // A blocked or closed log pipe must not stop requests: asynchronous, bounded, and errors are swallowed.
    pino.destination({ dest: destination, sync: false, maxLength: 1_048_576 }).on('error', () => {}),
  );
  return wrap(logger);
}

type Pino = Pick<Logger<never>, 'debug' | 'info' | 'warn' | 'error'> & { child(bindings: LogFields): Pino };

function wrap(logger: Pino): Log {
  return {
    debug: (event, fields) => logger.debug(fields ?? {}, event),
    info: (event, fields) => logger.info(fields ?? {}, event),
    warn: (event, fields) => logger.warn(fields ?? {}, event),
    error: (event, fields) => logger.error(fields ?? {}, event),
    child: fields => wrap(logger.child(fields)),
  };
}

export const silentLog: Log = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  child: () => silentLog,
};
