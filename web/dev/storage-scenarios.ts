import { DRILLS } from '../../src/model/drills.ts';
import type { VolumeView } from '../../src/protocol/browser.ts';
import type { DrillRun } from '../../src/protocol/drills.ts';
import type { DiskHealth, HostHealth, TimelineEntry } from '../../src/protocol/health.ts';
import type { Incident } from '../../src/protocol/incidents.ts';
import type { Operation, Replica } from '../../src/protocol/volumes.ts';
import { accountView, ago, operatorBase, volume, type World } from './scenarios.ts';

/** What an operator sees when storage is well, and in every kind of trouble there is. */
const GiB = 1024 ** 3;
const MiB = 1024 ** 2;
const NONE = { write: 0, read: 0, flush: 0, corruption: 0, generation: 0 };

const MEMBERS =
  'ada alan alice barbara bela bob carol claude dana dennis dora edsger emil erika felix frances grace guido hedy hugo ida ivan jana joan john kamala karen ken leslie linus lise margaret mary max nina noor olga otto paula radia ravi rosa sofia tim tove ursula vera wanda xenia yann zoe'.split(
    ' ',
  );

function disksOf(volumes: readonly VolumeView[], special: Readonly<Record<string, Partial<DiskHealth>>>): DiskHealth[] {
  let index = 0;
  return volumes.flatMap((each) =>
    each.replicas
      .filter((one) => one.state === 'healthy' || one.state === 'rebuilding' || `${each.name}/${one.id}` in special)
      .map((one): DiskHealth => {
        index += 1;
        const busy = 18 + ((index * 37) % 90);
        return {
          disk: one.disk,
          device: one.valve ? `loop${index}` : one.disk.slice(5),
          volume: each.name,
          replica: one.id,
          condition: 'healthy',
          inFlight: index % 3,
          stalledMs: 0,
          readsPerSecond: busy,
          writesPerSecond: busy * 0.6,
          readBytesPerSecond: busy * 24_000,
          writtenBytesPerSecond: busy * 11_000,
          latencyMs: 0.8 + (index % 5) * 0.3,
          probeMs: 1.4,
          ...special[`${each.name}/${one.id}`],
        };
      }),
  );
}

export function hostOf(
  volumes: readonly VolumeView[],
  special: Readonly<Record<string, Partial<DiskHealth>>> = {},
  more: Partial<HostHealth> = {},
): HostHealth {
  return {
    at: new Date().toISOString(),
    name: 'storage-1',
    condition: 'healthy',
    reaction: true,
    watcherGapMs: 61,
    pressure: { cpu: 3.1, io: 1.2, memory: 0 },
    cores: 8,
    memoryBytes: 32 * GiB,
    memoryFreeBytes: 19.4 * GiB,
    room: { freeBytes: 61.2 * GiB, sizeBytes: 110 * GiB },
    disks: disksOf(volumes, special),
    stuck: [],
    ...more,
  };
}

function replica(id: string, disk: string, more: Partial<Replica> = {}): Replica {
  return { id, disk, state: 'healthy', valve: false, sizeBytes: 400 * GiB, errors: NONE, ...more };
}

const LETTERS = 'bcdefghijklmnopqrstuvwxyz';
/** home1 on /dev/sdb and /dev/sdc, and so on. */
function home(number: number, more: Partial<VolumeView> = {}): VolumeView {
  const letter = (offset: number): string => {
    const index = (number - 1) * 2 + offset;
    return index < LETTERS.length ? (LETTERS[index] ?? 'z') : `a${LETTERS[index - LETTERS.length] ?? 'z'}`;
  };
  return volume(`home${number}`, {
    sizeBytes: 400 * GiB,
    usedBytes: (90 + ((number * 53) % 190)) * GiB,
    promisedBytes: 310 * GiB,
    accounts: 0,
    replicas: [replica('r1', `/dev/sd${letter(0)}`), replica('r2', `/dev/sd${letter(1)}`)],
    ...more,
  });
}

