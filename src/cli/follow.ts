import { HoldfastError } from '../protocol/errors.ts';
import type { Operation } from '../protocol/volumes.ts';
import type { Configuration } from '../runtime/config.ts';
import { api } from './api.ts';
import { printJson } from './output.ts';

/** How often progress is asked for, milliseconds. */
const ASK_MS = 500;

/** Shows an operation's journey until it ends; throws when it fails. */
export async function follow(configuration: Configuration, first: Operation, json: boolean | undefined): Promise<void> {
  let operation = first;
  let shown = '';
  while (operation.state === 'running') {
    const step = operation.steps.find((entry) => entry.state === 'running')?.name ?? 'starting';
    const line = `${step}${operation.progress === null ? '' : ` ${Math.round(operation.progress * 100)} %`}`;
    if (!json && line !== shown) process.stdout.write(`${line}\n`);
    shown = line;
    await new Promise((resolve) => setTimeout(resolve, ASK_MS));
    const all = await api(configuration, 'operations.list');
    operation = all.find((entry) => entry.id === first.id) ?? operation;
  }
  if (json) printJson(operation);
  if (operation.state === 'failed') {
    const step = operation.steps.find((entry) => entry.state === 'failed');
    throw new HoldfastError(operation.errorCode ?? 'command-failed', operation.error ?? 'The operation failed.', {
      details: step ? [`step "${step.name}"${step.detail === null ? '' : `: ${step.detail}`}`] : [],
    });
  }
  if (!json) process.stdout.write('done\n');
}
