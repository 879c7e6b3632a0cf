import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import type { Status } from '../protocol/browser.ts';
import { HoldfastError } from '../protocol/errors.ts';
import { layoutOf, type Configuration } from '../runtime/config.ts';
import { api } from './api.ts';
import { printJson, table } from './output.ts';
import { outliveReader } from './pipes.ts';
import { redundancyWords } from './volume.ts';
import { BENCH_PACKAGES, installPackages, PLATFORM_PACKAGES, TEST_PACKAGES } from './start/packages.ts';
import { start } from './start/start.ts';

/** One Ctrl-C comes twice under npm: from the terminal, and from npm, which passes on what it gets. */
const SAME_SIGNAL_MS = 300;

/** Resolves with what to say when a signal asks the platform to stop; a third one ends the process at once. */
function stopSignal(): Promise<string> {
  return new Promise((resolve) => {
    let asked = 0;
    let last = -Infinity;
    const on = (signal: string) => (): void => {
      const now = performance.now();
      const again = now - last < SAME_SIGNAL_MS;
      last = now;
      if (again) return;
      asked += 1;
      if (asked > 2) process.exit(130);
      resolve(signal);
    };
    process.on('SIGINT', on('Ctrl-C'));
    process.on('SIGTERM', on('Asked to stop'));
    process.on('SIGHUP', on('Terminal closed'));
  });
}

/** Switches the reaction, or asks; whether it is on. */
async function reaction(configuration: Configuration, state: string): Promise<boolean> {
  if (state === 'on' || state === 'off') {
    return (await api(configuration, 'health.setReaction', { body: { enabled: state === 'on' } })).enabled;
  }
  if (state !== 'show') throw new HoldfastError('input-invalid', `"${state}" is not on, off or show.`);
  const { host } = await api(configuration, 'health.get');
  if (host === null) throw new HoldfastError('agent-unreachable', 'The host does not say. Look at holdfast status.');
  return host.reaction;
}

