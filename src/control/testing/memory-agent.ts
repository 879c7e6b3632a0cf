import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import {
  agentMethods,
  type AgentEvent,
  type AgentEventBody,
  type AgentHandlers,
  type AgentInput,
  type AgentMethod,
  type AgentOutput,
} from '../../protocol/agent.ts';
import type { FaultName } from '../../protocol/drills.ts';
import { HoldfastError } from '../../protocol/errors.ts';
import type { FileEntry, InsteadOf } from '../../protocol/files.ts';
import type { DiskHealth, RepairPlan, Trouble } from '../../protocol/health.ts';
import type { AccountSpec, SiteSpec, SiteStatus } from '../../protocol/sites.ts';
import type { AccountTasks, AlwaysOnStatus, TaskStatus } from '../../protocol/tasks.ts';
import type { Operation, Replica, VolumeStatus } from '../../protocol/volumes.ts';
import type { AgentClient, AgentFile } from '../agent-client.ts';

const START = '2026-01-01T00:00:00.000Z';

/** A volume as the agent would describe it. */
export function someVolume(name: string, values: Partial<VolumeStatus> = {}): VolumeStatus {
  return {
    name,
    engine: 'local',
    state: 'open',
    trouble: null,
    redundancy: 'full',
    sizeBytes: 8 * 1024 ** 3,
    usedBytes: 10 * 1024 ** 2,
    replicas: [],
    operation: null,
    readAt: START,
    ...values,
  };
}

/** Two healthy replicas on image files. */
export function someReplicas(): Replica[] {
  return ['r1', 'r2'].map((id) => ({
    id,
    disk: `/srv/images/${id}.img`,
    state: 'healthy' as const,
    valve: true,
    sizeBytes: 8 * 1024 ** 3,
    errors: null,
  }));
}

/** A disk that hangs, just named and cut, as the agent would tell it. */
export function someTrouble(id: string, values: Partial<Trouble> = {}): Trouble {
  const since = values.since ?? new Date(Date.now() - 2_000).toISOString();
  return {
    id,
    key: 'disk:v1:r2',
    state: 'open',
    diagnosis: {
      culprit: { kind: 'disk', volume: 'v1', replica: 'r2', disk: '/srv/images/r2.img' },
      fault: 'hung',
      evidence: ['4 requests wait in /srv/images/r2.img and none has completed for 0.7 s.'],
      ruledOut: ['The host is fine: 9 other disks completed 214 requests meanwhile.'],
    },
    volume: 'v1',
    service: 'serving',
    since,
    namedAt: since,
    resolvedAt: null,
    doing: 'A fresh disk is being taken in.',
    mustAct: null,
    timeline: [{ at: since, kind: 'signal', text: 'Requests wait in /srv/images/r2.img.' }],
    operation: 'volume-rebuild-v1',
    ...values,
  };
}

/**
 * The agent, in memory, for tests of the control plane: every question and answer passes through the contract's schemas, so
 * that what is tested is what the real one accepts. Files are kept as a map from path to bytes (null = directory).
 */
export class MemoryAgent implements AgentClient {
  readonly accounts = new Map<string, AccountSpec>();
  readonly sites = new Map<string, SiteSpec>();
  readonly tasks = new Map<string, AccountTasks>();
  readonly statuses = new Map<string, SiteStatus>();
  readonly volumes = new Map<string, VolumeStatus>([['v1', someVolume('v1')]]);
  readonly files = new Map<string, Buffer | null>();
  readonly quickstarts: string[] = [];
  readonly calls: { method: AgentMethod; input: unknown }[] = [];
  /** What a method does instead, until it is taken away again. */
  readonly instead = new Map<AgentMethod, () => Promise<never>>();
  online = true;
  gatewayReady = true;
  /** Another one: the agent was started again. */
  startedAt = START;
  readonly troubles = new Map<string, Trouble>();
  /** The fault on each valve disk: "volume/replica" -> fault. */
  readonly faults = new Map<string, FaultName>();
  /** Drills whose runner lives. */
  readonly runners = new Set<string>();
  /** What the gateway counted. */
  impact = { delayed: 0, failed: 0, longestMs: 0 };
  /** What operators published, as the status page has it. */
  publicNotes: AgentInput<'status.notes'>['notes'] = [];
  reaction = true;
  spares: { disk: string; bytes: number }[] = [];
  pythons = [
    { version: '3.11', path: '/usr/bin/python3.11', uwsgiPlugin: true },
    { version: '3.13', path: '/opt/python3.13', uwsgiPlugin: false },
  ];
  #sequence = 0;
  readonly #followers = new Set<(event: AgentEvent | undefined) => void>();