const OLD: Incident = {
  id: 4,
  title: 'home1: disk r2 hung',
  state: 'resolved',
  severity: 'minor',
  fault: 'hung',
  culprit: { kind: 'disk', volume: 'home1', replica: 'r2', disk: '/dev/sdc' },
  volume: 'home1',
  since: ago(86_400 * 9 + 620),
  openedAt: ago(86_400 * 9 + 619),
  resolvedAt: ago(86_400 * 9 + 90),
  service: 'serving',
  doing: 'Nothing any more: both copies of home1 are complete.',
  mustAct: null,
  impact: { accounts: 10, sites: 14, requests: { delayed: 31, failed: 0, longestMs: 1120 } },
  diagnosis: {
    culprit: { kind: 'disk', volume: 'home1', replica: 'r2', disk: '/dev/sdc' },
    fault: 'hung',
    evidence: [
      '6 requests waited in /dev/sdc and none completed for 0.6 s.',
      'The small read and write that is tried every half second did not come back either.',
    ],
    ruledOut: [
      'The host is fine: 9 other disks completed 411 requests meanwhile.',
      'The other disk of home1 is fine: /dev/sdb completed 38 requests meanwhile.',
      'The watcher is fine: its longest pause was 61 ms.',
    ],
  },
  accounts: MEMBERS.slice(0, 10),
  timeline: [],
  notes: [
    { at: ago(86_400 * 9 + 300), by: 'operator', text: 'Saw it on the phone. The platform had cut the disk before I was awake; nothing to do.', public: false },
    { at: ago(86_400 * 8), by: 'operator', text: 'One disk of this volume stopped answering. It was replaced; no data was lost and no site was down.', public: true },
    { at: ago(86_400 * 7), by: 'grace', text: 'Sent /dev/sdc back to the maker. Cable and port are fine: the new disk on the same port has run without errors since.', public: false },
  ],
  notifications: [
    { at: ago(86_400 * 9 + 618), channel: 'webhook', what: 'opened', outcome: 'delivered (200)' },
    { at: ago(86_400 * 9 + 617), channel: 'email', what: 'opened', outcome: 'delivered to ops@example.org' },
    { at: ago(86_400 * 9 + 88), channel: 'webhook', what: 'resolved', outcome: 'delivered (200)' },
  ],
  operation: null,
}; // prettier-ignore
OLD.timeline = timeline(Date.parse(OLD.since), [
  [0, 'signal', 'Requests wait in /dev/sdc and none completes.'],
  [600, 'diagnosis', 'Disk r2 of home1 (/dev/sdc) hangs. The host, the other disks and the watcher are fine.'],
  [640, 'action', 'Cut r2: everything outstanding in it is made to fail.'],
  [690, 'result', 'home1 goes on with r1. Redundancy is reduced.'],
  [1000, 'impact', '10 accounts with 14 sites are on home1.'],
  [4200, 'action', 'Took in the spare disk /dev/sdx and began to rebuild onto it.'],
  [521_000, 'result', '214 GiB copied at 421 MiB/s. Redundancy is full.'],
  [530_000, 'impact', '31 requests waited longer than a second, the longest 1.1 s; none failed.'],
]);

type Line = readonly [afterMs: number, kind: TimelineEntry['kind'], text: string];
function timeline(since: number, lines: readonly Line[]): TimelineEntry[] {
  return lines.map(([after, kind, text]) => ({ at: new Date(since + after).toISOString(), kind, text }));
}

const RESOLVED: readonly Incident[] = [
  OLD,
  {
    ...OLD, id: 3, title: 'home4: checksums did not match on r1', fault: 'corrupt', volume: 'home4', notes: [], accounts: MEMBERS.slice(30, 39),
    culprit: { kind: 'disk', volume: 'home4', replica: 'r1', disk: '/dev/sdh' },
    since: ago(86_400 * 20), openedAt: ago(86_400 * 20 - 1), resolvedAt: ago(86_400 * 20 - 340), impact: { accounts: 9, sites: 11, requests: { delayed: 0, failed: 0, longestMs: 0 } },
    diagnosis: { culprit: { kind: 'disk', volume: 'home4', replica: 'r1', disk: '/dev/sdh' }, fault: 'corrupt', evidence: ['41 blocks of /dev/sdh had wrong checksums; all were right on the other disk.'], ruledOut: ['The other disk of home4 is fine: its checksums are right.'] },
  },
  {
    ...OLD, id: 2, title: 'home2: volume full', fault: 'full', severity: 'major', volume: 'home2', notes: [], accounts: MEMBERS.slice(10, 20),
    culprit: { kind: 'volume', volume: 'home2', replica: null, disk: null },
    since: ago(86_400 * 33), openedAt: ago(86_400 * 33 - 1), resolvedAt: ago(86_400 * 33 - 7400), impact: { accounts: 10, sites: 12, requests: { delayed: 4, failed: 118, longestMs: 2100 } },
    diagnosis: { culprit: { kind: 'volume', volume: 'home2', replica: null, disk: null }, fault: 'full', evidence: ['home2 had less than 1 % of its room left.'], ruledOut: ['Its disks are fine.'] },
  },
  {
    ...OLD, id: 1, title: 'home5: disk r1 slow', fault: 'slow', volume: 'home5', notes: [], accounts: MEMBERS.slice(40, 50),
    culprit: { kind: 'disk', volume: 'home5', replica: 'r1', disk: '/dev/sdj' },
    since: ago(86_400 * 48), openedAt: ago(86_400 * 48 - 60), resolvedAt: ago(86_400 * 48 - 900), impact: { accounts: 10, sites: 9, requests: { delayed: 12, failed: 0, longestMs: 1900 } },
    diagnosis: { culprit: { kind: 'disk', volume: 'home5', replica: 'r1', disk: '/dev/sdj' }, fault: 'slow', evidence: ['/dev/sdj took 212 ms for a request over a minute; its peers took 1.9 ms.'], ruledOut: ['It is not the load: its peers did the same work.'] },
  },
]; // prettier-ignore

