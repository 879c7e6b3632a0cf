import type { Command } from 'commander';
import type { Configuration } from '../runtime/config.ts';
import { api } from './api.ts';
import { requireConfirmation } from './confirm.ts';
import { printJson, table } from './output.ts';

export function accountCommands(program: Command, configuration: Configuration): void {
  const account = program.command('account').description('the accounts of members');

  account
    .command('create <name>')
    .description('make an account; prints its password and API token, which are shown only now')
    .option('--plan <plan>', 'the plan with its limits')
    .option('--volume <volume>', 'where its home goes; otherwise the volume with most room')
    .option('--json', 'machine-readable')
    .action(async (name: string, options: { plan?: string; volume?: string; json?: boolean }) => {
      const created = await api(configuration, 'accounts.create', {
        body: { username: name, plan: options.plan, volume: options.volume },
      });
      if (options.json) return printJson(created);
      process.stdout.write(
        `Account ${created.username} is ready.\n  password   ${created.password}\n  API token  ${created.api_token}\n` +
          `Sign in at https://${configuration.domain}:${configuration.httpsPort}/\n`,
      );
    });

  account
    .command('list')
    .description('all accounts')
    .option('--json', 'machine-readable')
    .action(async (options: { json?: boolean }) => {
      const accounts = await api(configuration, 'accounts.list');
      if (options.json) return printJson(accounts);
      const rows = accounts.map((entry) => [
        entry.name,
        entry.role,
        entry.plan,
        entry.volume ?? '-',
        String(entry.sites),
        entry.disabled ? 'disabled' : entry.state,
      ]);
      process.stdout.write(`${table(['name', 'role', 'plan', 'volume', 'sites', 'state'], rows)}\n`);
    });

  account
    .command('password <name>')
    .description('give the account a new one-time password')
    .option('--json', 'machine-readable')
    .action(async (name: string, options: { json?: boolean }) => {
      const answer = await api(configuration, 'accounts.resetPassword', { params: { name } });
      if (options.json) return printJson({ username: name, password: answer.password });
      process.stdout.write(`New one-time password of ${name}: ${answer.password}\n`);
    });

  account
    .command('plan <name> <plan>')
    .description('move the account to another plan')
    .action(async (name: string, plan: string) => {
      await api(configuration, 'accounts.update', { params: { name }, body: { plan } });
      process.stdout.write(`${name} is on the plan ${plan} now.\n`);
    });

  for (const [verb, disabled] of [
    ['disable', true],
    ['enable', false],
  ] as const) {
    account
      .command(`${verb} <name>`)
      .description(disabled ? 'stop its sites and refuse its sign-in; nothing is deleted' : 'undo disable')
      .action(async (name: string) => {
        await api(configuration, 'accounts.update', { params: { name }, body: { disabled } });
        process.stdout.write(`${name} is ${verb}d.\n`);
      });
  }

  account
    .command('delete <name>')
    .description('remove the account with everything it has: home, sites, logs')
    .option('--confirm <name>', 'the name again, instead of being asked')
    .action(async (name: string, options: { confirm?: string }) => {
      await requireConfirmation(name, options.confirm, `This deletes ${name} with its home, sites and logs for ever.`);
      await api(configuration, 'accounts.delete', { params: { name }, query: { confirm: name } });
      process.stdout.write(`${name} is deleted.\n`);
    });
}
