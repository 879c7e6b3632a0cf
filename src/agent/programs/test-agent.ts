import { readFileSync } from 'node:fs';
import type { AccountSpec, SiteSpec } from '../../protocol/sites.ts';
import type { Checkpoint } from './sites/generation.ts';
import { createPrograms } from './programs.ts';
import { contextFor, storageFor } from './test-ground.ts';

/**
 * An agent that kills itself with SIGKILL at a named point, for the tests of survival. Argument: a file with
 * {home, accounts, sites, action, dieAt}. `action` is done with the first site; before a reload it is woken.
 */
interface Orders {
  home: string;
  accounts: AccountSpec[];
  sites: SiteSpec[];
  action: 'wake' | 'reload';
  dieAt: Checkpoint | 'done';
}

const orders = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as Orders;
let armed = false;
const programs = createPrograms(contextFor(orders.home), storageFor(orders.home), {
  checkpoint: async (point) => {
    if (armed && point === orders.dieAt) process.kill(process.pid, 'SIGKILL');
    await Promise.resolve();
  },
});
await programs.start();
await programs.sync(orders.accounts, orders.sites);
const id = orders.sites[0]?.id ?? '';
if (orders.action === 'reload') await programs.handlers['sites.wake']({ id });
armed = true;
await (orders.action === 'reload'
  ? programs.handlers['sites.reload']({ id })
  : programs.handlers['sites.wake']({ id }));
process.kill(process.pid, 'SIGKILL');
