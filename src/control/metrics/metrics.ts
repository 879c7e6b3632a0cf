import { siteStatusSchema } from '../../protocol/sites.ts';
import type { DiskHealth, HostHealth } from '../../protocol/health.ts';
import type { VolumeStatus } from '../../protocol/volumes.ts';
import type { ControlContext } from '../context.ts';
import { countAccounts, volumeOccupancy } from '../store/accounts.ts';
import { countNotifications } from '../store/notifications.ts';
import { listSiteIds } from '../store/sites.ts';
import { oneOf, type Metric } from './exposition.ts';

const REDUNDANCIES = ['full', 'rebuilding', 'reduced', 'lost'] as const;
const VOLUME_STATES = ['open', 'closed', 'trouble'] as const;
const REPLICA_STATES = ['healthy', 'rebuilding', 'set-aside', 'missing', 'failed'] as const;
const DISK_CONDITIONS = ['healthy', 'slow', 'hung', 'failed', 'unknown'] as const;
const HOST_CONDITIONS = ['healthy', 'stalled', 'blind'] as const;
const SEVERITIES = ['minor', 'major', 'critical'] as const;
const CHANNELS = ['webhook', 'email'] as const;

type Samples = Metric['samples'];

function gauge(name: string, help: string, samples: Samples | number): Metric {
  const list = typeof samples === 'number' ? [{ value: samples }] : samples;
  return { name: `holdfast_${name}`, help, type: 'gauge', samples: list };
}

function counter(name: string, help: string, samples: Samples): Metric {
  return { ...gauge(name, help, samples), type: 'counter' };
}

/** Everything that is measured, from memory and the database; waits for no volume, and for the host two seconds at most. */
export async function collectMetrics(context: ControlContext): Promise<Metric[]> {
  const [health, accounts, occupancy, sites, notifications] = await Promise.all([
    context.health.now(),
    countAccounts(context.database),
    volumeOccupancy(context.database),
    listSiteIds(context.database),
    countNotifications(context.database),
  ]);
  return [
    ...platformMetrics(context),
    ...volumeMetrics([...context.world.volumes.values()], occupancy),
    ...hostMetrics(health),
    ...diskMetrics(health?.disks ?? []),
    ...incidentMetrics(context),
    gauge('accounts', 'Accounts of members.', accounts.members),
    gauge('accounts_unfinished', 'Accounts that are being made or removed.', accounts.unfinished),
    gauge('sites_all', 'Sites there are, whatever their state.', sites.length),
    gauge('sites', 'Sites by state.', siteSamples(context)),
    counter(
      'notifications_total',
      'Notifications of incidents by channel and what became of them.',
      CHANNELS.flatMap((channel) =>
        (['sent', 'failed'] as const).map((outcome) => ({
          labels: { channel, outcome },
          value: notifications.find((entry) => entry.channel === channel && entry.state === outcome)?.count ?? 0,
        })),
      ),
    ),
    gauge(
      'notifications_waiting',
      'Notifications that have not been taken by their receiver yet.',
      CHANNELS.map((channel) => ({
        labels: { channel },
        value: notifications.find((entry) => entry.channel === channel && entry.state === 'waiting')?.count ?? 0,
      })),
    ),
  ];
}

function platformMetrics({ configuration, agent, world }: ControlContext): Metric[] {
  const own = { labels: { process: 'control' }, value: process.memoryUsage.rss() };
  const others = (world.host?.processes ?? [])
    .filter((entry) => entry.name !== 'control')
    .map((entry) => ({ labels: { process: entry.name }, value: entry.memoryBytes }));
  const memory = new Map<string, number>();
  for (const { labels, value } of [own, ...others])
    memory.set(labels.process, (memory.get(labels.process) ?? 0) + value);
  return [
    gauge('build_info', 'Version of the platform; always 1.', [
      { labels: { version: configuration.version, node: process.version }, value: 1 },
    ]),
    gauge('agent_reachable', 'Whether the last contact with the agent succeeded.', agent.reachable() ? 1 : 0),
    gauge(
      'gateway_ready',
      'Whether nginx answered with our configuration when it was last asked.',
      world.host?.gatewayReady === true ? 1 : 0,
    ),
    gauge('desired_state_told', 'Whether the agent has the whole desired state.', world.synchronised ? 1 : 0),
    gauge(
      'process_memory_bytes',
      'Resident memory of the processes of the platform, by name.',
      [...memory].map(([name, value]) => ({ labels: { process: name }, value })),
    ),
    gauge(
      'operations_running',
      'Long pieces of work that are under way, by kind.',
      countBy(
        [...world.operations.values()].filter((operation) => operation.state === 'running').map(({ kind }) => kind),
        'kind',
      ),
    ),
  ];
}

