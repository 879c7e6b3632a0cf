import { readFileSync } from 'node:fs';
import type { AccountSpec, SiteSpec } from '../../protocol/sites.ts';
import type { Checkpoint } from './sites/generation.ts';
import type { AccountTasks } from '../../protocol/tasks.ts';
import type { TaskCheckpoint } from './tasks/task.ts';
import { createPrograms } from './programs.ts';
import { contextFor, storageFor } from './test-ground.ts';

/**
 * An agent that kills itself with SIGKILL at a named point, for the tests of survival. Argument: a file with
 * {home, accounts, sites, tasks, action, dieAt}. `action` is done with the first site; before a reload it is woken. With `tasks` what is due
 * of them is waited for.
 */
interface Orders {
  home: string;
  accounts: AccountSpec[];
  sites: SiteSpec[];
  tasks?: AccountTasks[];
  action: 'wake' | 'reload' | 'tasks';
  dieAt: Checkpoint | TaskCheckpoint | 'done';
}

const orders = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as Orders;
let armed = false;
async function dieAt(point: string): Promise<void> {
  if (armed && point === orders.dieAt) process.kill(process.pid, 'SIGKILL');
  await Promise.resolve();
}
const programs = createPrograms(contextFor(orders.home), storageFor(orders.home), {
  lookEveryMs: 50,
  checkpoint: async (point) => await dieAt(point),
  taskCheckpoint: async (point) => await dieAt(point),
});
armed = orders.action === 'tasks';
await programs.start();
await programs.sync(orders.accounts, orders.sites, orders.tasks);
if (orders.action === 'tasks') await new Promise(() => setInterval(() => undefined, 1_000));
const id = orders.sites[0]?.id ?? '';
if (orders.action === 'reload') await programs.handlers['sites.wake']({ id });
armed = true;
await (orders.action === 'reload'
  ? programs.handlers['sites.reload']({ id })
  : programs.handlers['sites.wake']({ id }));
process.kill(process.pid, 'SIGKILL');