/** Five volumes, fifty accounts, nothing wrong. */
function quiet(): World {
  const world = operatorBase();
  world.volumes = [1, 2, 3, 4, 5].map((number) => home(number, { accounts: 10 }));
  world.accounts = [
    accountView('operator', { role: 'operator', volume: null, sites: 0, plan: 'large' }),
    ...MEMBERS.map((name, index) =>
      accountView(name, {
        volume: `home${Math.min(5, Math.floor(index / 10) + 1)}`,
        sites: (index % 3) + 1,
        disabled: index === 27,
      }),
    ),
  ];
  for (const each of world.volumes)
    each.accounts = world.accounts.filter((account) => account.volume === each.name).length;
  world.host = hostOf(world.volumes);
  world.incidents = [...RESOLVED];
  world.notifications = {
    webhook: { url: 'https://alerts.example.org/hooks/holdfast' },
    email: { host: 'smtp.example.org', port: 587, security: 'starttls', username: 'holdfast', from: 'holdfast@example.org', to: ['ops@example.org', 'oncall@example.org'] },
  }; // prettier-ignore
  world.runs = [passedRun(), ...HISTORY];
  return world;
}

function change(world: World, name: string, patch: Partial<VolumeView>): void {
  world.volumes = world.volumes.map((each) => (each.name === name ? { ...each, ...patch } : each));
}

function accountsOn(world: World, name: string): string[] {
  return world.accounts
    .filter((account) => account.volume === name && account.role === 'member')
    .map((each) => each.name);
}

/** An open incident of home3's r2 (/dev/sdg), begun `seconds` ago. */
function trouble(world: World, seconds: number, more: Partial<Incident> = {}, lines: readonly Line[] = []): Incident {
  const since = Date.now() - seconds * 1000;
  const culprit = { kind: 'disk' as const, volume: 'home3', replica: 'r2', disk: '/dev/sdg' };
  const accounts = accountsOn(world, 'home3');
  const incident: Incident = {
    id: 7,
    title: 'home3: disk r2 hung',
    state: 'open',
    severity: 'minor',
    fault: 'hung',
    culprit,
    volume: 'home3',
    since: new Date(since).toISOString(),
    openedAt: new Date(since + 700).toISOString(),
    resolvedAt: null,
    service: 'serving',
    doing: '',
    mustAct: null,
    impact: { accounts: accounts.length, sites: 21, requests: { delayed: 27, failed: 0, longestMs: 1080 } },
    diagnosis: {
      culprit,
      fault: 'hung',
      evidence: [
        '4 requests wait in /dev/sdg and none has completed for 0.7 s.',
        'The small read and write that is tried every half second has not come back either.',
      ],
      ruledOut: [
        'The host is fine: 9 other disks completed 214 requests meanwhile.',
        'The other disk of home3 is fine: /dev/sdf completed 31 requests meanwhile.',
        'The watcher is fine: its longest pause was 61 ms.',
      ],
    },
    accounts,
    timeline: timeline(since, [
      [0, 'signal', 'Requests wait in /dev/sdg and none completes.'],
      [700, 'diagnosis', 'Disk r2 of home3 (/dev/sdg) hangs. The host, the other disks and the watcher are fine.'],
      ...lines,
    ]),
    notes: [],
    notifications: [
      { at: new Date(since + 900).toISOString(), channel: 'webhook', what: 'opened', outcome: 'delivered (200)' },
      { at: new Date(since + 1900).toISOString(), channel: 'email', what: 'opened', outcome: 'delivered to ops@example.org, oncall@example.org' },
    ],
    operation: null,
    ...more,
  }; // prettier-ignore
  world.incidents = [incident, ...world.incidents];
  return incident;
}

const CUT: readonly Line[] = [
  [740, 'action', 'Cut r2: everything outstanding in it is made to fail.'],
  [1030, 'result', 'home3 goes on with r1. Redundancy is reduced.'],
  [1100, 'impact', '10 accounts with 21 sites are on home3. 27 requests waited longer than a second, none failed.'],
];

function rebuildOf(name: string, disk: string, progress: number, seconds: number): Operation {
  return {
    id: `op-rebuild-${name}`,
    kind: 'volume-rebuild',
    subject: name,
    state: 'running',
    progress,
    steps: [
      { name: 'Take in a spare disk', state: 'done', detail: disk },
      { name: 'Check that it is empty', state: 'done', detail: '400 GiB, empty' },
      {
        name: 'Copy what is used',
        state: 'running',
        detail: `${Math.round(progress * 249)} GiB of 249 GiB, 412 MiB/s`,
      },
      { name: 'Check both copies', state: 'waiting', detail: null },
      { name: 'Release the old disk', state: 'waiting', detail: null },
    ],
    error: null,
    startedAt: ago(seconds),
    finishedAt: null,
  };
}

/** The first second: named, being cut, members wait. */
function hung(): World {
  const world = quiet();
  trouble(world, 0.9, {
    service: 'waiting',
    severity: 'minor',
    doing: 'Cutting r2 out of the mirror: everything outstanding in it is made to fail, then home3 goes on with r1.',
    impact: { accounts: 10, sites: 21, requests: null },
    notifications: [],
  });
  world.host = hostOf(
    world.volumes,
    {
      'home3/r2': { condition: 'hung', inFlight: 4, stalledMs: 840, readsPerSecond: 0, writesPerSecond: 0, readBytesPerSecond: 0, writtenBytesPerSecond: 0, latencyMs: null, probeMs: null },
      'home3/r1': { inFlight: 1, readsPerSecond: 31, writesPerSecond: 0 },
    },
    { stuck: [{ volume: 'home3', programs: 3 }] },
  ); // prettier-ignore
  return world;
}