function countBy(values: readonly string[], label: string): Samples {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].map(([value, count]) => ({ labels: { [label]: value }, value: count }));
}

function siteSamples({ world }: ControlContext): Samples {
  const known = [...world.statuses.values()].map((status) => status.state);
  return siteStatusSchema.shape.state.options.map((state) => ({
    labels: { state },
    value: known.filter((other) => other === state).length,
  }));
}

function volumeMetrics(
  volumes: readonly VolumeStatus[],
  occupancy: ReadonlyMap<string, { accounts: number; promisedBytes: number }>,
): Metric[] {
  const each = (value: (volume: VolumeStatus) => number): Samples =>
    volumes.map((volume) => ({ labels: { volume: volume.name }, value: value(volume) }));
  const replicas = volumes.flatMap((volume) => volume.replicas.map((replica) => ({ volume: volume.name, ...replica })));
  return [
    gauge(
      'volume_redundancy',
      'Redundancy of a volume: 1 for what it is.',
      volumes.flatMap((volume) => oneOf(REDUNDANCIES, volume.redundancy, { volume: volume.name })),
    ),
    gauge(
      'volume_state',
      'State of a volume: 1 for what it is.',
      volumes.flatMap((volume) => oneOf(VOLUME_STATES, volume.state, { volume: volume.name })),
    ),
    gauge(
      'volume_size_bytes',
      'Size of a volume.',
      each((volume) => volume.sizeBytes),
    ),
    gauge(
      'volume_used_bytes',
      'Bytes in use on a volume.',
      each((volume) => volume.usedBytes),
    ),
    gauge(
      'volume_promised_bytes',
      'Sum of the disk limits of the accounts on a volume.',
      each((volume) => occupancy.get(volume.name)?.promisedBytes ?? 0),
    ),
    gauge(
      'volume_accounts',
      'Accounts on a volume.',
      each((volume) => occupancy.get(volume.name)?.accounts ?? 0),
    ),
    gauge(
      'replica_state',
      'State of a replica: 1 for what it is.',
      replicas.flatMap(({ volume, id, disk, state }) => oneOf(REPLICA_STATES, state, { volume, replica: id, disk })),
    ),
    counter(
      'replica_errors_total',
      'Errors of a replica that the file system has counted, by kind.',
      replicas.flatMap(({ volume, id, disk, errors }) =>
        Object.entries(errors ?? {}).map(([kind, value]) => ({ labels: { volume, replica: id, disk, kind }, value })),
      ),
    ),
  ];
}

function hostMetrics(health: HostHealth | null): Metric[] {
  const known = (value: (host: HostHealth) => number): Samples => (health ? [{ value: value(health) }] : []);
  return [
    // An agent that does not say is blind for whoever watches the watcher.
    gauge(
      'host_condition',
      'Condition of the host as its watcher sees it; blind also while it does not answer.',
      oneOf(HOST_CONDITIONS, health?.condition ?? 'blind', {}, 'condition'),
    ),
    gauge(
      'reaction_enabled',
      'Whether the host repairs by itself.',
      known((host) => (host.reaction ? 1 : 0)),
    ),
    gauge(
      'watcher_gap_seconds',
      "Longest pause of the host's watcher in the last minute.",
      known((host) => host.watcherGapMs / 1000),
    ),
    gauge(
      'host_memory_bytes',
      'Memory of the host.',
      known((host) => host.memoryBytes),
    ),
    gauge(
      'host_memory_free_bytes',
      'Free memory of the host.',
      known((host) => host.memoryFreeBytes),
    ),
    gauge(
      'host_pressure_ratio',
      'Share of time in which something waited for a resource, 10 s average.',
      Object.entries(health?.pressure ?? {}).map(([resource, percent]) => ({
        labels: { resource },
        value: percent / 100,
      })),
    ),
    gauge(
      'programs_stuck',
      'Programs that wait in the kernel for a volume.',
      (health?.stuck ?? []).map(({ volume, programs }) => ({ labels: { volume }, value: programs })),
    ),
  ];
}