export function platformCommands(program: Command, configuration: Configuration): void {
  program
    .command('start')
    .description('set up what is missing, start everything and stay in the foreground until Ctrl-C')
    .option('--set-up-only', 'install and build what is missing, then exit')
    .action(async (options: { setUpOnly?: boolean }) => {
      // The platform does not end because nobody reads what its start says.
      if (options.setUpOnly !== true) outliveReader();
      await start(configuration, {
        say: (line) => process.stdout.write(`${line}\n`),
        stopRequested: stopSignal(),
        ...(options.setUpOnly === undefined ? {} : { setUpOnly: options.setUpOnly }),
      });
    });

  program
    .command('prepare-tests')
    .description('install what npm test needs')
    .action(async () => {
      await installPackages([...PLATFORM_PACKAGES, ...TEST_PACKAGES], (line) => process.stdout.write(`${line}\n`));
    });

  program
    .command('prepare-bench')
    .description('install what npm run bench needs')
    .action(async () => {
      await installPackages([...PLATFORM_PACKAGES, ...BENCH_PACKAGES], (line) => process.stdout.write(`${line}\n`));
    });

  program
    .command('status')
    .description('whether the platform answers; exit code 0 only when it is ready')
    .option('--json', 'machine-readable')
    .action(async (options: { json?: boolean }) => {
      let status: Status;
      try {
        status = await api(configuration, 'platform.status', {}, { deadlineMs: 10_000 });
      } catch (error) {
        if (!(error instanceof HoldfastError)) throw error;
        if (options.json) printJson({ ready: false, version: configuration.version, reason: error.message });
        else process.stdout.write(`not ready: ${error.message}\n`);
        process.exitCode = 69;
        return;
      }
      if (options.json) printJson(status);
      else {
        process.stdout.write(`${status.ready ? 'ready' : 'not ready'}, version ${status.version}\n`);
        process.stdout.write(`agent ${status.agent}, gateway ${status.gateway}, supervisor ${status.supervisor}\n`);
        for (const volume of status.volumes) {
          process.stdout.write(`volume ${volume.name}: ${volume.state}, redundancy ${redundancyWords(volume)}\n`);
        }
      }
      if (!status.ready) process.exitCode = 69;
    });

  program
    .command('operations')
    .description('long work of the platform with its steps')
    .option('--json', 'machine-readable')
    .action(async (options: { json?: boolean }) => {
      const operations = await api(configuration, 'operations.list');
      if (options.json) return printJson(operations);
      const rows = operations.map((entry) => [
        entry.id,
        entry.kind,
        entry.subject,
        entry.state +
          (entry.progress === null || entry.state !== 'running' ? '' : ` ${Math.round(entry.progress * 100)} %`),
        entry.steps.find((step) => step.state === 'running' || step.state === 'failed')?.name ?? '',
        entry.error ?? '',
      ]);
      process.stdout.write(`${table(['id', 'kind', 'subject', 'state', 'step', 'error'], rows)}\n`);
    });

  program
    .command('audit')
    .description('security-relevant acts, the newest first')
    .option('--json', 'machine-readable')
    .option('--limit <count>', 'how many', '50')
    .action(async (options: { json?: boolean; limit: string }) => {
      const entries = await api(configuration, 'audit.list', { query: { limit: options.limit } });
      if (options.json) return printJson(entries);
      const rows = entries.map((entry) => [
        entry.at,
        entry.actor,
        entry.action,
        entry.subject,
        entry.outcome,
        entry.detail,
      ]);
      process.stdout.write(`${table(['at', 'who', 'what', 'on', 'outcome', 'detail'], rows)}\n`);
    });

  const platform = program.command('platform').description('settings of the whole platform');

  platform
    .command('reaction [state]')
    .description('whether the host repairs by itself: on, off, or show (kept over restarts)')
    .option('--json', 'machine-readable')
    .action(async (state: string | undefined, options: { json?: boolean }) => {
      const enabled = await reaction(configuration, state ?? 'show');
      if (options.json) printJson({ enabled });
      else process.stdout.write(enabled ? 'on: the host repairs by itself\n' : 'off: a hung disk waits for you\n');
    });

  platform
    .command('metrics-token')
    .description('the token with which Prometheus reads /metrics; made when there is none')
    .option('--renew', 'make a new one; the old one stops working at once')
    .option('--json', 'machine-readable')
    .action(async (options: { renew?: boolean; json?: boolean }) => {
      const known = options.renew ? null : (await api(configuration, 'metrics.token')).token;
      const token = known ?? (await api(configuration, 'metrics.renewToken')).token;
      if (options.json) printJson({ token });
      else process.stdout.write(`${token}\n`);
    });

  program
    .command('trust')
    .description("how to make browsers and tools trust this platform's certificates")
    .option('--pem', 'print only the certificate of the authority')
    .action((options: { pem?: boolean }) => {
      const file = join(layoutOf(configuration).gateway, 'authority.pem');
      let pem: string;
      try {
        pem = readFileSync(file, 'utf8');
      } catch (error) {
        throw new HoldfastError('not-ready', 'The certificate authority has not been made yet. Run npm start first.', {
          cause: error,
        });
      }
      if (options.pem) {
        process.stdout.write(pem);
        return;
      }
      process.stdout.write(`The platform signs its certificates with its own authority:
  ${file}

Trust it on this machine (curl, Python, wget):
  cp ${file} /usr/local/share/ca-certificates/holdfast-${configuration.instance}.crt && update-ca-certificates

Trust it in a browser on your computer: copy the file there and import it as an authority for web sites.
  Firefox   Settings > Privacy & Security > Certificates > View Certificates > Authorities > Import
  Chrome    Settings > Privacy and security > Security > Manage certificates > Authorities > Import
  macOS     security add-trusted-cert -k ~/Library/Keychains/login.keychain-db holdfast.crt
  Windows   certutil -user -addstore Root holdfast.crt

For one command only:
  curl --cacert ${file} https://${configuration.domain}:${configuration.httpsPort}/
`);
    });
}
