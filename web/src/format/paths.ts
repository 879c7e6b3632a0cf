/** Member paths: absolute, as the member sees them. Addresses of the pages that show them are made here and only here. */

export function joinPath(directory: string, name: string): string {
  return directory.endsWith('/') ? `${directory}${name}` : `${directory}/${name}`;
}

/** "/home/alice/" -> "/home/alice"; "/" stays. */
export function trimPath(path: string): string {
  const trimmed = path.replace(/\/+/g, '/').replace(/(.)\/$/, '$1');
  return trimmed.startsWith('/') ? trimmed : `/${trimmed}`;
}

export function parentOf(path: string): string {
  const trimmed = trimPath(path);
  const at = trimmed.lastIndexOf('/');
  return at <= 0 ? '/' : trimmed.slice(0, at);
}

export function nameOf(path: string): string {
  const trimmed = trimPath(path);
  return trimmed.slice(trimmed.lastIndexOf('/') + 1);
}

/** Whether `path` is `directory` itself or below it. */
export function isWithin(path: string, directory: string): boolean {
  const base = trimPath(directory);
  const target = trimPath(path);
  return base === '/' || target === base || target.startsWith(`${base}/`);
}

function encode(path: string): string {
  return trimPath(path).split('/').map(encodeURIComponent).join('/');
}

export function filesAddress(directory: string): string {
  return `/files${encode(directory)}`;
}

export function editAddress(path: string): string {
  return `/edit${encode(path)}`;
}

/** The places a member may browse, outermost first. */
export function rootsOf(account: string): ReadonlyArray<{ path: string; label: string; hint: string }> {
  return [
    { path: `/home/${account}`, label: 'Home', hint: 'Your own files' },
    { path: '/var/www', label: 'WSGI files', hint: 'One start file per site' },
    { path: '/var/log', label: 'Logs', hint: 'Written by your sites' },
    { path: '/tmp', label: 'Temporary', hint: 'Counts towards your disk' },
  ];
}

/** The steps from the root that holds `path` down to it. A path outside every root has just itself. */
export function breadcrumbs(path: string, account: string): Array<{ path: string; label: string }> {
  const target = trimPath(path);
  const root = rootsOf(account).find((candidate) => isWithin(target, candidate.path));
  if (root === undefined) return [{ path: target, label: target }];
  const crumbs = [{ path: root.path, label: root.path }];
  for (const part of target.slice(root.path.length).split('/').filter(Boolean)) {
    crumbs.push({ path: joinPath(crumbs.at(-1)?.path ?? '', part), label: part });
  }
  return crumbs;
}

/** What is wrong with a new file or directory name: a sentence, or undefined. */
export function fileNameProblem(name: string): string | undefined {
  if (name === '') return 'Please type a name.';
  if (name === '.' || name === '..') return `"${name}" has a meaning of its own. Please choose another name.`;
  if (name.includes('/') || name.includes('\0')) return 'A name cannot contain "/".';
  if (new TextEncoder().encode(name).length > 255) return 'That name is too long: 255 bytes at most.';
  return undefined;
}

/**
 * The member path in an address of these pages: "/files/home/al%C3%AFce" with prefix "/files" -> "/home/alïce".
 * Read from the address itself, since a router's parameters have decoded "%25" and "%2F" in their own ways.
 */
export function pathInAddress(pathname: string, prefix: string): string {
  const rest = pathname.slice(prefix.length);
  const parts = rest.split('/').map((part) => {
    try {
      return decodeURIComponent(part);
    } catch {
      return part;
    }
  });
  return trimPath(parts.join('/'));
}
