import { readFileSync } from 'node:fs';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { HoldfastError } from '../protocol/errors.ts';
import type { NotificationSettings } from '../protocol/incidents.ts';
import type { Configuration } from '../runtime/config.ts';
import { api } from './api.ts';
import { printJson } from './output.ts';

function settingsText({ webhook, email }: NotificationSettings): string {
  const hook = webhook === null ? 'not set' : `${webhook.url}${webhook.hasSecret ? ' (with a secret)' : ''}`;
  const username = email?.username ?? null;
  const login = username === null ? '' : `, as ${username}${email?.hasPassword ? ' with a password' : ''}`;
  const mail =
    email === null
      ? 'not set'
      : `${email.host}:${email.port} (${email.security}${login}), from ${email.from} to ${email.to.join(', ')}`;
  return `webhook  ${hook}\nemail    ${mail}`;
}

/** A secret never comes as an argument: those are visible to everybody on the machine. "-": standard input. */
function readSecret(file: string | undefined): string | undefined {
  if (file === undefined) return undefined;
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8').trim();
  } catch (error) {
    throw new HoldfastError('input-invalid', `The file with the secret cannot be read: ${file}`, { cause: error });
  }
}

function port(value: string): number {
  const number = Number(value);
  if (!Number.isInteger(number) || number < 1 || number > 65535)
    throw new InvalidArgumentError('A port is 1 to 65535.');
  return number;
}

interface EmailOptions {
  host?: string;
  port: number;
  security: 'none' | 'starttls' | 'tls';
  username?: string;
  passwordFile?: string;
  from?: string;
  to: string[];
  off?: boolean;
  json?: boolean;
}

export function notifyCommands(program: Command, configuration: Configuration): void {
  const notify = program.command('notify').description('who is told of incidents, and how');
  const change = async (values: Partial<NotificationSettings>, json: boolean | undefined): Promise<void> => {
    const body = { ...(await api(configuration, 'notifications.get')), ...values };
    const settings = await api(configuration, 'notifications.change', { body });
    if (json) printJson(settings);
    else process.stdout.write(`${settingsText(settings)}\nTry it with: holdfast notify test\n`);
  };

  notify
    .command('show')
    .description('what is set up; secrets are never shown')
    .option('--json', 'machine-readable')
    .action(async (options: { json?: boolean }) => {
      const settings = await api(configuration, 'notifications.get');
      if (options.json) return printJson(settings);
      process.stdout.write(`${settingsText(settings)}\n`);
    });

  notify
    .command('set-webhook [url]')
    .description("send what Prometheus' Alertmanager would send (webhook version 4)")
    .option('--secret-file <file>', 'sent as a bearer token; - reads it from standard input')
    .option('--off', 'send nothing any more')
    .option('--json', 'machine-readable')
    .action(async (url: string | undefined, options: { secretFile?: string; off?: boolean; json?: boolean }) => {
      if (options.off) return await change({ webhook: null }, options.json);
      if (url === undefined)
        throw new HoldfastError('input-invalid', 'Say where to: holdfast notify set-webhook https://...');
      const secret = readSecret(options.secretFile);
      await change({ webhook: { url, ...(secret === undefined ? {} : { secret }) } }, options.json);
    });

  notify
    .command('set-email')
    .description('send mails through a mail server')
    .option('--host <name>', 'the mail server')
    .option('--port <port>', 'its port', port, 587)
    .addOption(
      new Option('--security <kind>', 'how the connection is protected')
        .choices(['starttls', 'tls', 'none'])
        .default('starttls'),
    )
    .option('--username <name>', 'when the server wants to know who sends')
    .option('--password-file <file>', 'the password; - reads it from standard input; left out: as it is')
    .option('--from <address>', 'sender')
    .option('--to <address>', 'receiver; repeat for more', (value: string, all: string[]) => [...all, value], [])
    .option('--off', 'send nothing any more')
    .option('--json', 'machine-readable')
    .action(async (options: EmailOptions) => {
      if (options.off) return await change({ email: null }, options.json);
      const { host, from, to, security } = options;
      if (host === undefined || from === undefined || to.length === 0) {
        throw new HoldfastError('input-invalid', 'Say at least --host, --from and --to.');
      }
      const password = readSecret(options.passwordFile);
      const email = { host, port: options.port, security, username: options.username ?? null, from, to };
      await change({ email: { ...email, ...(password === undefined ? {} : { password }) } }, options.json);
    });

  notify
    .command('test')
    .description('send a test everywhere; exit code 0 only when every one arrived')
    .option('--json', 'machine-readable')
    .action(async (options: { json?: boolean }) => {
      const outcome = await api(configuration, 'notifications.test');
      if (options.json) printJson(outcome);
      else
        for (const [channel, said] of Object.entries(outcome))
          process.stdout.write(`${channel.padEnd(9)}${said ?? 'not set up'}\n`);
      const said = Object.values(outcome).filter((entry) => entry !== null);
      if (said.length === 0 || said.some((entry) => entry !== 'sent')) process.exitCode = 1;
    });
}