  heardAt(): string | null {
    return null;
  }

  reachable(): boolean {
    return this.online;
  }

  async call<M extends AgentMethod>(method: M, input: AgentInput<M>): Promise<AgentOutput<M>> {
    if (!this.online) throw new HoldfastError('agent-unreachable', 'The host is not reachable.');
    const definition = agentMethods[method];
    const checked = definition.input.parse(input) as AgentInput<M>;
    this.calls.push({ method, input: checked });
    await this.instead.get(method)?.();
    const handler = this.#handlers[method] as (input: AgentInput<M>) => Promise<AgentOutput<M>>;
    return definition.output.parse(await handler(checked)) as AgentOutput<M>;
  }

  callsOf(method: AgentMethod): unknown[] {
    return this.calls.filter((call) => call.method === method).map((call) => call.input);
  }

  async readFile(account: string, path: string): Promise<AgentFile> {
    const content = this.files.get(this.#key(account, path));
    if (!content) throw new HoldfastError('not-found', `No such file or directory: ${path}`);
    return await Promise.resolve({ size: content.length, stream: Readable.from([content]) });
  }

  async writeFile(
    account: string,
    path: string,
    stream: Readable,
    _expectedBytes?: number,
    insteadOf?: InsteadOf,
  ): Promise<{ created: boolean }> {
    const key = this.#key(account, path);
    const content = await buffer(stream);
    const there = this.files.get(key);
    const seen = there === undefined || there === null ? 'nothing' : createHash('sha256').update(there).digest('hex');
    if (insteadOf !== undefined && insteadOf !== seen)
      throw new HoldfastError('file-changed', `${path} is not what was read.`);
    const created = !this.files.has(key);
    this.#makeParents(account, path);
    this.files.set(key, content);
    return { created };
  }

  async *events(_after: number, signal: AbortSignal): AsyncGenerator<AgentEvent> {
    const queue: (AgentEvent | undefined)[] = [];
    let wake: () => void = () => undefined;
    const follower = (event: AgentEvent | undefined): void => {
      queue.push(event);
      wake();
    };
    this.#followers.add(follower);
    signal.addEventListener('abort', () => follower(undefined), { once: true });
    try {
      for (;;) {
        if (signal.aborted) return;
        if (queue.length === 0) await new Promise<void>((resolve) => (wake = resolve));
        const event = queue.shift();
        if (event) yield event;
        else if (!signal.aborted) throw new HoldfastError('agent-unreachable', 'The connection broke.');
      }
    } finally {
      this.#followers.delete(follower);
    }
  }

  emit(event: AgentEventBody): void {
    this.#sequence += 1;
    for (const follower of this.#followers) follower({ seq: this.#sequence, at: START, ...event });
  }

  /** As when the agent dies: forgets its programs, breaks its connections. */
  breakConnections(): void {
    for (const follower of this.#followers) follower(undefined);
  }

  /** A trouble begins or changes: kept, and told to whoever is connected. */
  tellTrouble(trouble: Trouble): void {
    this.troubles.set(trouble.id, trouble);
    this.emit({ type: 'trouble', trouble });
  }

  #replica(name: string, id: string): Replica {
    const replica = this.#volume(name).replicas.find((entry) => entry.id === id);
    if (!replica) throw new HoldfastError('not-found', `The volume "${name}" has no replica "${id}".`);
    return replica;
  }

  #disks(): DiskHealth[] {
    return [...this.volumes.values()].flatMap((volume) =>
      volume.replicas.map((replica, index) => {
        const hung = this.faults.get(`${volume.name}/${replica.id}`) === 'hang';
        return {
          disk: replica.disk,
          device: `loop${index}`,
          volume: volume.name,
          replica: replica.id,
          condition: hung ? ('hung' as const) : ('healthy' as const),
          inFlight: hung ? 4 : 0,
          stalledMs: hung ? 700 : 0,
          readsPerSecond: 1,
          writesPerSecond: 2,
          readBytesPerSecond: 4096,
          writtenBytesPerSecond: 8192,
          latencyMs: hung ? null : 1.5,
          probeMs: 0.4,
        };
      }),
    );
  }

  #plan(name: string, summary: string, needed: boolean): RepairPlan {
    return {
      volume: name,
      summary,
      steps: [{ name: 'rebuild', detail: 'Copy everything onto a fresh disk.', needed }],
      problem: null,
    };
  }

