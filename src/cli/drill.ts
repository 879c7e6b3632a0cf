import { spawn } from 'node:child_process';
import { join, resolve } from 'node:path';
import { Argument, type Command } from 'commander';
import { DRILLS } from '../model/drills.ts';
import { faultNameSchema, type FaultName } from '../protocol/drills.ts';
import { HoldfastError } from '../protocol/errors.ts';
import type { Configuration } from '../runtime/config.ts';
import { api } from './api.ts';
import { requireConfirmation } from './confirm.ts';
import { INTERRUPTED } from './pipes.ts';
import { printJson, table } from './output.ts';

const WHAT: Record<FaultName, string> = {
  hang: 'stops answering',
  error: 'answers every request with an error',
  slow: 'becomes very slow',
  flap: 'stops and answers again, over and over',
  corrupt: 'gets wrong data written into it',
  clear: 'works as it should again',
};
const NAMES_SHOWN = 8;

interface RunOptions {
  json?: string;
  reaction: boolean;
  here?: boolean;
  yes?: boolean;
  accounts?: string;
  volumes?: string;
  seconds?: string;
  fillMib?: string;
  pictures?: string;
  keep?: boolean;
}

export function drillCommands(program: Command, configuration: Configuration): void {
  const drill = program.command('drill').description('real faults, caused on purpose, measured and scored');

  drill
    .command('list')
    .description('what can be drilled')
    .option('--json', 'machine-readable')
    .action((options: { json?: boolean }) => {
      if (options.json) return printJson(DRILLS);
      const rows = DRILLS.map(({ name, title, minutes, description }) => [name, title, `${minutes} min`, description]);
      process.stdout.write(`${table(['name', 'title', 'about', 'what is caused and what must hold'], rows)}\n`);
    });

  drill
    .command('run <name>')
    .description('run a drill on a platform of its own beside the running one, and score it')
    .option('--json <file>', 'write the figures there')
    .option('--no-reaction', 'with the repair switched off: shows what would happen, and must miss its marks')
    .option('--here', "on the running platform, with volumes and accounts of the drill's own; asks for confirmation")
    .option('--yes', 'do not ask')
    .option('--accounts <count>', "how many accounts, instead of the drill's own number")
    .option('--volumes <count>', "how many volumes, instead of the drill's own number")
    .option('--seconds <count>', 'how long is measured before the fault and during it')
    .option('--fill-mib <mib>', "how much the hurt volume holds, instead of the drill's own amount")
    .option(
      '--pictures <directory>',
      "take pictures of the operator's pages there, for those who develop them; the browser slows everybody, so expect p99 to miss",
    )
    .option('--keep', 'leave the platform of the drill running, to look at it; the next drill removes it')
    .addHelpText('after', '\nExit code 0 only when every promise held.')
    .action(async (name: string, options: RunOptions) => {
      if (!DRILLS.some((entry) => entry.name === name)) {
        throw new HoldfastError('not-found', `There is no drill "${name}". See: holdfast drill list`);
      }
      if (options.here === true) {
        await confirmed(
          name,
          options.yes === true,
          `This causes a real fault on the running platform at ${configuration.home}, on volumes that the drill makes and removes.`,
        );
      }
      process.exitCode = await runner(configuration, name, options);
    });

  drill
    .command('fault')
    .description('one real fault by hand, on a disk of the running platform that has a valve (an image file)')
    .argument('<volume/replica>', 'for example home1/r2')
    .addArgument(new Argument('<fault>', 'what happens to it').choices(faultNameSchema.options))
    .option('--yes', 'do not ask')
    .action(async (where: string, fault: FaultName, options: { yes?: boolean }) => {
      await causeFault(configuration, where, fault, options.yes === true);
    });
}

/** Asks for the name to be typed; where nobody can be asked, `--yes` is needed. */
async function confirmed(name: string, yes: boolean, what: string): Promise<void> {
  if (yes) return;
  if (process.stdin.isTTY) return await requireConfirmation(name, undefined, what);
  throw new HoldfastError('confirmation-needed', 'Nothing was done. Add --yes when you are sure.', { details: [what] });
}

/** Runs the drill in a process of its own, which shows its progress itself. Resolves with its exit code. */
async function runner(configuration: Configuration, name: string, options: RunOptions): Promise<number> {
  const flags = [
    ...(options.json === undefined ? [] : ['--json', resolve(options.json)]),
    ...(options.reaction ? [] : ['--no-reaction']),
    ...(options.here === true ? ['--here'] : []),
    ...(options.keep === true ? ['--keep'] : []),
    ...(['accounts', 'volumes', 'seconds'] as const).flatMap((key) => {
      const value = options[key];
      return value === undefined ? [] : [`--${key}`, value];
    }),
    ...(options.pictures === undefined ? [] : ['--pictures', resolve(options.pictures)]),
    ...(options.fillMib === undefined ? [] : ['--fill-mib', options.fillMib]),
  ];
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', join(configuration.source, 'src/drills/main.ts'), name, ...flags],
    { stdio: 'inherit' },
  );
  // A terminal's Ctrl-C reaches the runner by itself, and it cleans up; this process only waits for it. What is sent to this one alone
  // goes on to it, but for an interrupt on a terminal, which cannot be told from Ctrl-C and would count twice.
  process.on('SIGINT', () => {
    if (!process.stdin.isTTY) child.kill('SIGINT');
  });
  for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal));
  return await new Promise((done, reject) => {
    child.on('error', reject);
    child.on('exit', (code, signal) => done(code ?? (signal === 'SIGINT' ? INTERRUPTED : 1)));
  });
}

async function causeFault(configuration: Configuration, where: string, fault: FaultName, yes: boolean): Promise<void> {
  const [name = '', replicaId = '', ...rest] = where.split('/');
  if (name === '' || replicaId === '' || rest.length > 0) {
    throw new HoldfastError('input-invalid', `"${where}" is not a disk. Say VOLUME/REPLICA, for example home1/r2.`);
  }
  const volumes = await api(configuration, 'volumes.list');
  const volume = volumes.find((entry) => entry.name === name);
  if (volume === undefined) {
    const known = volumes.map((entry) => entry.name).join(', ');
    throw new HoldfastError('not-found', `There is no volume ${name}. There are: ${known}.`);
  }
  const replica = volume.replicas.find((entry) => entry.id === replicaId);
  if (replica === undefined) {
    const known = volume.replicas.map((entry) => entry.id).join(', ');
    throw new HoldfastError('not-found', `The volume ${name} has no replica ${replicaId}. It has: ${known}.`);
  }
  if (fault !== 'clear') {
    const living = (await api(configuration, 'accounts.list')).filter((entry) => entry.volume === name);
    const names = living.slice(0, NAMES_SHOWN).map((entry) => entry.name);
    const more = living.length > names.length ? ` and ${living.length - names.length} more` : '';
    const who =
      living.length === 0
        ? 'Nobody lives there.'
        : `${living.length} ${living.length === 1 ? 'account lives' : 'accounts live'} there: ${names.join(', ')}${more}.`;
    const state =
      volume.redundancy === 'full' ? '' : ` Its redundancy is ${volume.redundancy} already: they may lose service.`;
    await confirmed(where, yes, `A real fault: the disk ${where} (${replica.disk}) ${WHAT[fault]}. ${who}${state}`);
  }
  const { active } = await api(configuration, 'volumes.fault', {
    params: { name },
    body: { replica: replicaId, fault },
  });
  process.stdout.write(
    active === null
      ? `${where}: no fault is active.\n`
      : `${where} ${WHAT[active]}. To end it: holdfast drill fault ${where} clear\n`,
  );
}
