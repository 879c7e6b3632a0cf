import type { Command } from 'commander';
import { apiRoutes, type ApiInput } from '../protocol/api.ts';
import type { SiteView } from '../protocol/browser.ts';
import { HoldfastError } from '../protocol/errors.ts';
import type { Configuration } from '../runtime/config.ts';
import { api } from './api.ts';
import { printJson, table } from './output.ts';

async function allSites(configuration: Configuration, account?: string): Promise<SiteView[]> {
  return await api(configuration, 'sites.list', { query: { account } });
}

async function siteAt(configuration: Configuration, domain: string): Promise<SiteView> {
  const site = (await allSites(configuration)).find((entry) => entry.domain === domain.toLowerCase());
  if (!site) throw new HoldfastError('not-found', `No site has the domain ${domain}. See holdfast site list.`);
  return site;
}

type LogKind = ApiInput<'sites.log'>['params']['kind'];

/** Refuses a log that there is none of, in the words of the API. */
function logKind(text: string): LogKind {
  const kind = apiRoutes['sites.log'].params.shape.kind.safeParse(text);
  if (!kind.success) throw new HoldfastError('input-invalid', `kind: ${kind.error.issues[0]?.message ?? 'not valid'}`);
  return kind.data;
}

export function siteCommands(program: Command, configuration: Configuration): void {
  const site = program.command('site').description("members' sites");
  site
    .command('list')
    .description('all sites with their state')
    .option('--account <name>', 'only those of one account')
    .option('--json', 'machine-readable')
    .action(async (options: { account?: string; json?: boolean }) => {
      const sites = await allSites(configuration, options.account);
      if (options.json) return printJson(sites);
      const rows = sites.map((entry) => [
        entry.domain,
        entry.account,
        entry.kind,
        entry.status?.state ?? (entry.enabled ? 'unknown' : 'disabled'),
        entry.status?.failure ? `${entry.status.failure.step}: ${entry.status.failure.message}` : '',
      ]);
      process.stdout.write(`${table(['domain', 'account', 'kind', 'state', 'trouble'], rows)}\n`);
    });
  for (const [verb, description] of [
    ['reload', 'start the new code, then retire the old'],
    ['back', 'back to what ran before a reload that answers with errors'],
    ['enable', 'let it answer'],
    ['disable', 'stop it; nothing is deleted'],
  ] as const) {
    site
      .command(`${verb} <domain>`)
      .description(description)
      .option('--json', 'machine-readable')
      .action(async (domain: string, options: { json?: boolean }) => {
        const found = await siteAt(configuration, domain);
        const answer = await api(configuration, `sites.${verb}`, { params: { id: found.id } });
        if (options.json) return printJson(answer);
        process.stdout.write(`${answer.domain}: ${answer.status?.state ?? 'unknown'}\n`);
        if (answer.status?.remark) process.stdout.write(`${answer.status.remark.message}\n`);
        if (answer.status?.kept)
          process.stdout.write(
            `What ran before is kept until ${answer.status.kept.until.slice(11, 19)} UTC: holdfast site back ${answer.domain}\n`,
          );
      });
  }
  site
    .command('logs <domain>')
    .description("the end of one of a site's logs")
    .option('--kind <kind>', 'access, error or server', 'error')
    .option('--lines <count>', 'how many lines', '50')
    .action(async (domain: string, options: { kind: string; lines: string }) => {
      const found = await siteAt(configuration, domain);
      const kind = logKind(options.kind);
      const answer = await api(configuration, 'sites.log', {
        params: { id: found.id, kind },
        query: { lines: options.lines },
      });
      for (const line of answer.lines) process.stdout.write(`${line}\n`);
    });
}