  #key(account: string, path: string): string {
    // /tmp and /var are each account's own.
    return path.startsWith('/home/') ? path : `${account}:${path}`;
  }

  #makeParents(account: string, path: string): void {
    const parts = path.split('/').slice(1, -1);
    for (let count = 2; count <= parts.length; count += 1) {
      const parent = this.#key(account, `/${parts.slice(0, count).join('/')}`);
      if (!this.files.has(parent)) this.files.set(parent, null);
    }
  }

  #entry(key: string, content: Buffer | null): FileEntry {
    const name = key.slice(key.lastIndexOf('/') + 1);
    return {
      name,
      type: content === null ? 'directory' : 'file',
      size: content?.length ?? 0,
      modifiedAt: START,
      mode: content === null ? 0o755 : 0o644,
    };
  }

  #status(id: string): SiteStatus {
    const status = this.statuses.get(id);
    if (!status) throw new HoldfastError('not-found', 'The agent does not know this site.');
    return status;
  }

  #take(spec: SiteSpec): SiteStatus {
    const known = this.sites.get(spec.id);
    if (!known || known.revision <= spec.revision) this.sites.set(spec.id, spec);
    const before = this.statuses.get(spec.id);
    const status: SiteStatus = {
      id: spec.id,
      state: spec.enabled ? (before?.state === 'awake' ? 'awake' : 'asleep') : 'disabled',
      generation: before?.generation ?? 0,
      since: START,
      failure: null,
      remark: null,
      kept: null,
      lastRequestAt: null,
      memoryBytes: null,
      processes: 0,
    };
    this.statuses.set(spec.id, status);
    return status;
  }

  #operation(kind: Operation['kind'], subject: string): Operation {
    return {
      id: `${kind}-${subject}`,
      kind,
      subject,
      state: 'running',
      progress: null,
      steps: [],
      error: null,
      startedAt: START,
      finishedAt: null,
    };
  }

  #volume(name: string, values: Partial<VolumeStatus> = {}): VolumeStatus {
    const volume = this.volumes.get(name);
    if (!volume) throw new HoldfastError('not-found', `There is no volume "${name}".`);
    const changed = { ...volume, ...values };
    this.volumes.set(name, changed);
    return changed;
  }

  readonly #handlers: AgentHandlers = {
    'host.status': () =>
      Promise.resolve({
        version: '0',
        startedAt: this.startedAt,
        uidBase: 0,
        cgroup: 'v2',
        pythons: this.pythons,
        gatewayReady: this.gatewayReady,
        processes: [],
      }),
    'state.sync': async ({ accounts, sites, tasks }) => {
      this.tasks.clear();
      for (const one of tasks) this.tasks.set(one.account, one);
      this.accounts.clear();
      for (const account of accounts) this.accounts.set(account.name, account);
      for (const id of this.sites.keys()) if (!sites.some((site) => site.id === id)) this.sites.delete(id);
      for (const site of sites) this.#take(site);
      return await Promise.resolve({ changed: sites.length });
    },
    'tasks.put': async (tasks) => {
      this.tasks.set(tasks.account, tasks);
      return await Promise.resolve({});
    },
    'tasks.statuses': async ({ account }) => {
      const all = [...this.tasks.values()].filter((one) => account === undefined || one.account === account);
      return await Promise.resolve({
        tasks: all.flatMap((one) => one.tasks.map((task) => idleTask(one.account, task.id, task.enabled))),
        alwaysOn: all.flatMap((one) => one.alwaysOn.map((task) => alwaysOnTask(one.account, task.id, task.enabled))),
      });
    },
    'tasks.run': async ({ account, id }) => await Promise.resolve(idleTask(account, id, true)),
    'tasks.stop': async () => await Promise.resolve({ stopped: 0 }),
    'tasks.output': async () => await Promise.resolve({ text: 'a line of a task\n', complete: true }),
    'always-on.restart': async ({ account, id }) => await Promise.resolve(alwaysOnTask(account, id, true)),
    'cpu.use': async ({ account }) =>
      await Promise.resolve(
        [...this.accounts.values()]
          .filter((one) => account === undefined || one.name === account)
          .map((one) => ({
            account: one.name,
            usedSeconds: 12.345,
            limitSeconds: one.limits.cpuSecondsPerDay,
            resetAt: '2030-01-02T03:04:05.000Z',
            setBack: false,
          })),
      ),
    'volumes.list': async () => await Promise.resolve([...this.volumes.values()]),
    'volumes.create': async ({ name }) => {
      this.volumes.set(name, someVolume(name));
      return await Promise.resolve(this.#operation('volume-create', name));
    },
    'volumes.open': async ({ name }) => await Promise.resolve(this.#volume(name, { state: 'open' })),
    'volumes.close': async ({ name }) => await Promise.resolve(this.#volume(name, { state: 'closed' })),
    'volumes.setAside': async ({ name }) => await Promise.resolve(this.#volume(name, { redundancy: 'reduced' })),
    'volumes.addReplica': async ({ name }) =>
      await Promise.resolve(this.#operation('volume-rebuild', this.#volume(name).name)),
    'volumes.scrub': async ({ name }) =>
      await Promise.resolve(this.#operation('volume-scrub', this.#volume(name).name)),
    'volumes.grow': async ({ name }) => await Promise.resolve(this.#operation('volume-grow', this.#volume(name).name)),
    'volumes.delete': async ({ name }) =>
      await Promise.resolve(this.#operation('volume-delete', this.#volume(name).name)),
    'volumes.planRecovery': async ({ name }) => {
      const needed = this.#volume(name).redundancy !== 'full';
      const summary = needed ? 'A replica is missing; it is rebuilt.' : 'Nothing has to be done.';
      return await Promise.resolve(this.#plan(name, summary, needed));
    },
    'volumes.recover': async ({ name }) => {
      const needed = this.#volume(name).redundancy !== 'full';
      return await Promise.resolve({ operation: needed ? this.#operation('volume-recover', name) : null });
    },
    'volumes.planReplaceDisk': async ({ name, replica }) => {
      const { disk } = this.#replica(name, replica);
      return await Promise.resolve(this.#plan(name, `${disk} is replaced.`, true));
    },
    'volumes.replaceDisk': async ({ name, replica }) => {
      this.#replica(name, replica);
      return await Promise.resolve(this.#operation('volume-replace-disk', name));
    },
    'volumes.fault': async ({ name, replica, fault }) => {
      const { valve, disk } = this.#replica(name, replica);
      if (!valve) throw new HoldfastError('disk-unusable', `${disk} has no valve.`);
      if (fault === 'clear') this.faults.delete(`${name}/${replica}`);
      else this.faults.set(`${name}/${replica}`, fault);
      return await Promise.resolve({ active: fault === 'clear' ? null : fault });
    },
    'health.now': async () =>
      await Promise.resolve({
        at: new Date().toISOString(),
        name: 'memory',
        condition: 'healthy' as const,
        reaction: this.reaction,
        watcherGapMs: 60,
        pressure: { cpu: 1, io: 2, memory: 0 },
        cores: 2,
        memoryBytes: 4 * 1024 ** 3,
        memoryFreeBytes: 2 * 1024 ** 3,
        disks: this.#disks(),
        stuck: [],
      }),
    'health.setReaction': async ({ enabled }) => {
      this.reaction = enabled;
      return await Promise.resolve({ enabled });
    },
    'troubles.list': async () => await Promise.resolve([...this.troubles.values()].reverse()),
    'gateway.impact': async () => await Promise.resolve(this.impact),
    'status.notes': async ({ notes }) => {
      this.publicNotes = notes;
      return await Promise.resolve({});
    },
    'drills.start': async ({ id }) => {
      this.runners.add(id);
      return await Promise.resolve({});
    },
    'drills.stop': async ({ id }) => await Promise.resolve({ running: this.runners.delete(id) }),
    'spares.list': async () => await Promise.resolve(this.spares),
    'spares.add': async ({ disk }) => {
      this.spares.push({ disk, bytes: 8 * 1024 ** 3 });
      return await Promise.resolve(this.spares);
    },
    'spares.remove': async ({ disk }) => {
      this.spares = this.spares.filter((spare) => spare.disk !== disk);
      return await Promise.resolve(this.spares);
    },
    'operations.list': async () => await Promise.resolve([]),
    'accounts.ensure': async (spec) => {
      this.#volume(spec.volume);
      const created = !this.accounts.has(spec.name);
      this.accounts.set(spec.name, spec);
      this.files.set(`/home/${spec.name}`, null);
      this.files.set(`${spec.name}:/tmp`, null);
      this.files.set(`${spec.name}:/var/www`, null);
      this.files.set(`${spec.name}:/var/log`, null);
      return await Promise.resolve({ created });
    },
    'accounts.remove': async ({ name }) => {
      for (const key of this.files.keys()) {
        if (key === `/home/${name}` || key.startsWith(`/home/${name}/`) || key.startsWith(`${name}:`))
          this.files.delete(key);
      }
      return await Promise.resolve({ removed: this.accounts.delete(name) });
    },
    'accounts.usage': async ({ name }) =>
      await Promise.resolve({ usedBytes: 1234, limitBytes: this.accounts.get(name)?.limits.diskBytes ?? 0 }),
    'sites.put': async (spec) => await Promise.resolve(this.#take(spec)),
    'sites.remove': async ({ id }) => {
      this.statuses.delete(id);
      return await Promise.resolve({ removed: this.sites.delete(id) });
    },
    'sites.statuses': async () => await Promise.resolve([...this.statuses.values()]),
    'sites.wake': async ({ id }) => await Promise.resolve(this.#awake(id)),
    'sites.sleep': async ({ id }) => await Promise.resolve({ ...this.#status(id), state: 'asleep' as const }),
    'sites.reload': async ({ id }) => await Promise.resolve(this.#awake(id)),
    'sites.back': async ({ id }) => {
      const status = this.#status(id);
      if (status.kept === null) throw new HoldfastError('conflict', 'Nothing is kept.');
      const back = { ...status, generation: status.kept.generation, remark: null, kept: null };
      this.statuses.set(id, back);
      return await Promise.resolve(back);
    },
    'sites.quickstart': async ({ id, quickstart }) => {
      this.#status(id);
      this.quickstarts.push(`${id} ${quickstart}`);
      return await Promise.resolve({ written: [], kept: [] });
    },
    'sites.certificate': async ({ domain }) =>
      await Promise.resolve({
        notAfter: '2027-01-01T00:00:00.000Z',
        issuer: 'CN=Holdfast',
        subject: `CN=${domain}`,
        alternativeNames: [domain],
        custom: false,
      }),
    'gateway.authority': async () => await Promise.resolve({ certificatePem: '' }),
    'files.stat': async ({ account, path }) => {
      const key = this.#key(account, path);
      const content = this.files.get(key);
      if (content === undefined) throw new HoldfastError('not-found', `No such file or directory: ${path}`);
      return await Promise.resolve(this.#entry(key, content));
    },
    'files.list': async ({ account, path }) => {
      const prefix = `${this.#key(account, path)}/`;
      const entries = [...this.files]
        .filter(([key]) => key.startsWith(prefix) && !key.slice(prefix.length).includes('/'))
        .map(([key, content]) => this.#entry(key, content));
      return await Promise.resolve({ entries, truncated: false });
    },
    'files.tree': async ({ account, path, limit }) => {
      const prefix = `${this.#key(account, path)}/`;
      const paths = [...this.files]
        .filter(
          ([key]) =>
            key.startsWith(prefix) &&
            !key
              .slice(prefix.length)
              .split('/')
              .some((part) => part.startsWith('.')),
        )
        .map(([key, content]) => `${path}/${key.slice(prefix.length)}${content === null ? '/' : ''}`)
        .sort();
      return await Promise.resolve({ paths: paths.slice(0, limit) });
    },
    'files.makeDirectory': async ({ account, path }) => {
      const known = this.files.get(this.#key(account, path));
      if (known) throw new HoldfastError('conflict', `${path} is there already, and it is not a directory.`);
      if (known === null) return { created: false };
      this.#makeParents(account, `${path}/x`);
      return await Promise.resolve({ created: true });
    },
    'files.remove': async ({ account, path }) => {
      const key = this.#key(account, path);
      const removed = this.files.delete(key);
      for (const other of this.files.keys()) if (other.startsWith(`${key}/`)) this.files.delete(other);
      return await Promise.resolve({ removed });
    },
    'files.compact': async ({ account, path }) => {
      const content = this.files.get(this.#key(account, path));
      if (!content) throw new HoldfastError('not-found', `No such file or directory: ${path}`);
      return await Promise.resolve({ freedBytes: content.length });
    },
    'files.rename': async ({ account, from, to }) => {
      const content = this.files.get(this.#key(account, from));
      if (content === undefined) throw new HoldfastError('not-found', `No such file or directory: ${from}`);
      this.files.delete(this.#key(account, from));
      this.files.set(this.#key(account, to), content);
      return await Promise.resolve({});
    },
    'logs.tail': async ({ kind }) => await Promise.resolve({ lines: [`a line of ${kind}`], sizeBytes: 20 }),
  };

  #awake(id: string): SiteStatus {
    const status = { ...this.#status(id), state: 'awake' as const, failure: null };
    const next = { ...status, generation: status.generation + 1, processes: 2, memoryBytes: 30_000_000 };
    this.statuses.set(id, next);
    return next;
  }
}

function idleTask(account: string, id: number, enabled: boolean): TaskStatus {
  return { account, id, state: enabled ? 'idle' : 'disabled', waiting: null, next: null, runs: [] };
}

function alwaysOnTask(account: string, id: number, enabled: boolean): AlwaysOnStatus {
  return {
    account,
    id,
    state: enabled ? 'running' : 'paused',
    since: START,
    lastEnd: null,
    restartAt: null,
    starts: 1,
    memoryBytes: null,
    cpuSeconds: null,
  };
}
