import { createHash } from 'node:crypto';
import { chmod, copyFile, mkdir, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { AccountSpec } from '../../protocol/sites.ts';

/** Copied from the machine as they are: they hold nothing of the machine's own. */
const COPIED = ['resolv.conf', 'mime.types', 'bash.bashrc', 'inputrc'];
/** Directories and files that are bound over the generated ones, so that a package upgrade reaches the next sandbox. */
export const ETC_BINDS = ['ssl', 'alternatives', 'python3', 'ld.so.cache'] as const;
/** The certificate bundle that includes the platform's own authority, as seen inside. */
export const CA_BUNDLE = '/etc/holdfast-ca-bundle.pem';

/**
 * What Debian's Pythons run at their start, those of virtualenvs too: /usr/lib/python3.N/sitecustomize.py leads to /etc/python3.N. In the
 * programs of a site it tells well-known servers who the visitor is; uWSGI has a shim of its own.
 */
const SITE_CUSTOMIZE = `import os
if "DOMAIN_SOCKET" in os.environ and os.environ.get("HOLDFAST_SERVER") != "uwsgi":
    with open("/opt/holdfast/holdfast_servers.py", "rb") as file:
        exec(compile(file.read(), file.name, "exec"), {"__name__": "holdfast_servers"})
`;

/** Names of the directories of Debian's Pythons below /etc, as \`python3.11\`. */
async function pythonDirectories(): Promise<string[]> {
  return (await readdir('/usr/lib')).filter((name) => /^python3\.\d+$/.test(name)).toSorted();
}

/**
 * Debian's Python refuses `pip install --user`, to keep root from mixing pip's packages into the system's. Inside a sandbox the
 * system is read-only and nobody is root: what pip installs can only go to the member's ~/.local.
 */
const PIP = '[global]\nbreak-system-packages = true\ndisable-pip-version-check = true\n';

let writes = 0;

/** The texts of an account's /etc. Pure, so that tests can look at them. */
export function etcFiles(account: Pick<AccountSpec, 'name' | 'uid'>, domain: string): Record<string, string> {
  const { name, uid } = account;
  const names = [...new Set(['localhost', domain, `www.${domain}`])].join(' ');
  return {
    passwd: [
      'root:x:0:0:root:/nonexistent:/usr/sbin/nologin',
      `${name}:x:${uid}:${uid}:${name}:/home/${name}:/bin/bash`,
      'nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin',
      '',
    ].join('\n'),
    group: ['root:x:0:', `${name}:x:${uid}:`, 'nogroup:x:65534:', ''].join('\n'),
    hosts: `127.0.0.1 ${names} holdfast\n::1 ${names}\n`,
    hostname: 'holdfast\n',
    timezone: 'Etc/UTC\n',
    'nsswitch.conf':
      'passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nservices: files\nprotocols: files\n',
    shells: '/bin/sh\n/bin/bash\n',
    profile: 'PS1="\\u:\\w\\$ "\n',
    // Sourced by the .bashrc of every home: `workon` and its like are there in every console.
    bashrc:
      '[ -r /usr/share/virtualenvwrapper/virtualenvwrapper_lazy.sh ] && . /usr/share/virtualenvwrapper/virtualenvwrapper_lazy.sh\n',
    'pip.conf': PIP,
  };
}

/**
 * Writes the /etc of an account's sandboxes below `directory` (platform storage) and returns its path. The path holds a
 * digest of the content: sandboxes that run keep the directory they were started with.
 */
export async function writeEtc(directory: string, account: AccountSpec, domain: string): Promise<string> {
  const files = etcFiles(account, domain);
  const copies = new Map<string, Buffer>();
  for (const name of COPIED) {
    try {
      copies.set(name, await readFile(join('/etc', name)));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  for (const python of await pythonDirectories()) files[`${python}/sitecustomize.py`] = SITE_CUSTOMIZE;
  const digest = createHash('sha256').update(JSON.stringify(files));
  for (const [name, content] of copies) digest.update(name).update(content);
  const parent = join(directory, account.name);
  const path = join(parent, `etc-${digest.digest('hex').slice(0, 12)}`);
  try {
    await readFile(join(path, 'passwd'));
    return path;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const fresh = `${path}.${process.pid}-${++writes}.new`;
  await rm(fresh, { recursive: true, force: true });
  await mkdir(fresh, { recursive: true });
  for (const [name, content] of [...Object.entries(files), ...copies]) {
    if (name.includes('/')) await mkdir(dirname(join(fresh, name)), { recursive: true });
    await writeFile(join(fresh, name), content, { mode: 0o644 });
    await chmod(join(fresh, name), 0o644);
  }
  await symlink('/usr/share/zoneinfo/Etc/UTC', join(fresh, 'localtime'));
  await symlink('/proc/self/mounts', join(fresh, 'mtab'));
  for (const name of ['ssl', 'alternatives', 'python3']) await mkdir(join(fresh, name));
  for (const name of ['ld.so.cache', 'holdfast-ca-bundle.pem']) await writeFile(join(fresh, name), '');
  await copyFile('/etc/ld.so.conf', join(fresh, 'ld.so.conf')).catch(() => undefined);
  try {
    await rename(fresh, path);
  } catch (error) {
    // Another start of the same account was quicker, with the same content.
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
    await rm(fresh, { recursive: true, force: true });
  }
  return path;
}
