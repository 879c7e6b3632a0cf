import { useQuery } from '@tanstack/react-query';
import type { JSX } from 'react';
import { Navigate, useLocation } from 'react-router';
import { sitesQuery } from '../api/queries.ts';
import { ErrorPanel, Skeleton } from '../ui/states.tsx';

/** Addresses that existing clients print: /user/<name>/files/home/... */
export function ClientFilesAddress(): JSX.Element {
  const { pathname } = useLocation();
  const rest = /^\/user\/[^/]*\/files(\/.*)?$/.exec(pathname)?.[1] ?? '';
  // Clients leave the slash out for directories too; a name with an extension is then the only hint.
  const isFile = !rest.endsWith('/') && /\.[^/]+$/.test(rest);
  return <Navigate to={`${isFile ? '/edit' : '/files'}${rest}`} replace />;
}

/** The domain that an address of PythonAnywhere's Web page speaks of: in its path, or as the tab `#tab_id_alice_example_org`. */
export function domainAsked(pathname: string, hash: string): ((domain: string) => boolean) | undefined {
  const inPath = /^\/user\/[^/]*\/webapps\/([^/]+)/.exec(pathname)?.[1]?.toLowerCase();
  if (inPath !== undefined) return (domain) => domain === inPath;
  const tab = /^#(?:tab_)?id_(.+)$/.exec(hash)?.[1]?.toLowerCase();
  // Dots became underscores there, and so did hyphens.
  return tab === undefined ? undefined : (domain) => domain.replaceAll(/[.-]/g, '_') === tab.replaceAll('-', '_');
}

/** /user/<name>/webapps/ and what is below it: the list of sites, or the site that is meant. */
export function ClientSitesAddress(): JSX.Element {
  const { pathname, hash } = useLocation();
  const isMeant = domainAsked(pathname, hash);
  const sites = useQuery({ ...sitesQuery(), enabled: isMeant !== undefined });
  if (isMeant === undefined) return <Navigate to="/web" replace />;
  if (sites.data === undefined) {
    return sites.error === null ? (
      <Skeleton lines={6} label="Looking for the site" />
    ) : (
      <ErrorPanel
        what="The sites could not be loaded"
        error={sites.error}
        retry={() => void sites.refetch()}
        level={1}
      />
    );
  }
  const site = sites.data.find(({ domain }) => isMeant(domain));
  return <Navigate to={site === undefined ? '/web' : `/web/${site.id}`} replace />;
}
