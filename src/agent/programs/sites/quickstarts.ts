import { randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { z } from 'zod';
import { wsgiFileName } from '../../../model/names.ts';
import type { Quickstart } from '../../../model/sites.ts';
import { HoldfastError } from '../../../protocol/errors.ts';
import type { AccountSpec, SiteSpec } from '../../../protocol/sites.ts';
import type { AccountHome } from '../../context.ts';
import { SHIM_DIRECTORY } from '../sandbox-arguments.ts';
import type { Sandboxes } from '../sandbox.ts';

export interface StarterFile {
  path: string;
  content: string;
}

const resultSchema = z.object({ written: z.array(z.string()), kept: z.array(z.string()) });

/** The directory that each quickstart's project gets when the site names none. */
const USUAL_DIRECTORY: Record<Quickstart, string> = {
  flask: 'mysite',
  django: 'mysite',
  fastapi: 'myapi',
  static: 'public',
  manual: 'mysite',
  command: 'mysite',
};

/** Where a site's starter project goes: its source directory, but never the home itself. */
function projectDirectory(quickstart: Quickstart, sourceDirectory: string, account: string): string {
  const home = `/home/${account}`;
  const named = sourceDirectory.replace(/\/+$/, '');
  return named === '' || named === home ? `${home}/${USUAL_DIRECTORY[quickstart]}` : named;
}

/**
 * The files of a quickstart as the member sees them. Templates are in quickstarts/<name>/: home/<project>/ becomes the
 * site's source directory, www/wsgi.py the WSGI file of the domain. Words like __HOLDFAST_PROJECT__ are filled in.
 */
export async function starterFiles(
  quickstart: Quickstart,
  site: Pick<SiteSpec, 'domain' | 'sourceDirectory'>,
  account: Pick<AccountSpec, 'name'>,
  httpsPort: number,
): Promise<StarterFile[]> {
  const root = join(import.meta.dirname, 'quickstarts', quickstart);
  const wsgiFile = `/var/www/${wsgiFileName(site.domain)}`;
  const project = projectDirectory(quickstart, site.sourceDirectory, account.name);
  const words: Record<string, string> = {
    __HOLDFAST_NAME__: account.name,
    __HOLDFAST_PROJECT__: project,
    __HOLDFAST_DOMAIN__: site.domain,
    __HOLDFAST_WSGI_FILE__: wsgiFile,
    __HOLDFAST_HTTPS_PORT__: String(httpsPort),
    __HOLDFAST_SECRET__: randomBytes(38).toString('base64url'),
  };
  const files: StarterFile[] = [];
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  for (const entry of entries) {
    if (!entry.isFile() || entry.parentPath.endsWith('__pycache__')) continue;
    const from = join(entry.parentPath, entry.name);
    const inside = relative(root, from);
    const path = inside === 'www/wsgi.py' ? wsgiFile : `${project}/${inside.replace(/^home\/[^/]+\//, '')}`;
    const template = await readFile(from, 'utf8');
    files.push({ path, content: template.replace(/__HOLDFAST_[A-Z_]+?__/g, (word) => words[word] ?? word) });
  }
  return files.sort((a, b) => a.path.localeCompare(b.path));
}

/**
 * Writes a starter project as the account itself, in a throw-away sandbox; a file that exists is kept. Django also gets its
 * database and its collected static files.
 * Throws `quota-exceeded` when the account's storage is full, `command-failed` with the output otherwise.
 */
export async function writeQuickstart(
  sandboxes: Sandboxes,
  home: AccountHome,
  account: AccountSpec,
  site: SiteSpec,
  quickstart: Quickstart,
  httpsPort: number,
): Promise<{ written: string[]; kept: string[] }> {
  const files = await starterFiles(quickstart, site, account, httpsPort);
  const done = await sandboxes.run(
    { account, home, command: ['/usr/bin/python3', '-I', '-S', `${SHIM_DIRECTORY}/write_files.py`] },
    { deadlineMs: 20_000, input: JSON.stringify(files) },
  );
  if (done.code !== 0) throw failed(done.stderr, 'The starter project could not be written.');
  const result = resultSchema.parse(JSON.parse(done.stdout));
  const project = projectDirectory(quickstart, site.sourceDirectory, account.name);
  const manage = `${project}/manage.py`;
  if (quickstart === 'django' && result.written.includes(manage)) {
    const prepared = await sandboxes.run(
      {
        account,
        home,
        directory: project,
        command: ['/bin/sh', '-ec', 'python3 manage.py migrate --noinput && python3 manage.py collectstatic --noinput'],
      },
      { deadlineMs: 40_000 },
    );
    if (prepared.code !== 0)
      throw failed(prepared.stderr, 'The Django project was written, but its database could not be made.');
  }
  return result;
}

function failed(output: string, message: string): HoldfastError {
  const details = output.trimEnd().split('\n').slice(-8);
  if (/Errno (122|28)\b|Disk quota exceeded|No space left|database or disk is full/.test(output)) {
    return new HoldfastError(
      'quota-exceeded',
      `${message} The account's storage is full: delete something, or ask for a plan with more room.`,
      { details },
    );
  }
  return new HoldfastError('command-failed', message, { details });
}
