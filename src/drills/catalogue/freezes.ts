import { readFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { isAlive, recordOf, signalRecorded, type ProcessRecord } from '../../runtime/process-record.ts';
import type { Stage } from '../script.ts';

const REPLACED_DEADLINE_MS = 60_000;
const LOOK_EVERY_MS = 50;

/** The children of a process, by the kernel's own list. */
function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(/\s+/).filter(Boolean).map(Number);
  } catch {
    return []; // It is gone.
  }
}

function argumentsOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}

/** The watcher, which is a child of the agent. */
export function watcherOf(stage: Stage): ProcessRecord {
  const agent = stage.platform.process('agent');
  const pid = childrenOf(agent?.pid ?? 0).find((one) => argumentsOf(one).includes('health/watcher/main.ts'));
  const record = pid === undefined ? undefined : recordOf(pid);
  if (record === undefined) throw new Error('The watcher does not run.');
  return record;
}

/** The agent; or the control plane itself, which is the innermost child of its sandbox. */
export function processOf(stage: Stage, name: 'agent' | 'control'): ProcessRecord {
  let record = stage.platform.process(name);
  while (name === 'control' && record !== undefined) {
    const [child] = childrenOf(record.pid);
    const inner = child === undefined ? undefined : recordOf(child);
    if (inner === undefined) break;
    record = inner;
  }
  if (record === undefined) throw new Error(`The ${name} does not run.`);
  return record;
}

/**
 * Stops a process (SIGSTOP): it lives, and does nothing. Resolves with how long it took, in seconds, until the platform had ended it; with
 * undefined when it had not within a minute, and then it is let go on.
 */
export async function freeze(stage: Stage, record: ProcessRecord): Promise<number | undefined> {
  const from = performance.now();
  signalRecorded(record, 'SIGSTOP');
  while (performance.now() - from < REPLACED_DEADLINE_MS && !stage.signal.aborted) {
    if (!isAlive(record)) return (performance.now() - from) / 1000;
    await wait(LOOK_EVERY_MS);
  }
  signalRecorded(record, 'SIGCONT');
  return undefined;
}
