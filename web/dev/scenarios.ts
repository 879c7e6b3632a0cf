import { DEFAULT_PLANS } from '../../src/model/plans.ts';
import type {
  AccountView,
  AuditEntry,
  Plan,
  Session,
  Settings,
  SiteView,
  VolumeView,
} from '../../src/protocol/browser.ts';
import type { DrillRun } from '../../src/protocol/drills.ts';
import type { FileEntry } from '../../src/protocol/files.ts';
import type { HostHealth } from '../../src/protocol/health.ts';
import type { Incident, NotificationSettings } from '../../src/protocol/incidents.ts';
import type { TaskView } from '../../src/protocol/api/tasks.ts';
import type { SiteStatus } from '../../src/protocol/sites.ts';
import type { CpuUse } from '../../src/protocol/tasks.ts';
import type { Operation } from '../../src/protocol/volumes.ts';

/** What the stand-in of the API knows. One value of this per scenario; the pages change it as they would the real one. */
export interface World {
  session: Session;
  disk: { usedBytes: number; limitBytes: number } | null;
  notices: Array<{ level: 'info' | 'warning' | 'problem'; text: string; about?: 'storage' }>;
  platformNotices: Array<{ level: 'info' | 'warning' | 'problem'; text: string }>;
  sites: SiteView[];
  logs: Record<string, string[]>;
  /** Path -> bytes, or null for a directory. */
  files: Map<string, { entry: FileEntry; content: string }>;
  accounts: AccountView[];
  volumes: VolumeView[];
  operations: Operation[];
  audit: AuditEntry[];
  settings: Settings;
  plans: Plan[];
  agentReachable: boolean;
  /** What every heartbeat says of the agent. */
  agentSilentSince: string | null;
  tasks: TaskView[];
  /** "id/number" -> what a run wrote; one that is not here was rotated away. */
  taskOutput: Record<string, string>;
  mostTasks: { scheduled: number; alwaysOn: number };
  cpu: CpuUse | null;
  /** null: the host cannot be seen. */
  host: HostHealth | null;
  incidents: Incident[];
  runs: DrillRun[];
  /** Seconds after the fault of the drill that runs. */
  drillSecond: number | null;
  notifications: NotificationSettings;
}

const NOW = Date.now();
export function ago(seconds: number): string {
  return new Date(NOW - seconds * 1000).toISOString();
}

const GiB = 1024 ** 3;
const MiB = 1024 ** 2;
const LIMITS = DEFAULT_PLANS['standard'] ?? DEFAULT_PLANS['starter'];
if (LIMITS === undefined) throw new Error('The model has no plan "standard" and no plan "starter".');
export const limits = LIMITS;

function idOf(text: string): string {
  let hash = 7;
  for (const letter of text) hash = (hash * 31 + letter.charCodeAt(0)) % 281_474_976_710_655;
  return hash.toString(16).padStart(12, '0').slice(0, 12);
}

export function status(id: string, state: SiteStatus['state'], more: Partial<SiteStatus> = {}): SiteStatus {
  const runs = state === 'awake' || state === 'reloading';
  return {
    id,
    state,
    generation: 4,
    since: ago(5400),
    failure: null,
    remark: null,
    kept: null,
    lastRequestAt: ago(42),
    memoryBytes: runs ? 38 * MiB : null,
    processes: runs ? 3 : 0,
    ...more,
  };
}

/** After a reload whose first answer was an error; what ran before is still there. */
export function siteWithErrors(account: string, domain: string): SiteView {
  return site(account, domain, 'awake', {
    status: status(idOf(domain), 'awake', {
      remark: {
        kind: 'error',
        message: `It runs, but answered the first request for / with 500 Internal Server Error: ZeroDivisionError: division by zero (/home/${account}/mysite/flask_app.py, line 12). Visitors of this page get the same.`,
        output: [
          'Traceback (most recent call last):',
          `  File "/home/${account}/mysite/flask_app.py", line 12, in index`,
          '    return str(1 / 0)',
          'ZeroDivisionError: division by zero',
        ],
        at: ago(40),
      },
      kept: { generation: 3, until: ago(-560) },
    }),
  });
}

export function site(
  account: string,
  domain: string,
  state: SiteStatus['state'],
  more: Partial<SiteView> = {},
): SiteView {
  const id = idOf(domain);
  return {
    id,
    account,
    domain,
    url: `https://${domain}:8443/`,
    kind: 'wsgi',
    enabled: state !== 'disabled',
    pythonVersion: '3.11',
    virtualenv: '',
    sourceDirectory: `/home/${account}/mysite`,
    workingDirectory: `/home/${account}/`,
    wsgiFile: `/var/www/${domain.replaceAll('.', '_')}_wsgi.py`,
    command: '',
    forceHttps: false,
    protection: null,
    staticFiles: [],
    staticHeaders: [],
    stopFirst: false,
    storage: 'serving',
    workers: 2,
    createdAt: ago(86_400 * 12),
    status: status(id, state),
    certificate: null,
    ...more,
  };
}