function rebuilding(): World {
  const world = quiet();
  trouble(
    world,
    214,
    { doing: 'Rebuilding onto the spare disk /dev/sdx; about 6 minutes left. home3 serves as always from r1 meanwhile.', operation: 'op-rebuild-home3' },
    [...CUT, [4300, 'action', 'Took in the spare disk /dev/sdx as r3 and began to rebuild onto it.']],
  ); // prettier-ignore
  world.operations = [rebuildOf('home3', '/dev/sdx', 0.37, 210)];
  change(world, 'home3', {
    redundancy: 'rebuilding',
    operation: 'op-rebuild-home3',
    trouble: 'Disk r2 hung and was cut after 0.7 s. A new copy is being made.',
    replicas: [
      replica('r1', '/dev/sdf'),
      replica('r2', '/dev/sdg', { state: 'failed', errors: { ...NONE, write: 212, read: 4 } }),
      replica('r3', '/dev/sdx', { state: 'rebuilding' }),
    ],
  });
  world.host = hostOf(world.volumes, {
    'home3/r1': { readsPerSecond: 3300, readBytesPerSecond: 412 * MiB, inFlight: 6, latencyMs: 1.9 },
    'home3/r3': { writesPerSecond: 3300, writtenBytesPerSecond: 412 * MiB, readsPerSecond: 0, inFlight: 8, latencyMs: 2.2 },
  }); // prettier-ignore
  return world;
}

/** Rebuilding is not possible without a person: there is no spare disk. */
function noSpare(): World {
  const world = quiet();
  trouble(
    world,
    1260,
    {
      severity: 'major',
      doing: 'home3 serves as always from r1. There is no spare disk to rebuild onto; the platform looks for one every minute.',
      mustAct: 'Put an empty disk of at least 249 GiB into storage-1 and name it: Storage, home3, "Add a replica".',
    },
    [...CUT, [3200, 'result', 'There is no spare disk: redundancy stays reduced.']],
  ); // prettier-ignore
  change(world, 'home3', {
    redundancy: 'reduced',
    trouble: 'One complete copy is left, and there is no spare disk.',
    replicas: [replica('r1', '/dev/sdf'), replica('r2', '/dev/sdg', { state: 'failed', errors: { ...NONE, write: 212 } })],
  }); // prettier-ignore
  world.host = hostOf(world.volumes);
  return world;
}

/** Both replicas of home3 hang: out of service, honestly. */
function stopped(): World {
  const world = quiet();
  trouble(
    world,
    188,
    {
      title: 'home3: both disks hung',
      severity: 'critical',
      service: 'stopped',
      culprit: { kind: 'volume', volume: 'home3', replica: null, disk: null },
      doing: 'Members get "storage is being repaired" at once. Both disks are tried every second; home3 comes back by itself with the first one that answers.',
      mustAct: 'Look at the cable, controller or power that /dev/sdf and /dev/sdg have in common. Nothing is lost; do not replace either disk.',
      impact: { accounts: 10, sites: 21, requests: { delayed: 64, failed: 1312, longestMs: 2100 } },
      diagnosis: {
        culprit: { kind: 'volume', volume: 'home3', replica: null, disk: null },
        fault: 'hung',
        evidence: [
          '7 requests wait in /dev/sdf and none has completed for 188 s.',
          '4 requests wait in /dev/sdg and none has completed for 188 s.',
        ],
        ruledOut: [
          'The host is fine: 8 disks of other volumes completed 41,200 requests meanwhile.',
          'The watcher is fine: its longest pause was 64 ms.',
        ],
      },
    },
    [
      [720, 'diagnosis', 'Both disks of home3 hang. The last complete copy is never cut.'],
      [900, 'action', 'Took home3 out of service: members get an honest answer instead of a wait.'],
      [1400, 'impact', '10 accounts with 21 sites are out of service.'],
      [60_000, 'result', 'Neither disk has answered yet.'],
    ],
  ); // prettier-ignore
  change(world, 'home3', { state: 'trouble', redundancy: 'lost', trouble: 'Both disks hang. It comes back by itself with the first one that answers.' });
  const hanging = { condition: 'hung' as const, stalledMs: 188_000, readsPerSecond: 0, writesPerSecond: 0, readBytesPerSecond: 0, writtenBytesPerSecond: 0, latencyMs: null, probeMs: null };
  world.host = hostOf(
    world.volumes,
    { 'home3/r1': { ...hanging, inFlight: 7 }, 'home3/r2': { ...hanging, inFlight: 4 } },
    { stuck: [{ volume: 'home3', programs: 11 }], pressure: { cpu: 3, io: 38.5, memory: 0 } },
  );
  return world;
} // prettier-ignore

