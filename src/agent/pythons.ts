import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { z } from 'zod';
import type { pythonSchema } from '../protocol/sites.ts';

export type Python = z.infer<typeof pythonSchema>;

/**
 * The interpreters of this host, the system's own ones in /usr/bin. Debian's uWSGI plugin is built for one version
 * (python3_plugin.so loads pythonXY_plugin); the others run under gunicorn.
 */
export function findPythons(directory = '/usr/bin', plugins = '/usr/lib/uwsgi/plugins'): Python[] {
  const found: Python[] = [];
  for (const name of readdirSync(directory)) {
    const match = /^python(3\.\d+)$/.exec(name);
    // A link that leads nowhere is what a removed package may leave.
    if (match?.[1] === undefined || !existsSync(join(directory, name))) continue;
    const plugin = join(plugins, `python${match[1].replace('.', '')}_plugin.so`);
    found.push({ version: match[1], path: join(directory, name), uwsgiPlugin: existsSync(plugin) });
  }
  const minor = (python: Python): number => Number(python.version.split('.')[1]);
  return found.sort((a, b) => minor(b) - minor(a));
}
