import { describe, expect, test } from 'vitest';
import type { Dashboard, SiteView, VolumeView } from '../../../src/protocol/browser.ts';
import type { Operation } from '../../../src/protocol/volumes.ts';
import type { DrillRun } from '../../../src/protocol/drills.ts';
import type { Incident, IncidentSummary } from '../../../src/protocol/incidents.ts';
import type { TaskView } from '../../../src/protocol/api/tasks.ts';
import type { TaskRun, TaskStatus } from '../../../src/protocol/tasks.ts';
import {
  mergeIncident,
  mergeRuns,
  parseEvent,
  reduceDashboard,
  refetchAfter,
  sortIncidents,
  taskAfter,
  taskRefetches,
  upsert,
  upsertIncident,
  upsertOperation,
  upsertRun,
  without,
} from './reduce.ts';

function site(id: string, account: string, state: 'awake' | 'failed' = 'awake'): SiteView {
  return {
    id, account, domain: `${id}.example.org`, url: '', kind: 'wsgi', enabled: true, pythonVersion: '3.11', virtualenv: '',
    sourceDirectory: '', workingDirectory: '', wsgiFile: null, command: '', forceHttps: false, protection: null, staticFiles: [],
    staticHeaders: [], stopFirst: false, workers: 1, createdAt: '', storage: 'serving', certificate: null,
    status: { id, state, generation: 1, since: '', failure: null, remark: null, kept: null, lastRequestAt: null, memoryBytes: null, processes: 1 },
  }; // prettier-ignore
}

function operation(id: string, startedAt: string, state: Operation['state'] = 'done'): Operation {
  return {
    id,
    kind: 'volume-scrub',
    subject: 'amber',
    state,
    progress: null,
    steps: [],
    error: null,
    startedAt,
    finishedAt: null,
  };
}

const volume: VolumeView = {
  name: 'amber', engine: 'local', state: 'open', trouble: null, redundancy: 'full', sizeBytes: 1, usedBytes: 0, replicas: [],
  operation: null, readAt: '', accounts: 0, promisedBytes: 0,
}; // prettier-ignore

function dashboard(sites: SiteView[]): Dashboard {
  return {
    account: {
      name: 'alice', plan: 'starter', disk: null, sites, pythons: [], notices: [],
      limits: {
        diskBytes: 1, memoryBytes: 1, sites: 1, workers: 1, cpuSecondsPerDay: 1, consoles: 1, tasks: 1, alwaysOnTasks: 1, taskSeconds: 3600, stopGraceSeconds: 2, processes: 1,
        requestTimeoutSeconds: 1, idleSleepSeconds: 1, cpuWeight: 100,
      },
    },
    platform: {
      accounts: 1, sites: 1, sitesAwake: 1, sitesStopped: 0, sitesFailed: 0, volumes: [volume], operations: [], agentReachable: true, notices: [],
    },
  }; // prettier-ignore
}

describe('lists', () => {
  test('what has not been fetched yet stays so', () => {
    expect(upsert<{ id: string }>(undefined, { id: 'a' }, (item) => item.id)).toBeUndefined();
    expect(without<number>(undefined, () => true)).toBeUndefined();
    expect(reduceDashboard(undefined, { type: 'volume', view: volume })).toBeUndefined();
  });

  test('a known item is replaced in its place, a new one comes last', () => {
    const list = [{ id: 'a', n: 1 }, { id: 'b', n: 1 }]; // prettier-ignore
    expect(upsert(list, { id: 'a', n: 2 }, (item) => item.id)).toEqual([{ id: 'a', n: 2 }, list[1]]);
    expect(upsert(list, { id: 'c', n: 1 }, (item) => item.id)?.map((item) => item.id)).toEqual(['a', 'b', 'c']);
  });

  test('a list from which nothing went keeps its identity', () => {
    const list = [1, 2];
    expect(without(list, (item) => item === 3)).toBe(list);
    expect(without(list, (item) => item === 2)).toEqual([1]);
  });

  test('operations are newest first, and running ones are never pushed out', () => {
    const old = [operation('running', '2026-01-01', 'running'), operation('x', '2026-01-02')];
    expect(upsertOperation(old, operation('y', '2026-01-03'), 1)?.map((item) => item.id)).toEqual(['y', 'running']);
  });
});