function slow(): World {
  const world = quiet();
  trouble(world, 95, {
    title: 'home3: disk r2 slow', fault: 'slow',
    doing: 'Members are served from r1. If r2 does not recover within a minute it is taken out and replaced.',
    impact: { accounts: 10, sites: 21, requests: { delayed: 3, failed: 0, longestMs: 1210 } },
    diagnosis: {
      culprit: { kind: 'disk', volume: 'home3', replica: 'r2', disk: '/dev/sdg' }, fault: 'slow',
      evidence: ['/dev/sdg has taken 184 ms for a request over the last minute; its 9 peers took 1.6 ms.'],
      ruledOut: ['It is not the load: /dev/sdf did the same writes in 1.9 ms.', 'It is not a burst: it has lasted for 62 s.'],
    },
    timeline: timeline(Date.now() - 95_000, [
      [0, 'signal', '/dev/sdg takes 160 ms for a request; its peers take 1.6 ms.'],
      [62_000, 'diagnosis', 'Disk r2 of home3 (/dev/sdg) is 115 times slower than its peers, and has been for a minute.'],
      [62_100, 'action', 'Reads of home3 go to r1 only.'],
    ]),
  }); // prettier-ignore
  world.host = hostOf(world.volumes, {
    'home3/r2': { condition: 'slow', inFlight: 9, latencyMs: 184, probeMs: 366, readsPerSecond: 4, writesPerSecond: 41, readBytesPerSecond: 90_000, writtenBytesPerSecond: 420_000 },
  }); // prettier-ignore
  return world;
}

function corrupt(): World {
  const world = quiet();
  trouble(world, 41, {
    title: 'home3: wrong data on r2', fault: 'corrupt', operation: 'op-scrub-home3',
    doing: 'Reading everything on home3 and healing what r2 has wrong from r1: 128 blocks so far.',
    impact: { accounts: 10, sites: 21, requests: { delayed: 0, failed: 0, longestMs: 0 } },
    diagnosis: {
      culprit: { kind: 'disk', volume: 'home3', replica: 'r2', disk: '/dev/sdg' }, fault: 'corrupt',
      evidence: ['128 blocks of /dev/sdg have wrong checksums. Each was right on /dev/sdf and has been written again.'],
      ruledOut: ['No member was given wrong data: every read is checked, and was answered from r1.', 'The memory of the host is not to blame: blocks of other volumes are right.'],
    },
    timeline: timeline(Date.now() - 41_000, [
      [0, 'signal', 'A checksum of /dev/sdg did not match; the block was read from /dev/sdf instead.'],
      [400, 'diagnosis', 'Disk r2 of home3 (/dev/sdg) returns wrong data.'],
      [900, 'action', 'Began to read and check everything on home3.'],
    ]),
  }); // prettier-ignore
  world.operations = [
    {
      id: 'op-scrub-home3', kind: 'volume-scrub', subject: 'home3', state: 'running', progress: 0.22, error: null, startedAt: ago(40), finishedAt: null,
      steps: [{ name: 'Read and check everything', state: 'running', detail: '55 GiB of 249 GiB, 128 blocks healed' }, { name: 'Report', state: 'waiting', detail: null }],
    },
  ]; // prettier-ignore
  change(world, 'home3', {
    operation: 'op-scrub-home3',
    replicas: [replica('r1', '/dev/sdf'), replica('r2', '/dev/sdg', { errors: { ...NONE, corruption: 128 } })],
  });
  world.host = hostOf(world.volumes);
  return world;
}

function full(): World {
  const world = quiet();
  const culprit = { kind: 'volume' as const, volume: 'home3', replica: null, disk: null };
  trouble(world, 640, {
    title: 'home3: volume full', fault: 'full', severity: 'major', culprit,
    doing: 'Reading goes on as always. Writing fails with "no space left" until there is room; the platform makes none by itself.',
    mustAct: 'Make room on home3: grow it (Storage, home3, "Grow"), or ask its largest accounts to delete files.',
    impact: { accounts: 10, sites: 21, requests: { delayed: 0, failed: 86, longestMs: 340 } },
    diagnosis: { culprit, fault: 'full', evidence: ['home3 has 0.9 GiB of 400 GiB left.', '3 accounts grew by 61 GiB in the last hour: joan, john, kamala.'], ruledOut: ['Its disks are fine: both answer within 2 ms.', 'Other volumes have room.'] },
    timeline: timeline(Date.now() - 640_000, [
      [0, 'signal', 'home3 has less than 2 % of its room left.'],
      [31_000, 'diagnosis', 'home3 is full. Its disks are fine.'],
      [32_000, 'impact', '10 accounts with 21 sites are on home3. Reads go on; writes fail.'],
    ]),
  }); // prettier-ignore
  change(world, 'home3', { usedBytes: 399.1 * GiB, trouble: 'No room is left. Reading goes on; writing fails.' });
  return world;
}

