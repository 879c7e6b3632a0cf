import { Command } from 'commander';
import type { Configuration } from '../runtime/config.ts';
import { accountCommands } from './account.ts';
import { incidentCommands } from './incident.ts';
import { notifyCommands } from './notify.ts';
import { recoverCommand } from './recover.ts';
import { drillCommands } from './drill.ts';
import { platformCommands } from './platform.ts';
import { serviceCommands } from './service.ts';
import { siteCommands } from './site.ts';
import { taskCommands } from './task.ts';
import { volumeCommands } from './volume.ts';

/** The whole command, with all that it can do. */
export function holdfastCommand(configuration: Configuration): Command {
  const program = new Command('holdfast')
    .description('Self-hosted Python hosting whose storage mirrors, watches and repairs itself.')
    .version(configuration.version)
    .showHelpAfterError()
    // It throws instead of ending the process, so that wrong words get the exit code of wrong input. Before any command is added: each takes it over.
    .exitOverride()
    .addHelpText(
      'after',
      `
Environment:
  HOLDFAST_HOME          where all state lives        (now ${configuration.home})
  HOLDFAST_HTTP_PORT     port for HTTP                (now ${configuration.httpPort})
  HOLDFAST_HTTPS_PORT    port for HTTPS               (now ${configuration.httpsPort})
  HOLDFAST_DOMAIN        domain of the platform       (now ${configuration.domain})
  HOLDFAST_DATABASE_URL  PostgreSQL instead of SQLite (${configuration.databaseUrl === undefined ? 'not set' : 'set'})

Exit codes: 0 done, 1 refused or failed, 64 wrong input, 66 not found, 69 not running, 75 try again later, 77 needs root,
130 ended by Ctrl-C, 141 ended because nobody read its output.`,
    );
  platformCommands(program, configuration);
  accountCommands(program, configuration);
  volumeCommands(program, configuration);
  siteCommands(program, configuration);
  taskCommands(program, configuration);
  recoverCommand(program, configuration);
  incidentCommands(program, configuration);
  notifyCommands(program, configuration);
  drillCommands(program, configuration);
  serviceCommands(program, configuration);
  return program;
}