describe('the dashboard', () => {
  test("takes its own account's sites and leaves others'", () => {
    const before = dashboard([site('a', 'alice')]);
    expect(reduceDashboard(before, { type: 'site', view: site('b', 'bob') })).toBe(before);
    const after = reduceDashboard(before, { type: 'site', view: site('a', 'alice', 'failed') });
    expect(after?.account?.sites[0]?.status?.state).toBe('failed');
  });

  test('drops a removed site', () => {
    const before = dashboard([site('a', 'alice')]);
    expect(reduceDashboard(before, { type: 'site-removed', id: 'a' })?.account?.sites).toEqual([]);
    expect(reduceDashboard(before, { type: 'site-removed', id: 'other' })).toBe(before);
  });

  test("a member's dashboard ignores what is the platform's", () => {
    const before: Dashboard = { ...dashboard([]), platform: null };
    expect(reduceDashboard(before, { type: 'volume', view: volume })).toBe(before);
    expect(reduceDashboard(before, { type: 'operation', view: operation('x', '2026') })).toBe(before);
  });

  test('is fetched again when counts and notices may have changed, and only then', () => {
    const awake = site('a', 'alice');
    expect(refetchAfter({ type: 'site', view: awake }, awake)).toEqual([]);
    expect(refetchAfter({ type: 'site', view: site('a', 'alice', 'failed') }, awake)).toEqual([['dashboard']]);
    expect(refetchAfter({ type: 'operation', view: operation('x', '', 'running') }, undefined)).toEqual([]);
    expect(refetchAfter({ type: 'operation', view: operation('x', '') }, undefined)).toContainEqual(['volumes']);
  });
});

function incident(
  id: number,
  state: 'open' | 'resolved',
  severity: IncidentSummary['severity'] = 'minor',
): IncidentSummary {
  return {
    id, title: '', state, severity, fault: 'hung', culprit: { kind: 'disk', volume: 'amber', replica: 'r1', disk: null }, volume: 'amber', since: '',
    openedAt: '', resolvedAt: null, service: 'serving', doing: '', mustAct: null, impact: { accounts: 0, sites: 0, requests: null },
  }; // prettier-ignore
}

describe('incidents', () => {
  test('open ones come first, the worst of them on top; then newest first', () => {
    const list = [
      incident(1, 'resolved'),
      incident(2, 'open'),
      incident(3, 'resolved'),
      incident(4, 'open', 'critical'),
    ];
    expect(sortIncidents(list).map((each) => each.id)).toEqual([4, 2, 3, 1]);
  });

  test('a late event does not open a resolved incident again', () => {
    const list = [incident(1, 'resolved')];
    expect(upsertIncident(list, incident(1, 'open'))).toBe(list);
    expect(upsertIncident(list, incident(2, 'open'))?.map((each) => each.id)).toEqual([2, 1]);
    expect(upsertIncident(undefined, incident(2, 'open'))).toBeUndefined();
  });

  test('a summary keeps what only the whole incident has, and makes it be fetched again', () => {
    const whole = {
      ...incident(1, 'open'),
      timeline: [{ at: '', kind: 'note', text: 'x' }],
      notes: [],
    } as unknown as Incident;
    const merged = mergeIncident(whole, { ...incident(1, 'resolved'), doing: 'done' });
    expect(merged).toMatchObject({ state: 'resolved', doing: 'done', timeline: [{ text: 'x' }] });
    expect(mergeIncident(undefined, incident(1, 'open'))).toBeUndefined();
    expect(mergeIncident(undefined, whole)).toBe(whole);
    expect(refetchAfter({ type: 'incident', view: incident(1, 'open') }, undefined)).toContainEqual(['incident', '1']);
    expect(refetchAfter({ type: 'incident', view: whole }, undefined)).toEqual([['dashboard']]);
  });
});

describe('drills', () => {
  const run = (id: string, startedAt: string, finishedAt: string | null): DrillRun => ({
    id, drill: 'disk-hang', title: '', where: 'scratch', reaction: true, state: finishedAt === null ? 'running' : 'passed', step: '', startedAt,
    faultAt: null, finishedAt, volumes: [], timeline: [], checks: [], result: null, error: null,
  }); // prettier-ignore

  test('runs are newest first, without what only the live page needs', () => {
    const runs = upsertRun(upsertRun([], run('a', '2026-01-01', null)), run('b', '2026-01-02', null));
    expect(runs.map((each) => each.id)).toEqual(['b', 'a']);
    expect(Object.keys(runs[0] ?? {})).not.toContain('timeline');
  });

  test('a run that is over stays over', () => {
    const over = upsertRun([], run('a', '2026-01-01', '2026-01-02'));
    expect(upsertRun(over, run('a', '2026-01-01', null))).toBe(over);
  });
});

