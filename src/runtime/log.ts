import { pino, type Logger } from 'pino';
import { LogDestination } from './log-destination.ts';
import { outliveStreams } from './warnings.ts';

export type { Logger };

/** Fields that must never reach a log, wherever they stand in an object. */
const SECRETS = [
  'password',
  'token',
  'api_token',
  'cookie',
  'authorization',
  'privateKeyPem',
  'csrfToken',
  'passwordHash',
];

/** Structured logs, one JSON object a line, on standard output: the supervisor or systemd keeps them. */
export function createLogger(process: string, destination = new LogDestination()): Logger {
  const options = {
    base: { process },
    level: globalThis.process.env['HOLDFAST_LOG_LEVEL'] ?? 'info',
    timestamp: pino.stdTimeFunctions.isoTime,
    serializers: { error: pino.stdSerializers.err },
    redact: { paths: SECRETS.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]), censor: '[hidden]' },
  };
  return pino(options, destination);
}

/** From here on the process goes on whatever becomes of its log, which also takes the warnings of Node. */
export function outliveWith(log: Logger): void {
  outliveStreams((warning) => log.warn({ error: warning }, 'a warning of Node'));
}
