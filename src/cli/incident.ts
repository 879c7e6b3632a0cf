import { writeFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { count } from '../model/words.ts';
import { HoldfastError } from '../protocol/errors.ts';
import type { Incident } from '../protocol/incidents.ts';
import type { Configuration } from '../runtime/config.ts';
import { api, apiText } from './api.ts';
import { printJson, table } from './output.ts';

function checkedId(text: string): number {
  const id = Number(text);
  if (!Number.isInteger(id) || id < 1)
    throw new HoldfastError('input-invalid', `"${text}" is no incident. Use its number, like 7.`);
  return id;
}

/** An incident for a tired person: whether to act, who is hit, what is being done, then the rest. */
export function incidentText(incident: Incident): string {
  const { impact } = incident;
  const requests =
    impact.requests === null
      ? 'not counted yet'
      : `${impact.requests.delayed} longer than a second, ${impact.requests.failed} failed, longest ${(impact.requests.longestMs / 1000).toFixed(1)} s`;
  const list = (heading: string, lines: readonly string[]): string[] =>
    lines.length === 0 ? [] : ['', heading, ...lines.map((line) => `  ${line}`)];
  return [
    `Incident ${incident.id}: ${incident.title} (${incident.severity}, ${incident.state})`,
    `You must:  ${incident.mustAct ?? 'nothing'}`,
    `Now:       ${incident.state === 'open' ? incident.doing : 'over'}`,
    `Since:     ${incident.since}${incident.resolvedAt === null ? '' : `, resolved ${incident.resolvedAt}`}`,
    `Members:   ${count(impact.accounts, 'account')} with ${count(impact.sites, 'site')}; service: ${incident.service}`,
    `Requests:  ${requests}`,
    `Disk:      ${incident.culprit.disk ?? '-'}`,
    ...list('What was seen:', incident.diagnosis.evidence),
    ...list('What it is not:', incident.diagnosis.ruledOut),
    ...list(
      'Timeline:',
      incident.timeline.map((entry) => `${entry.at}  ${entry.kind.padEnd(9)}  ${entry.text}`),
    ),
    ...list(
      'Notifications:',
      incident.notifications.map((entry) => `${entry.at}  ${entry.channel} ${entry.what}: ${entry.outcome}`),
    ),
  ].join('\n');
}

export function incidentCommands(program: Command, configuration: Configuration): void {
  const incident = program.command('incident').description('troubles from the first sign to the end');

  incident
    .command('list')
    .description('the newest first')
    .option('--open', 'only those that are open')
    .option('--json', 'machine-readable')
    .addHelpText('after', '\nExit code 0 also when some are open; ask for --json to decide by them.')
    .action(async (options: { open?: boolean; json?: boolean }) => {
      const list = await api(configuration, 'incidents.list', options.open ? { query: { state: 'open' } } : {});
      if (options.json) return printJson(list);
      const rows = list.map((entry) => [
        String(entry.id),
        entry.state,
        entry.severity,
        entry.title,
        entry.since,
        String(entry.impact.accounts),
        entry.mustAct ?? '',
      ]);
      process.stdout.write(`${table(['id', 'state', 'severity', 'what', 'since', 'accounts', 'you must'], rows)}\n`);
    });

  incident
    .command('show <id>')
    .description('everything that is known of it')
    .option('--json', 'machine-readable')
    .action(async (id: string, options: { json?: boolean }) => {
      const found = await api(configuration, 'incidents.get', { params: { id: checkedId(id) } });
      if (options.json) return printJson(found);
      process.stdout.write(`${incidentText(found)}\n`);
    });

  incident
    .command('note <id> <text>')
    .description('write something down beside it')
    .option('--public', 'show it on the status page, to everybody')
    .option('--json', 'machine-readable')
    .action(async (id: string, text: string, options: { public?: boolean; json?: boolean }) => {
      const body = { text, public: options.public === true };
      const found = await api(configuration, 'incidents.note', { params: { id: checkedId(id) }, body });
      if (options.json) return printJson(found);
      process.stdout.write(options.public ? 'Written down, and on its way to the status page.\n' : 'Written down.\n');
    });

  incident
    .command('post-mortem <id>')
    .description('a report in Markdown, to be edited and sent to members')
    .option('--output <file>', 'write it there instead of to the terminal')
    .action(async (id: string, options: { output?: string }) => {
      const text = await apiText(configuration, 'incidents.postMortem', { params: { id: checkedId(id) } });
      if (options.output === undefined) {
        process.stdout.write(text);
        return;
      }
      await writeFile(options.output, text);
      process.stdout.write(`Wrote ${options.output}\n`);
    });
}
