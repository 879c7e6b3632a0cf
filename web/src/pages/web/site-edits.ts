import type { SiteView, UpdateSite } from '../../../../src/protocol/browser.ts';
import { isWithin } from '../../format/paths.ts';

/** What a site will look like once a change is saved, for showing it before the answer comes. */
export function previewOf(site: SiteView, patch: UpdateSite): SiteView {
  const { protection, certificate, staticFiles, staticHeaders, ...plain } = patch;
  // New rows get ids of their own below zero until the control plane has given them real ones.
  let newId = -1;
  const next = (): number => newId--;
  return {
    ...site,
    ...plain,
    ...(protection === undefined ? {} : { protection: protection === null ? null : { username: protection.username } }),
    ...(staticFiles === undefined
      ? {}
      : {
          staticFiles: staticFiles.map((row) => ({
            id: site.staticFiles.find((old) => old.url === row.url && old.path === row.path)?.id ?? next(),
            ...row,
          })),
        }),
    ...(staticHeaders === undefined
      ? {}
      : {
          staticHeaders: staticHeaders.map((row) => ({
            id:
              site.staticHeaders.find((old) => old.url === row.url && old.name === row.name && old.value === row.value)
                ?.id ?? next(),
            ...row,
          })),
        }),
    ...(certificate === null ? { certificate: null } : {}),
  };
}

const RUN_FIELDS: ReadonlySet<string> = new Set([
  'pythonVersion',
  'virtualenv',
  'sourceDirectory',
  'workingDirectory',
  'command',
  'staticFiles',
  'staticHeaders',
  'workers',
]);

/** Whether a change reaches the running program only with its next generation. */
export function needsReload(patch: UpdateSite): boolean {
  return Object.keys(patch).some((field) => RUN_FIELDS.has(field));
}

/** The site a file belongs to: its WSGI file, or the one whose source directory is closest above it. */
export function siteOfFile(sites: readonly SiteView[], path: string, home: string): SiteView | undefined {
  const byWsgi = sites.find((site) => site.wsgiFile === path);
  if (byWsgi !== undefined) return byWsgi;
  return (
    sites
      // A site whose source is the whole home would claim every file in it.
      .filter(
        (site) =>
          site.sourceDirectory !== '' && !isWithin(home, site.sourceDirectory) && isWithin(path, site.sourceDirectory),
      )
      .toSorted((a, b) => b.sourceDirectory.length - a.sourceDirectory.length)[0]
  );
}

/** The platform's log of a site, where the member finds it on the Files page. */
export function logPath(domain: string, kind: string): string {
  return `/var/log/${domain}.${kind}.log`;
}