const TRACEBACK = [
  'Traceback (most recent call last):',
  '  File "/var/www/shop-alice_localhost_wsgi.py", line 16, in <module>',
  '    from flask_app import app as application',
  '  File "/home/alice/shop/flask_app.py", line 4, in <module>',
  '    import stripe',
  "ModuleNotFoundError: No module named 'stripe'",
];

function failing(account: string): SiteView {
  const domain = `shop-${account}.localhost`;
  return site(account, domain, 'failed', {
    sourceDirectory: `/home/${account}/shop`,
    virtualenv: `/home/${account}/.virtualenvs/shop`,
    status: status(idOf(domain), 'failed', {
      failure: {
        step: 'import',
        message:
          'Your code could not be loaded: no module named "stripe" (flask_app.py, line 4). Install it in the virtualenv, then reload.',
        output: TRACEBACK,
        at: ago(95),
      },
      lastRequestAt: ago(90),
    }),
  });
}

function entry(name: string, type: FileEntry['type'], size: number, seconds: number): FileEntry {
  return { name, type, size, modifiedAt: ago(seconds), mode: type === 'directory' ? 0o755 : 0o644 };
}

const FLASK_APP = `from flask import Flask, render_template

app = Flask(__name__)
VISITS = 0


@app.route("/")
def hello():
    """The first page of the shop."""
    global VISITS
    VISITS += 1  # per worker: each has its own
    return render_template("index.html", visits=VISITS)


@app.get("/health")
def health() -> dict[str, bool]:
    return {"ok": True}


if __name__ == "__main__":
    app.run(debug=True)
`;

function homeFiles(account: string): World['files'] {
  const files: World['files'] = new Map();
  const add = (directory: string, item: FileEntry, content = ''): void => {
    files.set(`${directory}/${item.name}`, {
      entry: content === '' ? item : { ...item, size: content.length },
      content,
    });
  };
  const home = `/home/${account}`;
  for (const [path, name] of [
    ['/home', account],
    ['', 'tmp'],
    ['/var', 'www'],
    ['/var', 'log'],
  ] as const) {
    add(path, entry(name, 'directory', 0, 900));
  }
  add(home, entry('mysite', 'directory', 0, 3600));
  add(home, entry('shop', 'directory', 0, 120));
  add(home, entry('backups', 'directory', 0, 86_400 * 3));
  add(home, entry('.virtualenvs', 'directory', 0, 86_400 * 9));
  add(home, entry('latest-backup', 'symlink', 24, 86_400 * 3));
  add(home, entry('.bashrc', 'file', 0, 86_400 * 12), 'source /etc/bashrc\n');
  add(home, entry('README.txt', 'file', 0, 86_400 * 12), 'This is your home directory.\n');
  add(home, entry('customers 2026.csv', 'file', 0, 7200), 'name,mail\nJo,jo@example.org\n');
  add(home, entry('database.sqlite3', 'file', 41 * MiB, 30));
  add(`${home}/mysite`, entry('templates', 'directory', 0, 3600));
  add(`${home}/mysite`, entry('static', 'directory', 0, 3600));
  add(`${home}/mysite`, entry('flask_app.py', 'file', 0, 1200), FLASK_APP);
  add(`${home}/mysite`, entry('requirements.txt', 'file', 0, 86_400), 'flask==3.1\n');
  add(
    `${home}/shop`,
    entry('flask_app.py', 'file', 0, 120),
    FLASK_APP.replace('render_template\n', 'render_template\nimport stripe\n'),
  );
  add(
    '/var/www',
    entry(`${account}_localhost_wsgi.py`, 'file', 0, 86_400),
    'from flask_app import app as application\n',
  );
  add('/var/log', entry(`${account}.localhost.access.log`, 'file', 0, 40), '127.0.0.1 - - "GET / HTTP/1.1" 200\n');
  return files;
}

const OWN = (account: string): SiteView =>
  site(account, `${account}.localhost`, 'awake', {
    staticFiles: [
      { id: 1, url: '/static/', path: `/home/${account}/mysite/static` },
      { id: 2, url: '/media/', path: `/home/${account}/mysite/media` },
    ],
    staticHeaders: [{ id: 1, url: '/static/', name: 'Cache-Control', value: 'public, max-age=86400' }],
  });

