import { existsSync, readFileSync, rmSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { DRILLS } from '../model/drills.ts';
import type { DrillResult } from '../protocol/drills.ts';
import { HoldfastError } from '../protocol/errors.ts';
import type { Configuration } from '../runtime/config.ts';
import { until } from '../runtime/deadline.ts';
import { SCRIPTS } from './catalogue/catalogue.ts';
import { measureBandwidth } from './bandwidth.ts';
import { Faults, type Target } from './faults.ts';
import { removeInstance } from './leftovers.ts';
import { Live, type Show } from './live.ts';
import { MachineSpeed } from './machine-speed.ts';
import { makeMembers, planMembers, removeMembers, writeBallast } from './members.ts';
import { Observer, type Copy } from './observer.ts';
import { Pictures } from './pictures.ts';
import { cleanLeftovers, clearOwner, makePlace, writeOwner, type Owner, type Place } from './place.ts';
import { Platform, runs } from './platform.ts';
import { Scratch, makeVolumes, removeVolume } from './scratch.ts';
import { holds, resultOf } from './score.ts';
import type { DrillScript, Facts, Outcome, Stage } from './script.ts';
import { WitnessProcess } from './witness-process.ts';
import type { Paces, Window, WitnessAccount } from './witness/messages.ts';

export interface RunOptions {
  id: string;
  drill: string;
  where: 'scratch' | 'here';
  reaction: boolean;
  /** Instead of the script's own. */
  accounts?: number | undefined;
  volumes?: number | undefined;
  /** Of the windows before and during. */
  seconds?: number | undefined;
  /** MiB that the hurt volume holds, so that a rebuild has something to copy. */
  fillMiB?: number | undefined;
  /** Where pictures of what an operator sees go; only on a platform of the drill's own. */
  pictures?: string | undefined;
  /** Leaves the scratch platform running, to look at it. */
  keep: boolean;
}

export interface RunEnd {
  state: 'passed' | 'failed' | 'aborted';
  live: Live;
  result: DrillResult | undefined;
  /** Where logs and the record are, when they were kept. */
  directory: string | undefined;
}

/** Requests a second to one site with a steady stream: together with the rest about 90 a second with forty accounts. */
const SITE_EVERY_MS = 480;
const PACES: Paces = { site: SITE_EVERY_MS, start: 2_500, reload: 3_500, upload: 1_000, api: 700, signIn: 5_000 };
const REQUEST_DEADLINE_MS = 120_000;
const WARM_UP_MS = 6_000;
/** Without a reaction the hang is ended by the drill, after the window and never later than this. */
const LONGEST_HANG_MS = 60_000;
const DRAIN_DEADLINE_MS = 45_000;
const REPORT_DEADLINE_MS = 300_000;
const LOOK_EVERY_MS = 250;
/** What is whole again is told to the control plane and its pages a moment later. */
const PICTURE_AFTER_MS = 3_000;
const MiB = 1024 ** 2;
/** A file system that is nearly full is another drill: there is this much more room than ballast needs. The images are sparse. */
const ROOM_PER_BALLAST = 4;
/** What is measured must last, and needs no more than this. */
const BANDWIDTH_BYTES = 1024 * MiB;
const AUDIT_ENTRIES = 1_000;

/** Runs one drill from nothing to nothing: what it makes is removed however it ends. */
export async function runDrill(
  main: Configuration,
  options: RunOptions,
  signal: AbortSignal,
  show: Show,
): Promise<RunEnd> {
  const script = SCRIPTS.get(options.drill);
  const definition = DRILLS.find((drill) => drill.name === options.drill);
  if (script === undefined || definition === undefined)
    throw new HoldfastError('not-found', `There is no drill "${options.drill}". See: holdfast drill list`);
  if (options.where === 'here') checkHere(main, script, options);
  const where = options.where;
  const live = new Live(
    { id: options.id, drill: script.name, title: definition.title, where, reaction: options.reaction },
    show,
  );
  if (runs(main)) live.sendTo(new Platform(main));
  const say = (text: string): void => live.say('runner', text);
  await cleanLeftovers(main, (here) => removeHere(main, here), say);
  const place = makePlace(main, options.id);
  writeOwner(place, { home: null, here: null });
  let state: RunEnd['state'] = 'aborted';
  let problem: string | null = null;
  try {
    const outcome = await inPlace({ main, script, options, place, live, signal });
    live.score(script.checks(outcome), resultOf(outcome));
    state = holds(live.run.checks) ? 'passed' : 'failed';
  } catch (error) {
    problem = signal.aborted ? 'It was stopped.' : describe(error);
  }
  const keepRecord = place.kept || state !== 'passed';
  await live.finish(state, problem, keepRecord ? place.directory : undefined);
  live[Symbol.dispose]();
  if (!options.keep) clearOwner(place);
  if (!keepRecord && !options.keep) rmSync(place.directory, { recursive: true, force: true });
  return { state, live, result: live.run.result ?? undefined, directory: keepRecord ? place.directory : undefined };
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const details = error instanceof HoldfastError ? (error.details ?? []) : [];
  return [error.message, ...details].join('\n');
}

function checkHere(main: Configuration, script: DrillScript, options: RunOptions): void {
  if (!runs(main)) throw new HoldfastError('not-ready', 'No platform runs here. Start it, or leave --here out.');
  if (!script.here)
    throw new HoldfastError(
      'input-invalid',
      `${script.name} kills processes that members need. It runs only on a platform of its own: leave --here out.`,
    );
  if (!options.reaction)
    throw new HoldfastError(
      'input-invalid',
      'A running platform is never left without its reaction. Leave --here or --no-reaction out.',
    );
}

interface Run {
  main: Configuration;
  script: DrillScript;
  options: RunOptions;
  place: Place;
  live: Live;
  signal: AbortSignal;
}

/** Makes the place where it happens, lets it happen, and removes the place again. */
async function inPlace(run: Run): Promise<Outcome> {
  const { main, script, options, place, live, signal } = run;
  const volumes = Array.from({ length: options.volumes ?? script.volumes }, (_, index) => `drill${index + 1}`);
  const members = planMembers(options.accounts ?? script.accounts, volumes);
  const began = Date.now();
  const took = (what: string): void =>
    live.say('runner', `${what} after ${((Date.now() - began) / 1000).toFixed(1)} s`);
  const settle = async (platform: Platform): Promise<WitnessAccount[]> => {
    live.step(`Making ${volumes.length} volumes`);
    const ballastBytes = (options.fillMiB ?? script.fillMiB) * MiB;
    await makeVolumes(platform, volumes, script.imageBytes + Math.ceil(ballastBytes * ROOM_PER_BALLAST));
    took(`${volumes.length} volumes are made`);
    live.step(`Making ${members.length} accounts with a site each`);
    const accounts = await makeMembers(platform, members, script.plan, signal, (made) => {
      live.run.step = `Making accounts with a site each: ${made} of ${members.length}`;
    });
    took(`${members.length} accounts with a site each are made`);
    return accounts;
  };

  if (options.where === 'here') {
    const here = { home: main.home, accounts: members.map((member) => member.name), volumes };
    using platform = new Platform(main);
    await refuseTaken(platform, here);
    writeOwner(place, { home: null, here });
    try {
      return await measured(run, platform, undefined, await settle(platform));
    } finally {
      live.step('Removing what the drill made');
      await removeHere(main, here);
    }
  }

  live.step('Starting a platform for the drill');
  writeOwner(place, { home: Scratch.homeIn(place.directory), here: null });
  const scratch = await Scratch.prepare(place.directory, main, options.reaction, script);
  const { platform } = scratch;
  let kept = false;
  try {
    await scratch.start(signal);
    took('The platform runs');
    if (!options.reaction) await switchReactionOff(platform);
    // A drill has its own. Letting go of their disks takes a while, and nobody needs to wait for it.
    const firstVolumes = await scratch.volumes();
    const [accounts] = await Promise.all([settle(platform), scratch.remove(firstVolumes)]);
    const outcome = await measured(run, platform, scratch, accounts);
    kept = options.keep;
    return outcome;
  } finally {
    await keepLogs(platform.configuration, place);
    platform[Symbol.dispose]();
    if (kept)
      live.say(
        'runner',
        `The platform of the drill goes on at ${platform.configuration.home}; the next drill removes it`,
      );
    else {
      live.step('Removing the platform of the drill');
      await removeInstance(platform.configuration);
    }
  }
}

/** Never touches what it did not make: names that are taken end the drill before it begins. */
async function refuseTaken(platform: Platform, wanted: NonNullable<Owner['here']>): Promise<void> {
  const accounts = await platform.operator('accounts.list');
  const volumes = await platform.operator('volumes.list');
  const taken = [
    ...wanted.accounts.filter((name) => accounts.some((account) => account.name === name)),
    ...wanted.volumes.filter((name) => volumes.some((volume) => volume.name === name)),
  ];
  if (taken.length > 0)
    throw new HoldfastError(
      'name-taken',
      `The drill needs names that are taken on this platform: ${taken.join(', ')}. Nothing was done.`,
    );
}

async function removeHere(main: Configuration, here: NonNullable<Owner['here']>): Promise<void> {
  using platform = new Platform(main);
  await removeMembers(platform, here.accounts);
  const volumes = await platform.operator('volumes.list');
  for (const name of here.volumes)
    if (volumes.some((volume) => volume.name === name)) await removeVolume(platform, name);
}

async function switchReactionOff(platform: Platform): Promise<void> {
  const answer = await platform.agent.call('health.setReaction', { enabled: false }).catch((error: unknown) => {
    if (error instanceof HoldfastError && error.code === 'not-ready') return { enabled: false };
    throw error;
  });
  if (answer.enabled) throw new Error('The reaction could not be switched off.');
}

async function keepLogs(configuration: Configuration, place: Place): Promise<void> {
  for (const name of ['agent.log', 'control.log']) {
    const file = join(configuration.home, 'log', name);
    if (existsSync(file)) await copyFile(file, join(place.directory, name));
  }
}

/** The drill itself: warm up, measure, hurt, wait until it has healed, read everything back. */
async function measured(
  run: Run,
  platform: Platform,
  scratch: Scratch | undefined,
  accounts: readonly WitnessAccount[],
): Promise<Outcome> {
  const { script, options, live, signal } = run;
  const windowMs = (options.seconds ?? script.windowSeconds) * 1000;
  const target = await chooseTarget(platform, accounts);
  await writeBallastTo(run, platform, accounts, target.first.volume);
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8');
  const facts: Facts = {};
  const windows: Window[] = [];
  const blackouts: { from: number; to: number }[] = [];
  let faultAt = Number.NaN;
  await using pictures =
    options.pictures === undefined || scratch === undefined
      ? undefined
      : await Pictures.open(platform, scratch.firstPassword, options.pictures);
  await using faults = new Faults(platform);
  await using observer = new Observer(platform, (text, at) => live.say('platform', text, at));
  using witness = new WitnessProcess((text) => live.say('witness', text));
  const residents = new Map<string, number>();
  for (const account of accounts) residents.set(account.volume, (residents.get(account.volume) ?? 0) + 1);
  const picture = setInterval(() => {
    live.see(
      observer.volumes,
      witness.volumes,
      residents,
      (volume, replica) => faults.active(volume, replica),
      (volume) =>
        observer.operations.find((entry) => entry.state === 'running' && entry.subject === volume)?.progress ?? null,
    );
    live.draw(witness.volumes, Date.now());
    if (pictures !== undefined && !Number.isNaN(faultAt))
      for (const moment of momentsOf(observer, target.first.volume, faultAt))
        pictures.take(moment, target.first.volume, (text) => live.say('runner', text));
  }, LOOK_EVERY_MS);
  const pause = async (milliseconds: number): Promise<void> => {
    await wait(milliseconds, undefined, { signal });
    if (!witness.alive) throw new Error('The witness ended.');
  };
  const stage: Stage = {
    platform,
    scratch,
    accounts,
    witness,
    observer,
    faults,
    target: target.first,
    other: target.second,
    windowMs,
    signal,
    say: (text) => live.say('runner', text),
    hurtNow: (text) => {
      faultAt = Date.now();
      live.fault(faultAt);
      live.say('fault', text, faultAt);
    },
    faultAt: () => faultAt,
    pause,
    until: async (condition, what, milliseconds) => {
      await until(
        async () => {
          signal.throwIfAborted();
          return await condition();
        },
        what,
        milliseconds,
        LOOK_EVERY_MS,
      );
    },
    windows,
    blackouts,
    facts,
  };
  using machine = new MachineSpeed();
  try {
    await observer.start();
    witness.tell({
      type: 'start',
      httpPort: platform.configuration.httpPort,
      httpsPort: platform.configuration.httpsPort,
      domain: platform.configuration.domain,
      authorityFile: platform.authorityFile,
      agentSocket: platform.layout.agentSocket,
      identityDirectory: platform.layout.control,
      deadlineMs: REQUEST_DEADLINE_MS,
      accounts: [...accounts],
      paces: { ...PACES, ...script.paces },
    });
    live.step('Warming up', 'running');
    await pause(WARM_UP_MS);
    live.step(`Measuring ${windowMs / 1000} s without a fault`);
    const before = Date.now();
    await pause(windowMs);
    windows.push({ name: 'before', from: before, to: Date.now() });

    live.step(`Hurting ${target.first.volume}`);
    if (options.reaction) {
      await script.cause(stage);
      await pause(Math.max(0, faultAt + windowMs - Date.now()));
      live.step('Waiting until everything is whole again');
      await stage
        .until(() => script.healed(stage), 'the platform being whole again', script.healSeconds * 1000)
        .catch((error: unknown) => {
          signal.throwIfAborted();
          live.say('runner', describe(error));
        });
    } else {
      await withoutReaction(stage, script);
    }
    if (pictures !== undefined) {
      await pause(PICTURE_AFTER_MS);
      pictures.take('after', target.first.volume, (text) => live.say('runner', text));
      await pictures.done();
    }
    const hurtUntil = Math.min(Date.now(), faultAt + windowMs);
    windows.push({ name: 'during', from: faultAt, to: hurtUntil });
    await faults.clearAll();
    const verdict = judged(observer, target.first, target.second, faultAt);
    if (verdict.copy !== undefined) windows.push({ name: 'rebuild', from: verdict.copy.from, to: verdict.restoredAt });
    if (options.reaction && script.afterSeconds > 0 && verdict.restoredS !== null) {
      live.step('Measuring whether there is a cold period after it');
      // At once: a cold period would be over if it were waited for.
      const from = verdict.restoredAt;
      await pause(Math.max(0, from + Math.min(windowMs, script.afterSeconds * 1000) - Date.now()));
      windows.push({ name: 'after', from, to: Date.now() });
    }
    if (options.reaction) await script.afterwards?.(stage);
    const wholeUntil = Date.now();
    windows.push({ name: 'whole', from: faultAt, to: wholeUntil });
    const diskBytesPerSecond = await bandwidthBeside(stage, verdict.copy);
    if (options.reaction) await script.epilogue?.(stage);

    live.step('Reading every acknowledged write back', 'scoring');
    const operatorCommands = await commandsSince(platform, faultAt, (at) => observer.realTime(at));
    const report = await witness.finish(
      {
        type: 'finish',
        hurt: [target.first, ...(facts.alsoHurt ?? [])].map(({ volume }) => volume),
        windows,
        blackouts,
        bootsFrom: faultAt,
        bootsTo: wholeUntil,
      },
      REPORT_DEADLINE_MS,
    );
    for (const failure of report.failures.slice(0, 8))
      live.say('witness', `${failure.account} on ${failure.volume}, ${failure.kind}: ${failure.what}`, failure.at);
    await observer.look();
    return {
      drill: script.name,
      target: target.first,
      faultAt,
      windowMs,
      witness: report,
      machineMs: Object.fromEntries(
        windows.flatMap(({ name, from, to }) => {
          const mean = machine.mean(from, to);
          return mean === undefined ? [] : [[name, mean]];
        }),
      ),
      ...verdict,
      diskBytesPerSecond,
      operatorCommands,
      reboots: readFileSync('/proc/sys/kernel/random/boot_id', 'utf8') === boot ? 0 : 1,
      facts,
    };
  } finally {
    clearInterval(picture);
  }
}

/** What there is to be seen now of a volume that was hurt. */
function momentsOf(observer: Observer, volume: string, faultAt: number): string[] {
  const status = observer.status(volume);
  return [
    ...(observer.troubleOf(volume, faultAt) === undefined ? [] : ['named']),
    ...(status?.state === 'trouble' ? ['stopped'] : []),
    ...(status?.redundancy === 'rebuilding' ? ['rebuilding'] : []),
  ];
}

/** The members of the volume that is hurt get something that a rebuild has to copy. */
async function writeBallastTo(
  { script, options, live, signal }: Run,
  platform: Platform,
  accounts: readonly WitnessAccount[],
  volume: string,
): Promise<void> {
  const mebibytes = options.fillMiB ?? script.fillMiB;
  if (mebibytes === 0) return;
  live.step(`Writing ${mebibytes} MiB into the homes on ${volume}`);
  const members = accounts.filter((account) => account.volume === volume);
  await writeBallast(platform, members, mebibytes, signal);
}

/** Under the same load as the rebuild was: the witness still runs. */
async function bandwidthBeside(stage: Stage, copy: Copy | undefined): Promise<number | undefined> {
  if (copy === undefined || copy.bytes === 0) return undefined;
  stage.say('Measuring what such a disk takes when it does nothing else');
  return await measureBandwidth(copy.disk, Math.min(copy.bytes, BANDWIDTH_BYTES)).catch((error: unknown) => {
    stage.signal.throwIfAborted();
    stage.say(`It could not be measured: ${describe(error)}`);
    return undefined;
  });
}

/** The outage as it would be: the fault stays until the window is over, then the drill itself takes it away. */
async function withoutReaction(stage: Stage, script: DrillScript): Promise<void> {
  const stop = new AbortController();
  const caused = script.cause({
    ...stage,
    until: async (condition, what, milliseconds) =>
      await stage.until(async () => stop.signal.aborted || (await condition()), what, milliseconds),
  });
  const failed = caused.then(
    () => undefined,
    (error: unknown) => error,
  );
  await stage.pause(Math.min(stage.windowMs, LONGEST_HANG_MS));
  stop.abort();
  await stage.faults.clearAll();
  stage.say('The drill takes the fault away: nobody else would');
  const error = await failed;
  if (error !== undefined) throw error;
  await until(
    () => stage.witness.volumes.every((volume) => volume.oldestWaitMs < 2_000),
    'those who wait',
    DRAIN_DEADLINE_MS,
  ).catch(() => stage.say(`After ${DRAIN_DEADLINE_MS / 1000} s some still wait`));
}

/** The first replica of the volume in the middle: nothing is special about it. */
async function chooseTarget(
  platform: Platform,
  accounts: readonly WitnessAccount[],
): Promise<{ first: Target; second: Target }> {
  const names = [...new Set(accounts.map((account) => account.volume))].sort();
  const volume = names[Math.floor(names.length / 2)];
  const status = (await platform.agent.call('volumes.list', {})).find((entry) => entry.name === volume);
  const [first, second] = (status?.replicas ?? []).map((replica): Target => ({
    volume: status?.name ?? '',
    replica: replica.id,
    disk: replica.disk,
  }));
  if (first === undefined || second === undefined) throw new Error('There is no volume to hurt.');
  return { first, second };
}

async function commandsSince(platform: Platform, from: number, realTime: (at: string) => number): Promise<number> {
  const entries = await platform.operator('audit.list', { query: { limit: AUDIT_ENTRIES } });
  return entries.filter((entry) => entry.actor.startsWith('operator') && realTime(entry.at) >= from).length;
}

/** What the platform said and did, with times counted from the fault. */
function judged(
  observer: Observer,
  target: Target,
  other: Target,
  faultAt: number,
): Pick<Outcome, 'trouble' | 'culprit' | 'locatedS' | 'restoreStartedS' | 'restoredS' | 'rebuildBytes' | 'copy'> & {
  restoredAt: number;
} {
  const seconds = (at: number | undefined): number | null =>
    at === undefined ? null : Math.max(0, (at - faultAt) / 1000);
  const trouble = observer.troubleOf(target.volume, faultAt);
  const copy = observer.copies.find((one) => one.volume === target.volume && one.to >= faultAt);
  const restoredAt = observer.restoredAt(target.volume, faultAt, [target.replica]);
  const rebuild = observer.operations
    .filter((entry) => entry.subject === target.volume && Date.parse(entry.startedAt) >= faultAt)
    .filter((entry) => ['volume-rebuild', 'volume-recover', 'volume-replace-disk'].includes(entry.kind))
    .sort((a, b) => a.startedAt.localeCompare(b.startedAt))[0];
  return {
    trouble,
    culprit: trouble === undefined ? null : nameOf(trouble.diagnosis.culprit),
    locatedS: trouble === undefined ? null : seconds(Date.parse(trouble.namedAt)),
    restoreStartedS: rebuild === undefined ? null : seconds(Date.parse(rebuild.startedAt)),
    restoredS: seconds(restoredAt),
    restoredAt: restoredAt ?? Date.now(),
    rebuildBytes: restoredAt === undefined ? null : (copy?.bytes ?? null),
    copy,
  };
}

function nameOf(culprit: { volume: string | null; replica: string | null; disk: string | null }): string {
  const name = [culprit.volume, culprit.replica].filter((part) => part !== null).join('/');
  return `${name}${culprit.disk === null ? '' : ` (${culprit.disk})`}`;
}