describe('parseEvent', () => {
  test('reads incidents, drills and health, the latter with or without its envelope', () => {
    expect(parseEvent('incident', '{"id":7}')).toMatchObject({ type: 'incident', view: { id: 7 } });
    expect(parseEvent('drill', '{"id":"a","volumes":[]}')).toMatchObject({ type: 'drill', view: { id: 'a' } });
    expect(parseEvent('health', '{"host":null}')).toEqual({ type: 'health', host: null });
    expect(parseEvent('health', '{"host":{"disks":[]}}')).toEqual({ type: 'health', host: { disks: [] } });
    expect(parseEvent('health', '{"disks":[]}')).toEqual({ type: 'health', host: { disks: [] } });
    for (const [type, data] of [
      ['incident', '{"id":"7"}'],
      ['drill', '{"id":"a"}'],
      ['health', '{"host":7}'],
      ['health', '{}'],
    ] as const)
      expect(parseEvent(type, data)).toBeUndefined();
  });

  test('reads views and removals', () => {
    expect(parseEvent('site', JSON.stringify(site('a', 'alice')))).toMatchObject({ type: 'site', view: { id: 'a' } });
    expect(parseEvent('site', '{"id":"a","removed":true}')).toEqual({ type: 'site-removed', id: 'a' });
    expect(parseEvent('account', '{"name":"bob","removed":true}')).toEqual({ type: 'account-removed', name: 'bob' });
  });

  test('drops what it cannot read', () => {
    for (const [type, data] of [
      ['site', '{'],
      ['site', '[]'],
      ['site', 'null'],
      ['volume', '{"id":"a"}'],
      ['new', '{"id":"a"}'],
    ] as const) {
      expect(parseEvent(type, data)).toBeUndefined();
    }
  });
});

describe('events of tasks', () => {
  const run = (number: number, outcome: TaskRun['outcome'] = 'succeeded'): TaskRun => ({
    number, cause: 'schedule', due: null, late: false, startedAt: '', endedAt: null, outcome, code: null, signal: null, message: null, cpuSeconds: null,
    peakMemoryBytes: null,
  }); // prettier-ignore
  const status = (id: number, runs: TaskRun[]): TaskStatus => ({
    account: 'alice',
    id,
    state: 'idle',
    waiting: null,
    next: null,
    runs,
  });
  const task = (id: number, runs: TaskRun[]): TaskView => ({
    kind: 'scheduled', id, account: 'alice', command: 'date', description: '', enabled: true, log: '', createdAt: '', skipLate: false, overlap: false,
    schedule: { kind: 'hourly', minute: 0 }, status: status(id, runs),
  }); // prettier-ignore

  test('bring the newest runs, and the older ones stay', () => {
    const merged = mergeRuns([run(6, 'running'), run(5), run(1)], [run(7, 'running'), run(6), run(5)]);
    expect(merged.map((each) => [each.number, each.outcome])).toEqual([
      [7, 'running'],
      [6, 'succeeded'],
      [5, 'succeeded'],
      [1, 'succeeded'],
    ]);
    expect(mergeRuns([run(1)], []).map((each) => each.number)).toEqual([1]);
  });

  test('change their own task only', () => {
    const one = task(1, [run(1)]);
    expect(taskAfter(one, { type: 'task', status: status(2, []) })).toBe(one);
    expect(taskAfter(one, { type: 'task', status: status(1, [run(2), run(1)]) }).status).toEqual(
      status(1, [run(2), run(1)]),
    );
  });

  test('ask for what they do not bring: a task made elsewhere, what an ended run wrote and cost', () => {
    const known = task(1, [run(4, 'running')]);
    const ended = { type: 'task' as const, status: status(1, [run(4)]) };
    expect(taskRefetches([known], known, 'alice', ended)).toEqual([['tasks'], ['task-output', '1', '4']]);
    const elsewhere = { type: 'task' as const, status: status(9, []) };
    expect(taskRefetches([known], undefined, 'alice', elsewhere)).toEqual([['tasks']]);
    // An operator hears of everybody's.
    expect(taskRefetches([known], undefined, 'root', elsewhere)).toEqual([]);
    expect(taskRefetches(undefined, undefined, 'alice', elsewhere)).toEqual([]);
  });

  test('that do not tell of an old run that went on have it asked for', () => {
    const known = task(1, [run(9), run(2, 'running')]);
    const event = { type: 'task' as const, status: status(1, [run(10), run(9)]) };
    expect(taskRefetches([known], known, 'alice', event)).toEqual([['tasks'], ['task', '1']]);
  });

  test('of a task that was disabled elsewhere have its definition asked for', () => {
    const known = task(1, []);
    const event = { type: 'task' as const, status: { ...status(1, []), state: 'disabled' as const } };
    expect(taskRefetches([known], known, 'alice', event)).toEqual([['tasks'], ['task', '1']]);
    expect(taskRefetches([known], known, 'alice', { type: 'task', status: status(1, []) })).toEqual([]);
  });

  test('are read', () => {
    expect(parseEvent('task', JSON.stringify(status(1, [])))).toEqual({ type: 'task', status: status(1, []) });
    expect(parseEvent('task', '{"id":"x"}')).toBeUndefined();
    expect(parseEvent('always-on', '{"id":3,"state":"running"}')?.type).toBe('always-on');
  });
});