function diskMetrics(disks: readonly DiskHealth[]): Metric[] {
  const labelsOf = ({ disk, volume, replica }: DiskHealth): Record<string, string> => ({
    disk,
    volume: volume ?? '',
    replica: replica ?? '',
  });
  const each = (value: (disk: DiskHealth) => number | null): Samples =>
    disks.flatMap((disk) => {
      const known = value(disk);
      return known === null ? [] : [{ labels: labelsOf(disk), value: known }];
    });
  const seconds = (milliseconds: number | null): number | null => (milliseconds === null ? null : milliseconds / 1000);
  return [
    gauge(
      'disk_condition',
      'Condition of a disk: 1 for what it is.',
      disks.flatMap((disk) => oneOf(DISK_CONDITIONS, disk.condition, labelsOf(disk), 'condition')),
    ),
    gauge(
      'disk_in_flight',
      'Requests in a disk.',
      each((disk) => disk.inFlight),
    ),
    gauge(
      'disk_stalled_seconds',
      'Time since a request completed while others wait.',
      each((disk) => seconds(disk.stalledMs)),
    ),
    gauge(
      'disk_latency_seconds',
      'Mean time of a request in the last second.',
      each((disk) => seconds(disk.latencyMs)),
    ),
    gauge(
      'disk_probe_seconds',
      'Time of the last small direct read and write.',
      each((disk) => seconds(disk.probeMs)),
    ),
    gauge(
      'disk_reads_per_second',
      'Reads in the last second.',
      each((disk) => disk.readsPerSecond),
    ),
    gauge(
      'disk_writes_per_second',
      'Writes in the last second.',
      each((disk) => disk.writesPerSecond),
    ),
    gauge(
      'disk_read_bytes_per_second',
      'Bytes read in the last second.',
      each((disk) => disk.readBytesPerSecond),
    ),
    gauge(
      'disk_written_bytes_per_second',
      'Bytes written in the last second.',
      each((disk) => disk.writtenBytesPerSecond),
    ),
  ];
}

function incidentMetrics({ incidents }: ControlContext): Metric[] {
  const open = incidents.open();
  const requests = open.map((incident) => incident.impact.requests);
  const sum = (value: (counted: { delayed: number; failed: number }) => number): number =>
    requests.reduce((total, counted) => total + (counted === null ? 0 : value(counted)), 0);
  return [
    gauge(
      'incidents_open',
      'Open incidents by severity.',
      SEVERITIES.map((severity) => ({
        labels: { severity },
        value: open.filter((incident) => incident.severity === severity).length,
      })),
    ),
    gauge(
      'incidents_need_person',
      'Open incidents in which a person has to do something.',
      open.filter((incident) => incident.mustAct !== null).length,
    ),
    gauge(
      'incident_requests_delayed',
      'Requests that took longer than a second in the incidents that are open.',
      sum((counted) => counted.delayed),
    ),
    gauge(
      'incident_requests_failed',
      'Requests that failed in the incidents that are open.',
      sum((counted) => counted.failed),
    ),
    gauge(
      'incident_longest_wait_seconds',
      'Longest request in the incidents that are open.',
      Math.max(0, ...requests.map((counted) => counted?.longestMs ?? 0)) / 1000,
    ),
  ];
}