/** The machine's own disk has no room; every volume goes on. */
function hostFull(): World {
  const world = quiet();
  const culprit = { kind: 'host' as const, volume: null, replica: null, disk: null };
  trouble(world, 95, {
    title: 'the host: its own disk is full', fault: 'full', severity: 'major', culprit, volume: null,
    doing: 'Waiting for a person.',
    mustAct: 'Make room on the disk of /var/lib/holdfast, at least 2816 MiB: "du -xh --max-depth=3 / | sort -h | tail" shows what is large. It is over by itself then.',
    impact: { accounts: 0, sites: 0, requests: null },
    diagnosis: { culprit, fault: 'full', evidence: ["0 MiB of 110 GiB are free on this machine's own disk, where the platform keeps its records (/var/lib/holdfast)."], ruledOut: ['What waits now waits for room: no disk of a volume is blamed, or cut, for it.'] },
    timeline: timeline(Date.now() - 95_000, [
      [0, 'signal', "The machine's own disk is about to be full."],
      [900, 'diagnosis', "0 MiB of 110 GiB are free on this machine's own disk, where the platform keeps its records (/var/lib/holdfast)."],
    ]),
  }); // prettier-ignore
  world.host = hostOf(world.volumes, {}, { room: { freeBytes: 0, sizeBytes: 110 * GiB } });
  return world;
}

function blind(): World {
  const world = quiet();
  world.host = hostOf(world.volumes, {}, { condition: 'blind', watcherGapMs: 3400, pressure: { cpu: 91.4, io: 12.2, memory: 64.8 }, memoryFreeBytes: 0.3 * GiB });
  for (const disk of world.host.disks) disk.condition = 'unknown';
  return world;
} // prettier-ignore

function unseen(): World {
  const world = quiet();
  world.host = null;
  world.agentReachable = false;
  return world;
}

function reactionOff(): World {
  const world = hung();
  const incident = world.incidents[0];
  if (incident !== undefined) {
    incident.since = ago(340);
    incident.openedAt = ago(339);
    incident.severity = 'critical';
    incident.doing =
      'Nothing: the reaction is switched off on this host. The disk stays as it is until a person decides.';
    incident.mustAct = 'Switch the reaction on again (Storage, at the top), or set r2 of home3 aside by hand.';
    incident.impact.requests = { delayed: 1412, failed: 388, longestMs: 60_000 };
  }
  if (world.host !== null) {
    world.host.reaction = false;
    for (const disk of world.host.disks) if (disk.condition === 'hung') disk.stalledMs = 340_000;
  }
  return world;
}

function many(): World {
  const world = rebuilding();
  const extra = Array.from({ length: 15 }, (_, index) =>
    home(index + 6, {
      accounts: 31 + index,
      ...(index === 8 ? { redundancy: 'reduced' as const, trouble: 'r2 was set aside by an operator.' } : {}),
      ...(index === 11 ? { state: 'closed' as const, accounts: 0 } : {}),
      ...(index === 13 ? { usedBytes: 366 * GiB } : {}),
    }),
  );
  for (const each of extra)
    if (each.redundancy === 'reduced')
      each.replicas = each.replicas.map((one, index) => (index === 1 ? { ...one, state: 'set-aside' } : one));
  world.volumes = [...world.volumes, ...extra];
  for (const each of extra)
    for (let index = 0; index < each.accounts; index += 1)
      world.accounts.push(accountView(`member${each.name.slice(4)}x${index}`, { volume: each.name }));
  if (world.host !== null) world.host = { ...world.host, disks: hostOf(world.volumes, { 'home3/r3': { writtenBytesPerSecond: 412 * MiB, writesPerSecond: 3300, readsPerSecond: 0 } }).disks }; // prettier-ignore
  return world;
}

// Drills

/** A curve that is the same at every run: requests a second, p99, waiting; one point a second. */
function curve(
  seed: number,
  from: number,
  to: number,
  hit?: { from: number; to: number },
): Array<[number, number, number, number]> {
  return Array.from({ length: to - from + 1 }, (_, index) => {
    const second = from + index;
    const wave = Math.sin(seed * 3 + second / 4) * 9 + Math.sin(seed + second / 1.7) * 5;
    const stalled = hit !== undefined && second >= hit.from && second <= hit.to;
    const caught = hit !== undefined && second === hit.to + 1;
    return [
      second * 1000,
      Math.max(0, stalled ? 3 : caught ? 262 + wave : 204 + seed * 4 + wave),
      stalled ? 1080 : 16 + seed + Math.abs(Math.sin(second + seed)) * 5,
      stalled ? 38 : 0,
    ];
  });
}

const DRILL_NAMES = ['home1', 'home2', 'home3', 'home4', 'home5'];

