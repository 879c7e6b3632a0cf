import type { Command } from 'commander';
import { describeSchedule } from '../model/schedule.ts';
import type { TaskView } from '../protocol/api/tasks.ts';
import { HoldfastError } from '../protocol/errors.ts';
import type { Configuration } from '../runtime/config.ts';
import { api } from './api.ts';
import { printJson, table } from './output.ts';

const LONGEST_COMMAND = 60;

function numberOf(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new HoldfastError('input-invalid', `"${text}" is not the number of a task. See holdfast task list.`);
}

function oneLine(command: string): string {
  const line = command.replaceAll(/\s+/g, ' ').trim();
  return line.length > LONGEST_COMMAND ? `${line.slice(0, LONGEST_COMMAND - 1)}…` : line;
}

function lastOf(task: TaskView): string {
  if (task.kind === 'always-on') return task.status?.lastEnd ?? '';
  const run = task.status?.runs.find((one) => one.outcome !== 'running');
  if (run === undefined) return '';
  const how = run.code === null ? run.outcome : `${run.outcome} (code ${run.code})`;
  return `${how} at ${run.startedAt.slice(0, 16).replace('T', ' ')}${run.late ? ', late' : ''}`;
}

/** Scheduled and always-on tasks of one account, for the operator. */
export function taskCommands(program: Command, configuration: Configuration): void {
  const task = program.command('task').description("members' scheduled and always-on tasks");
  task
    .command('list <account>')
    .description('the tasks of an account, what they do now and how they last ended')
    .option('--json', 'machine-readable')
    .action(async (account: string, options: { json?: boolean }) => {
      const answer = await api(configuration, 'tasks.list', { query: { account } });
      if (options.json) return printJson(answer);
      const rows = answer.tasks.map((one) => [
        String(one.id),
        one.kind === 'scheduled' ? describeSchedule(one.schedule) : 'always on',
        one.status?.state ?? 'unknown',
        one.kind === 'scheduled' ? (one.status?.next?.slice(0, 16).replace('T', ' ') ?? '') : '',
        lastOf(one),
        oneLine(one.command),
      ]);
      process.stdout.write(`${table(['id', 'when', 'state', 'next (UTC)', 'last', 'command'], rows)}\n`);
      if (answer.cpu === null) return;
      const { usedSeconds, limitSeconds, resetAt, setBack } = answer.cpu;
      process.stdout.write(
        `Processor time today: ${usedSeconds.toFixed(1)} of ${limitSeconds} s, until ${resetAt.slice(0, 16).replace('T', ' ')} UTC${setBack ? '; set back behind everybody else' : ''}\n`,
      );
    });
  for (const [verb, description] of [
    ['run', 'run a scheduled task now'],
    ['restart', 'end an always-on task and start it at once'],
  ] as const) {
    task
      .command(`${verb} <id>`)
      .description(description)
      .option('--json', 'machine-readable')
      .action(async (id: string, options: { json?: boolean }) => {
        const answer = await api(configuration, `tasks.${verb}`, { params: { id: numberOf(id) } });
        if (options.json) return printJson(answer);
        process.stdout.write(`${answer.id}: ${answer.status?.state ?? 'unknown'}\n`);
      });
  }
  task
    .command('stop <id>')
    .description('end what runs of a scheduled task')
    .option('--json', 'machine-readable')
    .action(async (id: string, options: { json?: boolean }) => {
      const answer = await api(configuration, 'tasks.stop', { params: { id: numberOf(id) } });
      if (options.json) return printJson(answer);
      process.stdout.write(answer.stopped === 0 ? 'Nothing of it was running.\n' : `Ended: ${answer.stopped}\n`);
    });
  task
    .command('output <id> [run]')
    .description('what a run wrote; the newest run when none is named')
    .action(async (id: string, run: string | undefined) => {
      const number = run === undefined ? await newestRun(configuration, numberOf(id)) : numberOf(run);
      const answer = await api(configuration, 'tasks.output', { params: { id: numberOf(id), number } });
      process.stdout.write(answer.text);
      if (!answer.complete)
        process.stderr.write('The beginning is not here any more: it was too long, or the log was rotated.\n');
    });
}

async function newestRun(configuration: Configuration, id: number): Promise<number> {
  const found = await api(configuration, 'tasks.get', { params: { id } });
  const newest = found.kind === 'scheduled' ? found.status?.runs[0]?.number : undefined;
  if (newest === undefined) throw new HoldfastError('not-found', 'There is no run of this task that is remembered.');
  return newest;
}