function accessLog(lines: number): string[] {
  return Array.from({ length: lines }, (_, index) => {
    const at = new Date(NOW - (lines - index) * 7000).toISOString();
    const code = index % 41 === 40 ? 500 : index % 13 === 12 ? 404 : 200;
    const path = [
      '/',
      '/static/style.css',
      '/basket/add?item=4711&amount=2&returnTo=%2Fbooks%2Fpython%2Fpage%2F2',
      '/health',
    ][index % 4];
    return `203.0.113.${index % 250} - - [${at}] "GET ${path} HTTP/2.0" ${code} ${900 + ((index * 37) % 4000)} "-" "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0" "203.0.113.${index % 250}" response-time=0.0${10 + (index % 80)}`;
  });
}

export function volume(name: string, more: Partial<VolumeView> = {}): VolumeView {
  const none = { write: 0, read: 0, flush: 0, corruption: 0, generation: 0 };
  return {
    name,
    engine: 'local',
    state: 'open',
    trouble: null,
    redundancy: 'full',
    sizeBytes: 8 * GiB,
    usedBytes: 2.1 * GiB,
    replicas: [
      {
        id: 'r1',
        disk: `/var/lib/holdfast/volumes/${name}/disks/r1.img`,
        state: 'healthy',
        valve: true,
        sizeBytes: 8 * GiB,
        errors: none,
      },
      {
        id: 'r2',
        disk: `/var/lib/holdfast/volumes/${name}/disks/r2.img`,
        state: 'healthy',
        valve: true,
        sizeBytes: 8 * GiB,
        errors: none,
      },
    ],
    operation: null,
    readAt: ago(3),
    accounts: 14,
    promisedBytes: 11 * GiB,
    ...more,
  };
}

export function accountView(name: string, more: Partial<AccountView> = {}): AccountView {
  return {
    name,
    role: 'member',
    plan: 'standard',
    volume: 'amber',
    disabled: false,
    sites: 1,
    createdAt: ago(86_400 * 30),
    state: 'ready',
    ...more,
  };
}

function sessionOf(
  name: string | null,
  role: 'member' | 'operator' = 'member',
  more: Partial<NonNullable<Session['account']>> = {},
): Session {
  return {
    account:
      name === null ? null : { name, role, plan: 'standard', mustChangePassword: false, hasToken: false, ...more },
    csrfToken: name === null ? null : 'stand-in',
    signUpOpen: true,
    platform: { domain: 'localhost', httpPort: 8080, httpsPort: 8443, version: '0.1.0' },
  };
}

export function base(name: string | null, role: 'member' | 'operator' = 'member'): World {
  return {
    session: sessionOf(name, role),
    disk: { usedBytes: 0.62 * GiB, limitBytes: limits.diskBytes },
    notices: [],
    platformNotices: [],
    sites: [],
    logs: {},
    files: new Map(),
    accounts: [],
    volumes: [],
    operations: [],
    audit: [],
    settings: { signUpOpen: true, signUpPlan: 'starter', uploadLimitBytes: 100 * MiB, apiRequestsPerMinute: 120 },
    plans: Object.entries(DEFAULT_PLANS).map(([planName, planLimits]) => ({ name: planName, limits: planLimits })),
    agentReachable: true,
    agentSilentSince: null,
    tasks: [],
    taskOutput: {},
    mostTasks: { scheduled: limits.tasks, alwaysOn: limits.alwaysOnTasks },
    cpu: {
      account: name ?? '',
      usedSeconds: 0,
      limitSeconds: limits.cpuSecondsPerDay,
      resetAt: ago(-5 * 3600),
      setBack: false,
    },
    host: null,
    incidents: [],
    runs: [],
    drillSecond: null,
    notifications: { webhook: null, email: null },
  };
}

/** An operator on a platform with nothing on it. */
export function operatorBase(): World {
  return { ...base('operator', 'operator'), disk: null };
}

function rebuild(): Operation {
  return {
    id: 'op-rebuild',
    kind: 'volume-rebuild',
    subject: 'basalt',
    state: 'running',
    progress: 0.37,
    steps: [
      { name: 'Check the new disk', state: 'done', detail: 'Empty, 8 GiB' },
      { name: 'Attach it behind the valve', state: 'done', detail: null },
      { name: 'Copy used blocks', state: 'running', detail: '798 MiB of 2.1 GiB, 214 MiB/s' },
      { name: 'Verify checksums', state: 'waiting', detail: null },
      { name: 'Release the old replica', state: 'waiting', detail: null },
    ],
    error: null,
    startedAt: ago(12),
    finishedAt: null,
  };
}

