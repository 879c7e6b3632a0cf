import { useMutation, type UseMutationResult, useQuery, useQueryClient } from '@tanstack/react-query';
import type { SiteView, UpdateSite } from '../../../../src/protocol/browser.ts';
import { call } from '../../api/client.ts';
import { dashboardQuery, siteQuery } from '../../api/queries.ts';
import { showProblem, showToast } from '../../ui/toast.tsx';
import { needsReload, previewOf } from './site-edits.ts';

/** The generation that was running when settings were saved that only a new one will see. */
function savedKey(id: string): readonly ['saved', string] {
  return ['saved', id];
}

/** Whether the running generation is older than the last saved settings. */
export function useReloadNeeded(site: SiteView): boolean {
  const saved = useQuery<number | null>({
    queryKey: savedKey(site.id),
    queryFn: () => null,
    staleTime: Number.POSITIVE_INFINITY,
    initialData: null,
  });
  return typeof saved.data === 'number' && site.status?.state === 'awake' && site.status.generation === saved.data;
}

/** Changes a site: shown at once, taken back with the reason when the control plane refuses. */
export function useUpdateSite(
  site: SiteView,
): UseMutationResult<SiteView, Error, UpdateSite, { before: SiteView | undefined }> {
  const client = useQueryClient();
  const { queryKey } = siteQuery(site.id);
  return useMutation({
    mutationFn: (patch: UpdateSite) => call('sites.update', { params: { id: site.id }, body: patch }),
    scope: { id: `site-${site.id}` },
    onMutate: async (patch) => {
      await client.cancelQueries({ queryKey });
      const before = client.getQueryData(queryKey);
      client.setQueryData(queryKey, (old) => (old === undefined ? undefined : previewOf(old, patch)));
      return { before };
    },
    onError: (_error, _patch, context) => {
      if (context?.before !== undefined) client.setQueryData(queryKey, context.before);
    },
    onSuccess: (saved, patch) => {
      client.setQueryData(queryKey, saved);
      if (needsReload(patch) && saved.status?.state === 'awake')
        client.setQueryData(savedKey(site.id), saved.status.generation);
      void client.invalidateQueries({ queryKey: ['sites'] });
      void client.invalidateQueries({ queryKey: dashboardQuery.queryKey });
    },
  });
}

type SiteAction = 'reload' | 'enable' | 'disable' | 'back';
const DONE: Readonly<Record<SiteAction, string>> = {
  reload: 'reloaded',
  enable: 'enabled',
  disable: 'disabled',
  back: 'back at what ran before',
};

/** What is said after an action: a reload that brought an error is no success. */
function doneSentence(site: Pick<SiteView, 'domain' | 'status'>, action: SiteAction): string {
  const remark = action === 'reload' ? site.status?.remark : null;
  if (remark?.kind === 'error') return `${site.domain} runs the new code, but its first answer was an error.`;
  if (remark?.kind === 'slow') return `${site.domain} is reloaded. Its first page is slow.`;
  return `${site.domain} is ${DONE[action]}.`;
}

/** Reload, enable or disable. A failed reload also refreshes the site, since its failure panel then has the reason. */
export function useSiteAction(site: Pick<SiteView, 'id' | 'domain'>): UseMutationResult<SiteView, Error, SiteAction> {
  const client = useQueryClient();
  const { queryKey } = siteQuery(site.id);
  return useMutation({
    mutationFn: (action: SiteAction) => call(`sites.${action}`, { params: { id: site.id } }),
    onSuccess: (fresh, action) => {
      client.setQueryData(queryKey, fresh);
      void client.invalidateQueries({ queryKey: ['sites'] });
      void client.invalidateQueries({ queryKey: dashboardQuery.queryKey });
      showToast(doneSentence(fresh, action));
    },
    onError: (error) => {
      showProblem(error);
      void client.invalidateQueries({ queryKey });
      void client.invalidateQueries({ queryKey: dashboardQuery.queryKey });
    },
  });
}
