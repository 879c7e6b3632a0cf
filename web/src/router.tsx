import { type JSX, lazy } from 'react';
import { createBrowserRouter, isRouteErrorResponse, Navigate, Outlet, useRouteError } from 'react-router';
import { RequireSession } from './frame/session.tsx';
import { Shell } from './frame/shell.tsx';
import { ClientFilesAddress, ClientSitesAddress } from './pages/client-addresses.tsx';
import { DashboardPage } from './pages/dashboard.tsx';
import { FirstPasswordPage, SignInPage } from './pages/sign-in.tsx';
import { Button, LinkButton } from './ui/button.tsx';
import { useTitle } from './ui/hooks.ts';
import { Empty } from './ui/states.tsx';

// One chunk per page; the first load carries signing in, the frame and the dashboard.
const SitesPage = lazy(() => import('./pages/web/sites-page.tsx').then((module) => ({ default: module.SitesPage })));
const NewSitePage = lazy(() =>
  import('./pages/web/new-site-page.tsx').then((module) => ({ default: module.NewSitePage })),
);
const SitePage = lazy(() => import('./pages/web/site-page.tsx').then((module) => ({ default: module.SitePage })));
const TasksPage = lazy(() => import('./pages/tasks/tasks-page.tsx').then((module) => ({ default: module.TasksPage })));
const NewTaskPage = lazy(() =>
  import('./pages/tasks/new-task-page.tsx').then((module) => ({ default: module.NewTaskPage })),
);
const TaskPage = lazy(() => import('./pages/tasks/task-page.tsx').then((module) => ({ default: module.TaskPage })));
const FilesPage = lazy(() => import('./pages/files/files-page.tsx').then((module) => ({ default: module.FilesPage })));
const EditPage = lazy(() => import('./pages/files/edit-page.tsx').then((module) => ({ default: module.EditPage })));
const AccountPage = lazy(() =>
  import('./pages/account/account-page.tsx').then((module) => ({ default: module.AccountPage })),
);
const AccountsPage = lazy(() =>
  import('./pages/operator/accounts-page.tsx').then((module) => ({ default: module.AccountsPage })),
);
const StoragePage = lazy(() =>
  import('./pages/operator/storage/storage-page.tsx').then((module) => ({ default: module.StoragePage })),
);
const IncidentsPage = lazy(() =>
  import('./pages/operator/incidents/incidents-page.tsx').then((module) => ({ default: module.IncidentsPage })),
);
const IncidentPage = lazy(() =>
  import('./pages/operator/incidents/incident-page.tsx').then((module) => ({ default: module.IncidentPage })),
);
const DrillsPage = lazy(() =>
  import('./pages/operator/drills/drills-page.tsx').then((module) => ({ default: module.DrillsPage })),
);
const DrillPage = lazy(() =>
  import('./pages/operator/drills/drill-page.tsx').then((module) => ({ default: module.DrillPage })),
);
const SettingsPage = lazy(() =>
  import('./pages/operator/settings-page.tsx').then((module) => ({ default: module.SettingsPage })),
);
const AuditPage = lazy(() =>
  import('./pages/operator/audit-page.tsx').then((module) => ({ default: module.AuditPage })),
);

function NotFound(): JSX.Element {
  useTitle('No such page');
  return (
    <section className="panel">
      <Empty
        level={1}
        icon="search"
        title="There is no such page"
        actions={<LinkButton to="/">To the dashboard</LinkButton>}
      >
        The address may be mistyped, or what it showed is gone.
      </Empty>
    </section>
  );
}

/** A defect in a page: say so, keep a way out. */
function Broken(): JSX.Element {
  const error = useRouteError();
  const text = isRouteErrorResponse(error) ? error.statusText : error instanceof Error ? error.message : String(error);
  return (
    <main className="door">
      <section className="panel">
        <Empty
          level={1}
          icon="warning"
          title="This page has stopped working"
          actions={
            <>
              <Button look="main" icon="reload" onClick={() => window.location.reload()}>
                Load it again
              </Button>
              <LinkButton to="/" reloadDocument>
                To the dashboard
              </LinkButton>
            </>
          }
        >
          Nothing on the platform is affected. If a new version was just installed, loading again is enough. ({text})
        </Empty>
      </section>
    </main>
  );
}

export const router = createBrowserRouter([
  {
    element: <Outlet />,
    errorElement: <Broken />,
    children: [
      { path: '/sign-in', element: <SignInPage /> },
      {
        path: '/first-password',
        element: (
          <RequireSession>
            <FirstPasswordPage />
          </RequireSession>
        ),
      },
      { path: '/user/:name', element: <Navigate to="/" replace /> },
      { path: '/user/:name/account', element: <Navigate to="/account" replace /> },
      { path: '/user/:name/files/*', element: <ClientFilesAddress /> },
      {
        element: (
          <RequireSession>
            <Shell />
          </RequireSession>
        ),
        children: [
          { path: '/', element: <DashboardPage /> },
          { path: '/web', element: <SitesPage /> },
          { path: '/web/new', element: <NewSitePage /> },
          { path: '/web/:id/:section?', element: <SitePage /> },
          { path: '/tasks', element: <TasksPage /> },
          { path: '/tasks/new', element: <NewTaskPage /> },
          { path: '/tasks/:id/:section?', element: <TaskPage /> },
          { path: '/files/*', element: <FilesPage /> },
          { path: '/edit/*', element: <EditPage /> },
          { path: '/account', element: <AccountPage /> },
          { path: '/accounts', element: <AccountsPage /> },
          { path: '/storage', element: <StoragePage /> },
          { path: '/volumes', element: <Navigate to="/storage" replace /> },
          { path: '/incidents', element: <IncidentsPage /> },
          { path: '/incidents/:id', element: <IncidentPage /> },
          { path: '/drills', element: <DrillsPage /> },
          { path: '/drills/:id', element: <DrillPage /> },
          { path: '/settings', element: <SettingsPage /> },
          { path: '/audit', element: <AuditPage /> },
          { path: '/user/:name/webapps/*', element: <ClientSitesAddress /> },
          { path: '*', element: <NotFound /> },
        ],
      },
    ],
  },
]);
