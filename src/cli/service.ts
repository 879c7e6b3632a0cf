import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { HoldfastError } from '../protocol/errors.ts';
import { rebuildSetting, type Configuration } from '../runtime/config.ts';
import { mustRun } from '../runtime/command.ts';

/** The unit of one instance. The first instance of a machine has the plain name. */
export function unitName(configuration: Configuration): string {
  return configuration.home === '/var/lib/holdfast' ? 'holdfast.service' : `holdfast-${configuration.instance}.service`;
}

/** systemd.exec(5): a value with spaces or specifiers is quoted and % doubled. */
function quote(value: string): string {
  return `"${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('%', '%%')}"`;
}

/**
 * The unit file. KillMode=process, because the supervisor stops what it owns in the right order, and because sites shall
 * go on when only the supervisor dies. Delegate: programs get cgroups of their own. WatchdogSec: who watches everybody is watched by systemd
 * (see service-watchdog.ts); SIGKILL, because one that hangs handles nothing else, and the next start takes over what it left.
 */
export function unitFile(configuration: Configuration): string {
  const environment = {
    HOLDFAST_HOME: configuration.home,
    HOLDFAST_HTTP_PORT: String(configuration.httpPort),
    HOLDFAST_HTTPS_PORT: String(configuration.httpsPort),
    HOLDFAST_DOMAIN: configuration.domain,
    HOLDFAST_REBUILD_LIMIT: rebuildSetting(configuration),
  };
  return `[Unit]
Description=Holdfast, self-hosted Python hosting (${configuration.home})
After=network-online.target local-fs.target
Wants=network-online.target

[Service]
Type=exec
ExecStart=${quote(join(configuration.source, 'bin/holdfast'))} start
${Object.entries(environment)
  .map(([name, value]) => `Environment=${quote(`${name}=${value}`)}`)
  .join('\n')}
EnvironmentFile=-/etc/holdfast/${configuration.instance}.env
KillMode=process
KillSignal=SIGTERM
TimeoutStartSec=infinity
TimeoutStopSec=120
Restart=always
RestartSec=1
WatchdogSec=30
WatchdogSignal=SIGKILL
NotifyAccess=all
Delegate=yes
TasksMax=infinity
LimitNOFILE=1048576

[Install]
WantedBy=multi-user.target
`;
}

export function serviceCommands(program: Command, configuration: Configuration): void {
  const service = program.command('service').description('run Holdfast as a service of systemd');
  const directory = '/etc/systemd/system';
  const needSystemd = (): void => {
    if (!existsSync('/run/systemd/system')) {
      throw new HoldfastError(
        'set-up-missing',
        'This machine does not run systemd. Use npm start, or write the unit elsewhere with --directory.',
      );
    }
  };
  service
    .command('install')
    .description('write the unit, enable it and start it')
    .option('--directory <path>', 'only write the unit there; do not enable or start it')
    .action(async (options: { directory?: string }) => {
      const unit = unitName(configuration);
      if (options.directory !== undefined) {
        mkdirSync(options.directory, { recursive: true });
        writeFileSync(join(options.directory, unit), unitFile(configuration));
        process.stdout.write(`Wrote ${join(options.directory, unit)}\n`);
        return;
      }
      needSystemd();
      if (configuration.databaseUrl !== undefined) {
        // The address holds a password, so it goes into a file that only root can read, not into the unit.
        mkdirSync('/etc/holdfast', { recursive: true, mode: 0o700 });
        writeFileSync(
          `/etc/holdfast/${configuration.instance}.env`,
          `HOLDFAST_DATABASE_URL=${configuration.databaseUrl}\n`,
          {
            mode: 0o600,
          },
        );
      }
      writeFileSync(join(directory, unit), unitFile(configuration));
      await mustRun('systemctl', ['daemon-reload'], { deadlineMs: 60_000 });
      await mustRun('systemctl', ['enable', '--now', unit], { deadlineMs: 120_000 });
      process.stdout.write(`${unit} is enabled and started. Follow it with: journalctl -fu ${unit}\n`);
    });
  service
    .command('uninstall')
    .description('stop and remove the unit; all state stays')
    .action(async () => {
      needSystemd();
      const unit = unitName(configuration);
      await mustRun('systemctl', ['disable', '--now', unit], { deadlineMs: 180_000 });
      rmSync(join(directory, unit), { force: true });
      await mustRun('systemctl', ['daemon-reload'], { deadlineMs: 60_000 });
      process.stdout.write(`${unit} is removed. ${configuration.home} is untouched.\n`);
    });
}