function operatorWorld(): World {
  const world = base('operator', 'operator');
  world.disk = null;
  world.volumes = [
    volume('amber'),
    volume('basalt', {
      redundancy: 'rebuilding',
      usedBytes: 2.1 * GiB,
      accounts: 11,
      operation: 'op-rebuild',
      trouble: 'Replica r2 stopped answering and was set aside after 0.8 s; a new replica is being rebuilt.',
      replicas: [
        ...volume('basalt').replicas.slice(0, 1),
        {
          id: 'r3',
          disk: '/var/lib/holdfast/volumes/basalt/disks/r3.img',
          state: 'rebuilding',
          valve: true,
          sizeBytes: 8 * GiB,
          errors: { write: 0, read: 0, flush: 0, corruption: 0, generation: 0 },
        },
      ],
    }),
    volume('coral', {
      redundancy: 'reduced',
      usedBytes: 7.3 * GiB,
      accounts: 0,
      trouble: 'One complete replica is left. Add a replica.',
      replicas: [
        ...volume('coral').replicas.slice(0, 1),
        {
          id: 'r2',
          disk: '/dev/disk/by-id/ata-WDC_WD40EFRX-68N32N0_WD-WCC7K0000001',
          state: 'missing',
          valve: false,
          sizeBytes: 8 * GiB,
          errors: null,
        },
      ],
    }),
    volume('dune', {
      state: 'closed',
      redundancy: 'lost',
      accounts: 0,
      usedBytes: 0.2 * GiB,
      trouble: 'Neither disk can be reached.',
      replicas: [
        {
          id: 'r1',
          disk: '/dev/sdf',
          state: 'failed',
          valve: false,
          sizeBytes: 8 * GiB,
          errors: { write: 12, read: 408, flush: 3, corruption: 0, generation: 0 },
        },
        { id: 'r2', disk: '/dev/sdg', state: 'set-aside', valve: false, sizeBytes: 8 * GiB, errors: null },
      ],
    }),
  ];
  world.operations = [
    rebuild(),
    {
      id: 'op-scrub',
      kind: 'volume-scrub',
      subject: 'amber',
      state: 'done',
      progress: 1,
      error: null,
      startedAt: ago(4000),
      finishedAt: ago(3700),
      steps: [{ name: 'Read every block', state: 'done', detail: '2.1 GiB, nothing to repair' }],
    },
    {
      id: 'op-grow',
      kind: 'volume-grow',
      subject: 'coral',
      state: 'failed',
      progress: null,
      error:
        'The disk /dev/disk/by-id/ata-WDC_WD40EFRX-68N32N0_WD-WCC7K0000001 cannot be reached. Add a replica first.',
      startedAt: ago(9000),
      finishedAt: ago(8998),
      steps: [
        { name: 'Enlarge the disks', state: 'failed', detail: null },
        { name: 'Enlarge the file system', state: 'waiting', detail: null },
      ],
    },
  ];
  world.accounts = [
    accountView('operator', { role: 'operator', volume: null, sites: 0, plan: 'large' }),
    accountView('alice', { sites: 3 }),
    accountView('bob', { plan: 'starter', volume: 'basalt' }),
    accountView('carol', { disabled: true, sites: 0 }),
    accountView('newcomer', { state: 'creating', sites: 0, createdAt: ago(2) }),
    accountView('formermember', { state: 'deleting', sites: 0, volume: 'basalt' }),
  ];
  world.sites = [
    OWN('alice'),
    failing('alice'),
    site('bob', 'bob.localhost', 'asleep'),
    site('carol', 'carol.localhost', 'disabled'),
  ];
  world.platformNotices = [
    { level: 'warning', text: 'Volume coral: redundancy is reduced.' },
    { level: 'problem', text: 'Volume dune: Neither disk can be reached.' },
  ];
  world.audit = [
    {
      at: ago(30),
      actor: 'operator',
      address: '127.0.0.1',
      action: 'session.sign-in',
      subject: 'operator',
      outcome: 'ok',
      detail: '',
    },
    {
      at: ago(400),
      actor: 'nobody',
      address: '203.0.113.9',
      action: 'session.sign-in',
      subject: 'alice',
      outcome: 'refused',
      detail: 'wrong password, 3rd try',
    },
    {
      at: ago(900),
      actor: 'operator (command line)',
      address: 'local',
      action: 'account.create',
      subject: 'newcomer',
      outcome: 'ok',
      detail: 'plan standard, volume amber',
    },
    {
      at: ago(9000),
      actor: 'operator',
      address: '127.0.0.1',
      action: 'volume.grow',
      subject: 'coral',
      outcome: 'failed',
      detail: 'The disk cannot be reached.',
    },
  ];
  return world;
}

