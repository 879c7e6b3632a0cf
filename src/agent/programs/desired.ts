import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { z } from 'zod';
import { accountSpecSchema, siteSpecSchema, type AccountSpec, type SiteSpec } from '../../protocol/sites.ts';
import type { Logger } from '../../runtime/log.ts';
import { writeWhole } from '../../runtime/whole-file.ts';

/** Desired state on the agent's own disk, so that it works without the control plane. One file each, replaced whole. */
export interface DesiredState {
  accounts: Map<string, AccountSpec>;
  sites: Map<string, SiteSpec>;
  load(): Promise<void>;
  putAccount(account: AccountSpec): Promise<void>;
  removeAccount(name: string): Promise<void>;
  putSite(site: SiteSpec): Promise<void>;
  removeSite(id: string): Promise<void>;
}

export function createDesiredState(directory: string, log: Logger): DesiredState {
  const accounts = new Map<string, AccountSpec>();
  const sites = new Map<string, SiteSpec>();
  const fileOf = (kind: 'accounts' | 'sites', name: string): string => join(directory, kind, `${name}.json`);

  const loadAll = async <T>(
    kind: 'accounts' | 'sites',
    schema: z.ZodType<T>,
    take: (value: T) => void,
  ): Promise<void> => {
    await mkdir(join(directory, kind), { recursive: true, mode: 0o700 });
    for (const name of await readdir(join(directory, kind))) {
      if (!name.endsWith('.json')) {
        await rm(join(directory, kind, name), { force: true });
        continue;
      }
      try {
        take(schema.parse(JSON.parse(await readFile(join(directory, kind, name), 'utf8'))));
      } catch (error) {
        // The control plane holds the truth and sends it again; one bad file must not keep the others down.
        log.error({ err: error, file: name }, `a stored definition of ${kind} cannot be read and is left out`);
      }
    }
  };

  return {
    accounts,
    sites,
    load: async () => {
      await loadAll('accounts', accountSpecSchema, (account) => accounts.set(account.name, account));
      await loadAll('sites', siteSpecSchema, (site) => sites.set(site.id, site));
    },
    putAccount: async (account) => {
      if (JSON.stringify(accounts.get(account.name)) === JSON.stringify(account)) return;
      accounts.set(account.name, account);
      await writeWhole(fileOf('accounts', account.name), JSON.stringify(account));
    },
    removeAccount: async (name) => {
      accounts.delete(name);
      await rm(fileOf('accounts', name), { force: true });
    },
    putSite: async (site) => {
      sites.set(site.id, site);
      await writeWhole(fileOf('sites', site.id), JSON.stringify(site));
    },
    removeSite: async (id) => {
      sites.delete(id);
      await rm(fileOf('sites', id), { force: true });
    },
  };
}