export function drillRun(state: DrillRun['state'], second: number): DrillRun {
  const fault = Date.now() - second * 1000;
  const rebuildDone = 21;
  const progress = second < 3 ? null : Math.min(1, (second - 3) / (rebuildDone - 3));
  const hit = { from: 0, to: second < 1.2 ? 99 : 1 };
  const over = state === 'passed' || state === 'failed';
  const lines: DrillRun['timeline'] = [
    { atMs: -41_200, kind: 'runner', text: 'Made 5 volumes and 40 accounts, each with a site, on a platform beside the running one.' },
    { atMs: -20_000, kind: 'witness', text: 'Load runs: 1,060 requests a second, uploads, starts, reloads and fsynced writes with numbers.' },
    { atMs: -200, kind: 'runner', text: 'Before the fault: p99 19 ms, no request failed.' },
    { atMs: 0, kind: 'fault', text: 'home3/r2 hangs: its disk takes requests and answers none.' },
    { atMs: 310, kind: 'witness', text: '38 requests of home3 wait. No other volume waits.' },
    { atMs: 640, kind: 'platform', text: 'Named: disk r2 of home3 hangs. 4 requests wait in it, none has completed for 0.5 s; 9 other disks are fine.' },
    { atMs: 690, kind: 'platform', text: 'Cut r2: everything outstanding in it is made to fail.' },
    { atMs: 1080, kind: 'witness', text: 'The last waiting request of home3 is answered. The longest waited 1.1 s; none failed.' },
    { atMs: 2900, kind: 'platform', text: 'Took in a fresh image file as r3 and began to rebuild onto it.' },
    { atMs: 20_700, kind: 'platform', text: 'Redundancy is full: 1.2 GiB copied at 71 MiB/s.' },
    { atMs: 60_000, kind: 'witness', text: 'Load ends. Reading back every acknowledged write.' },
    { atMs: 66_300, kind: 'runner', text: '12,402 acknowledged writes read back, none lost. All promises held.' },
  ]; // prettier-ignore
  const known = (after: number, ok: boolean | null): boolean | null => (second >= after ? ok : null);
  const shown = (after: number, text: string): string => (second >= after ? text : 'being measured');
  return {
    id: `outage-2020-${over ? 'done' : 'live'}`,
    drill: 'outage-2020',
    title: 'The outage of 7 July 2020',
    where: 'scratch',
    reaction: true,
    state,
    step: over ? 'All promises held.' : second < 0 ? 'The load runs; the fault comes in a few seconds.' : second < 1.1 ? 'home3/r2 hangs. Its members wait; the others are watched for any sign of it.' : second < rebuildDone ? 'home3 goes on with r1; a new copy is being made under load.' : 'The load goes on for another while, to see what comes late.',
    startedAt: new Date(fault - 62_000).toISOString(),
    faultAt: second < 0 ? null : new Date(fault).toISOString(),
    finishedAt: over ? new Date(fault + 67_000).toISOString() : null,
    volumes: DRILL_NAMES.map((name, index) => {
      const struck = name === 'home3';
      const waits = struck && second >= 0 && second < 1.1;
      const [, rps = 0, p99 = 0] = curve(index, Math.floor(second), Math.floor(second))[0] ?? [];
      return {
        name,
        state: 'open',
        redundancy: !struck || second < 0.7 || second >= rebuildDone ? 'full' : second < 3 ? 'reduced' : 'rebuilding',
        progress: struck && second >= 3 && second < rebuildDone ? progress : null,
        accounts: 8,
        waiting: waits ? 38 : 0,
        oldestWaitMs: waits ? second * 1000 : 0,
        requestsPerSecond: waits ? 3 : rps,
        failed: 0,
        p99Ms: waits ? 1080 : p99,
        replicas: [
          { id: 'r1', disk: `/var/lib/drill/${name}/r1.img`, state: 'healthy', fault: null },
          ...(struck && second >= rebuildDone
            ? []
            : [{ id: 'r2', disk: `/var/lib/drill/${name}/r2.img`, state: struck && second >= 0.7 ? ('failed' as const) : ('healthy' as const), fault: struck && second >= 0 ? ('hang' as const) : null }]),
          ...(struck && second >= 3
            ? [{ id: 'r3', disk: `/var/lib/drill/${name}/r3.img`, state: second >= rebuildDone ? ('healthy' as const) : ('rebuilding' as const), fault: null }]
            : []),
        ],
      };
    }),
    timeline: lines.filter((line) => line.atMs <= second * 1000),
    series: DRILL_NAMES.map((name, index) => ({
      volume: name,
      points: curve(index, -20, Math.min(60, Math.floor(second)), name === 'home3' ? hit : undefined),
    })),
    checks: [
      { what: 'The hung disk is named, with evidence', target: '1 s', measured: shown(0.64, '0.6 s: home3/r2'), ok: known(0.64, true) },
      { what: 'Longest wait of a member on home3', target: '2.5 s', measured: shown(1.1, '1.1 s'), ok: known(1.1, true) },
      { what: 'Failed requests of members on home3', target: '0', measured: shown(10, '0 of 16,180'), ok: known(10, true) },
      { what: 'Failed requests of everybody else', target: '0', measured: shown(10, '0 of 64,912'), ok: known(10, true) },
      { what: 'Starts and reloads of everybody else', target: '0 failed', measured: shown(10, '0 of 96'), ok: known(10, true) },
      { what: 'p99 of everybody else', target: '1.2 x before', measured: shown(15, '1.04 x (19.1 to 19.9 ms)'), ok: known(15, true) },
      { what: 'Rebuild starts', target: '10 s', measured: shown(3, '2.9 s'), ok: known(3, true) },
      { what: 'Redundancy full again', target: 'for information', measured: shown(21, '20.7 s, 1.2 GiB'), ok: null },
      { what: 'Acknowledged writes lost', target: '0', measured: shown(66, '0 of 12,402'), ok: known(66, true) },
      { what: 'Operator commands, reboots, programs restarted', target: '0, 0, 0', measured: shown(66, '0, 0, 0'), ok: known(66, true) },
    ],
    result: !over
      ? null
      : {
          drill: 'outage-2020', engine: 'local', hang_at: new Date(fault).toISOString(), located_s: 0.64, culprit: 'home3/r2 (/var/lib/drill/home3/r2.img)',
          affected: { accounts: 8, requests: 16_180, failed: 0, longest_wait_s: 1.08 },
          unaffected: { accounts: 32, requests: 64_912, failed: 0, p99_before_ms: 19.1, p99_during_ms: 19.9, starts: 64, starts_failed: 0, reloads_failed: 0, tasks_missed: null, console_stalls: null },
          redundancy_restored_s: 20.7, rebuild_bytes: 1.2 * GiB, acknowledged_writes: 12_402, lost_writes: 0, operator_commands: 0, reboots: 0, programs_restarted: 0,
        },
    error: null,
  }; // prettier-ignore
}