export function busyWorld(): World {
  const world = base('alice');
  world.sites = [
    OWN('alice'),
    site('alice', 'api-alice.localhost', 'asleep', {
      kind: 'command',
      wsgiFile: null,
      command: '/home/alice/.virtualenvs/api/bin/uvicorn --app-dir /home/alice/api --uds $DOMAIN_SOCKET main:app',
      sourceDirectory: '/home/alice/api',
    }),
    site('alice', 'www.example.org', 'reloading', {
      forceHttps: true,
      protection: { username: 'friends' },
      certificate: { notAfter: ago(-86_400 * 14), issuer: 'Example CA R3', custom: true },
    }),
    site('alice', 'old-alice.localhost', 'disabled', {
      kind: 'static',
      wsgiFile: null,
      staticFiles: [{ id: 9, url: '/', path: '/home/alice/old' }],
    }),
  ];
  world.files = homeFiles('alice');
  for (const each of world.sites) world.logs[`${each.id}/access`] = accessLog(160);
  return world;
}

function errorsWorld(): World {
  const world = busyWorld();
  world.sites = [OWN('alice'), siteWithErrors('alice', 'blog-alice.localhost')];
  return world;
}

function failedWorld(): World {
  const world = busyWorld();
  world.sites = [OWN('alice'), failing('alice')];
  world.disk = { usedBytes: 1.87 * GiB, limitBytes: 2 * GiB };
  world.notices = [
    { level: 'warning', text: 'Your disk is nearly full. Delete files you no longer need on the Files page.' },
    { level: 'problem', text: 'shop-alice.localhost did not start: no module named "stripe".' },
  ];
  const failed = world.sites[1];
  if (failed !== undefined)
    world.logs[`${failed.id}/error`] = Array.from({ length: 12 }, () => [
      `${ago(95)}: Error running WSGI application`,
      ...TRACEBACK,
    ]).flat();
  return world;
}

function muchWorld(): World {
  const world = busyWorld();
  const long = 'a-really-very-long-name-that-somebody-has-chosen-for-their-domain';
  world.sites = Array.from({ length: 40 }, (_, index) =>
    site(
      'alice',
      `${long.slice(0, 20 + index)}-${index}.example.org`,
      index % 5 === 4 ? 'failed' : index % 3 === 0 ? 'asleep' : 'awake',
    ),
  );
  const home = '/home/alice';
  for (let index = 0; index < 1500; index += 1) {
    const name =
      index === 3
        ? `${'report-of-the-whole-year-with-everything-in-it-'.repeat(4)}final.txt`
        : `measurement-${index}.csv`;
    world.files.set(`${home}/${name}`, { entry: entry(name, 'file', index * 1031, index * 60), content: 'x' });
  }
  const first = world.sites[0];
  if (first !== undefined)
    world.logs[`${first.id}/error`] = [
      `2026-11-22 10:00:00,123: ${'{"event":"payment","items":[1,2,3],"note":"very long"} '.repeat(60)}`,
      ...accessLog(190),
    ];
  world.disk = { usedBytes: 2 * GiB, limitBytes: 2 * GiB };
  world.notices = Array.from({ length: 8 }, (_, index) => ({
    level: 'problem' as const,
    text: `${long}-${index}.example.org did not start: ${'something is missing '.repeat(index + 1)}`,
  }));
  return world;
}

/** A member whose volume is out of service. */
export function repairWorld(): World {
  const world = busyWorld();
  world.sites = world.sites.map((each) => ({ ...each, storage: 'stopped' }));
  world.disk = null;
  world.notices = [
    {
      level: 'problem',
      about: 'storage',
      text: 'Your storage is being repaired. Nothing is lost; files and sites come back by themselves.',
    },
  ];
  return world;
}

export const SCENARIOS: Readonly<Record<string, () => World>> = {
  'signed-out': () => base(null),
  'first-password': () => ({ ...base('alice'), session: sessionOf('alice', 'member', { mustChangePassword: true }) }),
  empty: () => {
    const world = base('alice');
    world.disk = { usedBytes: 0.2 * MiB, limitBytes: limits.diskBytes };
    world.files.set('/home/alice', { entry: entry('alice', 'directory', 0, 60), content: '' });
    return world;
  },
  busy: busyWorld,
  failed: failedWorld,
  errors: errorsWorld,
  repair: repairWorld,
  operator: operatorWorld,
  much: muchWorld,
};
