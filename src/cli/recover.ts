import type { Command } from 'commander';
import { operationOf, planOf } from '../protocol/api/replace-disk.ts';
import { HoldfastError } from '../protocol/errors.ts';
import type { RepairPlan } from '../protocol/health.ts';
import type { Configuration } from '../runtime/config.ts';
import { api } from './api.ts';
import { requireYes } from './confirm.ts';
import { follow } from './follow.ts';
import { printJson } from './output.ts';

interface Options {
  dryRun?: boolean;
  yes?: boolean;
  json?: boolean;
}

/** A plan for a terminal: what is wrong, each step, and what is in the way. */
export function planText(plan: RepairPlan): string {
  const steps = plan.steps.map(
    (step) => `  ${step.needed ? '-' : '='} ${step.name}: ${step.detail}${step.needed ? '' : ' (not needed)'}`,
  );
  const problem = plan.problem === null ? [] : [`Cannot be done now: ${plan.problem}`];
  return [`${plan.volume}: ${plan.summary}`, ...steps, ...problem].join('\n');
}

function show(plan: RepairPlan, json: boolean | undefined): void {
  if (json) printJson(plan);
  else process.stdout.write(`${planText(plan)}\n`);
}

function refuseProblem(plan: RepairPlan): void {
  if (plan.problem !== null) throw new HoldfastError('conflict', plan.problem);
}

function isNeeded(plan: RepairPlan): boolean {
  return plan.steps.some((step) => step.needed);
}

export function recoverCommand(program: Command, configuration: Configuration): void {
  program
    .command('recover <name>')
    .description('repair a volume: shows the plan, asks, and walks it to its end; one that was cut off goes on')
    .option('--dry-run', 'only show what would be done')
    .option('--yes', 'do not ask')
    .option('--json', 'machine-readable')
    .addHelpText('after', '\nExit code 0 when the volume is whole afterwards, or nothing had to be done.')
    .action(async (name: string, options: Options) => {
      const plan = await api(configuration, 'volumes.planRecovery', { params: { name } });
      if (!options.json || options.dryRun) show(plan, options.json);
      refuseProblem(plan);
      if (options.dryRun) return;
      if (!isNeeded(plan)) {
        if (options.json) printJson({ operation: null });
        return;
      }
      await requireYes('Go on?', options.yes);
      const { operation } = await api(configuration, 'volumes.recover', { params: { name } });
      if (operation !== null) await follow(configuration, operation, options.json);
      else if (options.json) printJson({ operation: null });
      else process.stdout.write('Nothing had to be done any more.\n');
    });
}

export function replaceDiskCommand(volume: Command, configuration: Configuration): void {
  volume
    .command('replace-disk <name> <replica>')
    .description('copy a replica onto another disk, then let the old one go; redundancy is never given up for it')
    .option('--disk <path>', 'an empty block device; otherwise a spare disk or a fresh image file')
    .option('--dry-run', 'only show what would be done')
    .option('--yes', 'do not ask')
    .option('--json', 'machine-readable')
    .action(async (name: string, replica: string, options: Options & { disk?: string }) => {
      const params = { name };
      const wanted = { replica, ...(options.disk === undefined ? {} : { disk: options.disk }) };
      const plan = planOf(
        await api(configuration, 'volumes.replaceDisk', { params, body: { ...wanted, dryRun: true } }),
      );
      if (!options.json || options.dryRun) show(plan, options.json);
      refuseProblem(plan);
      if (options.dryRun) return;
      await requireYes('Go on?', options.yes);
      const operation = operationOf(await api(configuration, 'volumes.replaceDisk', { params, body: wanted }));
      await follow(configuration, operation, options.json);
    });
}