function passedRun(): DrillRun {
  const run = drillRun('passed', 67);
  const shift = 3 * 3600_000;
  const earlier = (iso: string | null): string | null => (iso === null ? null : new Date(Date.parse(iso) - shift).toISOString());
  return { ...run, startedAt: earlier(run.startedAt) ?? '', faultAt: earlier(run.faultAt), finishedAt: earlier(run.finishedAt) };
} // prettier-ignore

/** The same fault with the reaction switched off: the outage as it was. */
function failedRun(): DrillRun {
  const run = passedRun();
  const at = (seconds: number): string => new Date(Date.now() - 86_400_000 + seconds * 1000).toISOString();
  return {
    ...run,
    id: 'outage-2020-no-reaction',
    reaction: false,
    state: 'failed',
    step: '5 of 10 promises were missed, as expected without the reaction.',
    startedAt: at(0),
    faultAt: at(62),
    finishedAt: at(190),
    volumes: run.volumes.map((each) =>
      each.name === 'home3'
        ? { ...each, state: 'trouble', waiting: 212, oldestWaitMs: 60_000, requestsPerSecond: 0, failed: 318, p99Ms: 60_000, replicas: drillRun('running', 0.5).volumes[2]?.replicas ?? [] }
        : each,
    ),
    series: (run.series ?? []).map((each) => (each.volume === 'home3' ? { ...each, points: curve(2, -20, 60, { from: 0, to: 99 }) } : each)),
    timeline: [
      ...run.timeline.filter((line) => line.atMs <= 310),
      { atMs: 700, kind: 'platform', text: 'Named: disk r2 of home3 hangs. The reaction is switched off: nothing is done.' },
      { atMs: 30_000, kind: 'witness', text: '212 requests of home3 wait, the oldest for 30 s. The first have failed.' },
      { atMs: 60_000, kind: 'witness', text: 'Load ends. home3 still hangs.' },
    ],
    checks: run.checks.map((check, index) =>
      [1, 2, 6, 7, 8].includes(index)
        ? { ...check, ok: false, measured: ['', '60 s and still waiting', '318 of 2,204', '', '', '', 'never', 'never', 'could not be read back'][index] ?? '' }
        : check,
    ),
    result: run.result === null ? null : { ...run.result, affected: { accounts: 8, requests: 2204, failed: 318, longest_wait_s: 60 }, redundancy_restored_s: null, rebuild_bytes: null },
  };
} // prettier-ignore

const HISTORY: readonly DrillRun[] = DRILLS.slice(1, 8).map((drill, index) => ({
  ...passedRun(),
  id: `${drill.name}-${index}`,
  drill: drill.name,
  title: drill.title,
  state: index === 2 ? ('failed' as const) : index === 4 ? ('aborted' as const) : ('passed' as const),
  step: index === 2 ? '1 of 8 promises was missed: named after 71 s instead of 65 s.' : index === 4 ? 'Stopped by the operator.' : 'All promises held.',
  startedAt: ago(86_400 * (index + 1) + 200),
  faultAt: ago(86_400 * (index + 1) + 140),
  finishedAt: ago(86_400 * (index + 1)),
})); // prettier-ignore

function drilling(second: number): () => World {
  return () => {
    const world = quiet();
    world.runs = [drillRun('running', second), failedRun(), ...world.runs];
    world.drillSecond = second;
    return world;
  };
}

function drillFailed(): World {
  const world = quiet();
  world.runs = [failedRun(), ...world.runs];
  return world;
}

export const STORAGE_SCENARIOS: Readonly<Record<string, () => World>> = {
  quiet,
  hung,
  rebuilding,
  'no-spare': noSpare,
  stopped,
  slow,
  corrupt,
  full,
  'host-full': hostFull,
  blind,
  unseen,
  'reaction-off': reactionOff,
  many,
  'drill-waiting': drilling(0.8),
  'drill-live': drilling(12.4),
  'drill-failed': drillFailed,
};
