import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { RouterProvider } from 'react-router/dom';
import { ApiError, call, connectClient } from './api/client.ts';
import { sessionQuery } from './api/queries.ts';
import { router } from './router.tsx';
import './styles/tokens.css';
import './styles/base.css';
import './styles/ui.css';
import './styles/frame.css';
import './styles/pages.css';
import './styles/storage.css';

const client = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 10_000,
      // Only what can get better by waiting is tried again by itself.
      retry: (failures, error) =>
        failures < 2 && error instanceof ApiError && (error.status === 0 || error.status >= 502),
      refetchOnWindowFocus: true,
    },
    mutations: { retry: false },
  },
});

connectClient({
  csrfToken: () => client.getQueryData(sessionQuery.queryKey)?.csrfToken ?? null,
  onSignedOut: () => {
    client.setQueryData(sessionQuery.queryKey, (old) =>
      old === undefined ? undefined : { ...old, account: null, csrfToken: null },
    );
    client.removeQueries({ predicate: (query) => query.queryKey[0] !== 'session' });
  },
  refreshSession: async () => {
    client.setQueryData(sessionQuery.queryKey, await call('session.get', {}, { keepSession: true }));
  },
});

const root = document.getElementById('root');
if (root === null) throw new Error('index.html has no element with the id "root".');
createRoot(root).render(
  <StrictMode>
    <QueryClientProvider client={client}>
      <RouterProvider router={router} />
    </QueryClientProvider>
  </StrictMode>,
);
