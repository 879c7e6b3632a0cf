import { mkdir, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';
import type { HostHealth } from '../../protocol/health.ts';
import type { AgentContext, HealthPart, StatusNote, StoragePart } from '../context.ts';
import { readJson, writeWhole } from '../../runtime/whole-file.ts';
import { HostRoomWatch } from './host-room.ts';
import { Reaction } from './reaction.ts';
import { TroubleJournal } from './trouble-journal.ts';
import { WatcherProcess } from './watcher-process.ts';
import type { WatcherReport } from './watcher/messages.ts';

/** A snapshot older than this says nothing about now. */
const FRESH_MS = 3_000;
/** Until its first word a watcher that was just started is not called blind for so long. */
const STARTING_MS = 15_000;
/** statfs(2) takes microseconds; what takes longer is not waited for. */
const ROOM_FIRST_MS = 150;
/** Which members live where is asked this often; it only serves to count programs that wait. */
const MEMBERS_EVERY_MS = 15_000;

const settingsSchema = z.object({
  reaction: z.boolean(),
  notes: z.array(z.object({ trouble: z.string(), at: z.string(), text: z.string() })),
});

/** Watcher, diagnosis and reaction of this host. */
export function createHealth(
  context: AgentContext,
  parts: { storage: StoragePart },
  environment: NodeJS.ProcessEnv = process.env,
): HealthPart {
  return new Health(context, parts.storage, environment);
}

class Health implements HealthPart {
  readonly #context: AgentContext;
  readonly #storage: StoragePart;
  readonly #reaction: Reaction;
  readonly #watcher: WatcherProcess;
  readonly #room: HostRoomWatch;
  readonly #directory: string;
  /** Drills switch the reaction off from outside; then nobody can switch it on. */
  readonly #forcedOff: boolean;
  readonly #listeners: Array<() => void> = [];
  #settings: z.infer<typeof settingsSchema> = { reaction: true, notes: [] };
  #snapshot: { at: number; health: NonNullable<WatcherReport['health']> } | undefined;
  readonly #startedAt = performance.now();
  #membersTimer: NodeJS.Timeout | undefined;
  #saving: Promise<void> = Promise.resolve();
  #taking: Promise<void> = Promise.resolve();
  /** Settled once what is on disk is read: until then nobody is told that there is nothing, and nothing is written over it. */
  readonly #loaded = Promise.withResolvers<void>();

  readonly handlers: HealthPart['handlers'] = {
    'health.now': async () => await Promise.resolve(this.#now()),
    'health.setReaction': async ({ enabled }) => {
      await this.#loaded.promise;
      await this.#change({ reaction: enabled });
      return { enabled: this.#enabled() };
    },
    'troubles.list': async () => {
      // Control closes the incidents of troubles that it does not find here.
      await this.#loaded.promise;
      return this.#reaction.troubles();
    },
    'status.notes': async ({ notes }) => {
      await this.#loaded.promise;
      await this.#change({ notes });
      this.#changed();
      return {};
    },
  };

  constructor(context: AgentContext, storage: StoragePart, environment: NodeJS.ProcessEnv) {
    this.#context = context;
    this.#storage = storage;
    this.#directory = join(context.layout.agent, 'health');
    // Whoever asks sees the failure; without anybody it is the start that tells.
    this.#loaded.promise.catch(() => undefined);
    this.#forcedOff = environment['HOLDFAST_REACTION'] === 'off';
    this.#room = new HostRoomWatch({
      home: context.configuration.home,
      reserve: join(context.layout.agent, 'reserve'),
      log: context.log,
      promised: async () => await this.#promised(),
    });
    this.#reaction = new Reaction({
      storage,
      journal: new TroubleJournal(join(context.layout.agent, 'troubles'), context.log),
      log: context.log,
      enabled: () => this.#enabled(),
      hostRoom: () => this.#room.room,
      fullSpell: () => this.#room.spell,
      tell: (trouble) => {
        context.emit({ type: 'trouble', trouble });
        this.#changed();
      },
    });
    this.#watcher = new WatcherProcess({
      directory: this.#directory,
      run: context.configuration.runDirectory,
      log: context.log,
      onReport: (report) => {
        if (report.health !== null) this.#snapshot = { at: performance.now(), health: report.health };
        this.#take(report);
      },
      onBlind: () => {
        this.#taking = this.#taking.then(() => this.#reaction.blind());
      },
    });
  }

  /** Before a disk is blamed, whether there is room below it is looked at, for a moment. Reports are taken in their order. */
  #take(report: WatcherReport): void {
    const before = this.#taking;
    this.#taking = (async () => {
      await before;
      if (report.troubles.length > 0)
        await Promise.race([this.#room.measure().catch(() => undefined), pause(ROOM_FIRST_MS)]);
      this.#reaction.take(report);
    })().catch((error: unknown) => {
      this.#context.log.error({ error }, 'what the watcher said could not be acted upon');
    });
  }

  async start(): Promise<void> {
    try {
      await this.#load();
      this.#loaded.resolve();
    } catch (error) {
      this.#loaded.reject(error);
      throw error;
    }
    this.#storage.onDisksChange(() => this.#tellWatcher());
    this.#tellWatcher();
    this.#watcher.start();
    this.#room.start();
    // Accounts come and go without a word to us; who waits for which disk is asked only in trouble.
    this.#membersTimer = setInterval(() => this.#tellWatcher(), MEMBERS_EVERY_MS);
    this.#membersTimer.unref();
    this.#changed();
  }

  async #load(): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    const kept = settingsSchema.safeParse(await readJson(this.#settingsFile()));
    if (kept.success) this.#settings = kept.data;
    await this.#reaction.start();
  }

  async stop(): Promise<void> {
    clearInterval(this.#membersTimer);
    this.#room.stop();
    await this.#watcher.stop();
    await this.#reaction.stop();
  }

  troubles(): ReturnType<HealthPart['troubles']> {
    return this.#reaction.troubles();
  }

  notes(): readonly StatusNote[] {
    return this.#settings.notes;
  }

  onTroubles(listener: () => void): void {
    this.#listeners.push(listener);
  }

  watching(): 'yes' | 'blind' {
    const last = this.#snapshot?.at ?? this.#startedAt + STARTING_MS;
    if (performance.now() - last >= FRESH_MS) return 'blind';
    return this.#snapshot?.health.condition === 'blind' ? 'blind' : 'yes';
  }

  watcherPid(): number | undefined {
    return this.#watcher.pid;
  }

  #enabled(): boolean {
    return this.#settings.reaction && !this.#forcedOff;
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }

  #settingsFile(): string {
    return join(this.#directory, 'settings.json');
  }

  async #change(settings: Partial<z.infer<typeof settingsSchema>>): Promise<void> {
    this.#settings = { ...this.#settings, ...settings };
    const write = (): Promise<void> => writeWhole(this.#settingsFile(), JSON.stringify(this.#settings));
    this.#saving = this.#saving.then(write, write);
    await this.#saving;
  }

  #tellWatcher(): void {
    // What is given up already is not watched: it would only say once more that it is bad.
    const disks = this.#storage.disks().filter(({ state }) => state === 'healthy' || state === 'rebuilding');
    this.#watcher.tell({ disks, members: this.#storage.residents() });
  }

  /** What the image files in the platform's own directories may still take. None of them lies on a volume. */
  async #promised(): Promise<number> {
    let promised = 0;
    for (const { name, replicas } of this.#storage.statuses())
      for (const { disk, sizeBytes, state } of replicas) {
        if (state === 'failed' || !disk.startsWith(`${this.#context.layout.volumes}/${name}/disks/`)) continue;
        const image = await stat(disk).catch(() => undefined);
        if (image !== undefined) promised += Math.max(0, sizeBytes - image.blocks * 512);
      }
    return promised;
  }

  #roomNow(): Pick<HostHealth, 'room'> {
    const { room } = this.#room;
    return room === undefined ? {} : { room: { freeBytes: room.freeBytes, sizeBytes: room.sizeBytes } };
  }

  #now(): HostHealth {
    const snapshot = this.#snapshot;
    const about = { at: new Date().toISOString(), name: hostname(), reaction: this.#enabled(), ...this.#roomNow() };
    if (snapshot !== undefined && performance.now() - snapshot.at < FRESH_MS) return { ...about, ...snapshot.health };
    const last = snapshot?.health;
    return {
      ...about,
      condition: 'blind',
      watcherGapMs: last?.watcherGapMs ?? 0,
      pressure: null,
      cores: last?.cores ?? 0,
      memoryBytes: last?.memoryBytes ?? 0,
      memoryFreeBytes: last?.memoryFreeBytes ?? 0,
      disks: (last?.disks ?? []).map((disk) => ({ ...disk, condition: 'unknown' as const })),
      stuck: [],
    };
  }
}
