import { useQuery } from '@tanstack/react-query';
import type { JSX } from 'react';
import { Link, useLocation } from 'react-router';
import { dashboardQuery, incidentsQuery } from '../api/queries.ts';
import { sortIncidents } from '../api/reduce.ts';
import { incidentHeadline, incidentTone } from '../health/incident-words.ts';
import { storageNotice } from '../health/notices.ts';
import { Icon } from '../ui/icon.tsx';
import { useLostAt } from './connection.ts';

/** Pages that say it themselves, larger. */
function saysItself(pathname: string): boolean {
  return pathname === '/storage' || pathname === '/incidents' || pathname.startsWith('/incidents/');
}

/** On every page of an operator while an incident is open: how bad, what, whether to act. */
export function IncidentBanner(): JSX.Element | null {
  const { pathname } = useLocation();
  const incidents = useQuery({ ...incidentsQuery, refetchInterval: 60_000 });
  const open = sortIncidents((incidents.data ?? []).filter((incident) => incident.state === 'open'));
  const seen = useLostAt() === null;
  const worst =
    open.find((incident) => incident.severity === 'critical') ??
    open.find((incident) => incident.mustAct !== null) ??
    open[0];
  if (worst === undefined || saysItself(pathname)) return null;
  const tone = incidentTone(worst);
  const must = open.some((incident) => incident.mustAct !== null);
  return (
    <div className={`banner banner-${tone}`} role="status" aria-label="Open incident">
      <Icon name={tone === 'bad' ? 'problem' : tone === 'warn' ? 'warning' : 'info'} />
      <p className="anywhere">
        <strong>{must ? 'You must act. ' : ''}</strong>
        {incidentHeadline(worst)}
        {!seen ? ' (As last seen.)' : !must && ' You need to do nothing.'}
      </p>
      <Link to={open.length === 1 ? `/incidents/${worst.id}` : '/incidents'}>
        {open.length === 1 ? `Incident ${worst.id}` : `${open.length} open incidents`}
      </Link>
    </div>
  );
}

/** For a member, only while their own volume is in trouble: calm and honest. The dashboard lists it with the other notices. */
export function StorageBanner(): JSX.Element | null {
  const { pathname } = useLocation();
  const dashboard = useQuery({ ...dashboardQuery, refetchInterval: 30_000 });
  const seen = useLostAt() === null;
  const notice = storageNotice(dashboard.data?.account?.notices ?? []);
  if (notice === undefined || pathname === '/') return null;
  return (
    <div
      className={`banner banner-${notice.level === 'problem' ? 'bad' : 'warn'}`}
      role="status"
      aria-label="Your storage"
    >
      <Icon name={notice.level === 'problem' ? 'problem' : 'warning'} />
      <p className="anywhere">
        {notice.text} {seen ? 'You need to do nothing.' : '(As last seen.)'}
      </p>
    </div>
  );
}

/** How many incidents are open, beside the menu's line. */
export function OpenIncidents(): JSX.Element | null {
  const incidents = useQuery(incidentsQuery);
  const open = (incidents.data ?? []).filter((incident) => incident.state === 'open');
  if (open.length === 0) return null;
  const strong = open.some((incident) => incident.severity !== 'minor' || incident.mustAct !== null);
  return (
    <span className={`menu-count${strong ? ' menu-count-strong' : ''}`}>
      {open.length}
      <span className="visually-hidden"> open</span>
    </span>
  );
}
