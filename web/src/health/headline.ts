import { notLookedAt } from '../../../src/model/volumes.ts';
import type { VolumeView } from '../../../src/protocol/browser.ts';
import type { HostHealth } from '../../../src/protocol/health.ts';
import type { IncidentSummary } from '../../../src/protocol/incidents.ts';
import { count, formatMilliseconds, listing } from '../format/format.ts';
import { culpritName, faultWord, sentenceCase } from './incident-words.ts';

/**
 * The one sentence for the whole storage, and whether a person must act: what somebody reads first who was woken at 4 am. The rules:
 * never "everything is mirrored" while something is not; never "nobody is waiting" while somebody may be; whatever a
 * person must do is listed, and nothing else is.
 */
export interface Headline {
  tone: 'good' | 'busy' | 'warn' | 'bad';
  title: string;
  /** What a person has to do, whole sentences; empty: nothing. */
  acts: string[];
  /** What else is worth knowing, whole sentences. */
  details: string[];
}

type Volume = Pick<VolumeView, 'name' | 'state' | 'redundancy' | 'operation' | 'trouble' | 'accounts'> & {
  replicas: ReadonlyArray<unknown>;
} & Partial<Pick<VolumeView, 'wantedOpen' | 'unopened' | 'readAt'>>;
type Open = Pick<
  IncidentSummary,
  'state' | 'service' | 'volume' | 'mustAct' | 'fault' | 'culprit' | 'severity' | 'doing' | 'title'
>;

export interface StorageView {
  volumes: readonly Volume[];
  /** null: the host cannot be seen. */
  host: Pick<HostHealth, 'name' | 'condition' | 'reaction' | 'watcherGapMs'> | null;
  incidents: readonly Open[];
  /** False: the page has lost its connection, and all of this is as it was last seen. */
  connected: boolean;
}

const WEIGHT = { good: 0, busy: 1, warn: 2, bad: 3 } as const;

function worst(a: Headline['tone'], b: Headline['tone']): Headline['tone'] {
  return WEIGHT[a] >= WEIGHT[b] ? a : b;
}

function are(names: readonly string[]): string {
  return `${listing(names)} ${names.length === 1 ? 'is' : 'are'}`;
}

function unique(texts: readonly string[]): string[] {
  return [...new Set(texts)];
}

/** How the volumes are, with what the incidents know of them. */
function volumesHeadline(volumes: readonly Volume[], open: readonly Open[], reaction: boolean): Headline {
  const on = (service: Open['service']): string[] =>
    unique(open.filter((each) => each.service === service).map((each) => each.volume ?? 'the host'));
  const known = new Set(open.map((each) => each.volume));
  const silent = volumes.filter((volume) => !known.has(volume.name));
  const acts = unique(open.flatMap((each) => (each.mustAct === null ? [] : [each.mustAct])));
  for (const volume of silent) {
    if (volume.state === 'closed' || volume.operation !== null) continue;
    if (volume.redundancy === 'reduced')
      acts.push(`Add a replica to ${volume.name}: one complete copy is left, and nothing is rebuilding it.`);
    else if (volume.redundancy === 'lost' || volume.state === 'trouble')
      acts.push(`Look at ${volume.name} and choose "Recover": it cannot serve as it is.`);
  }
  const stopped = unique([
    ...on('stopped'),
    ...silent
      .filter((each) => each.state === 'trouble' || (each.state === 'open' && each.redundancy === 'lost'))
      .map((each) => each.name),
  ]);
  const waiting = on('waiting').filter((name) => !stopped.includes(name));
  const serving = on('serving').filter((name) => !stopped.includes(name) && !waiting.includes(name));
  const quietly = silent
    .filter((each) => each.state !== 'trouble' && each.redundancy === 'rebuilding')
    .map((each) => each.name);
  const reduced = silent
    .filter((each) => each.state === 'open' && each.redundancy === 'reduced')
    .map((each) => each.name);
  const details = open.map(
    (each) => `${culpritName(each.culprit, each.fault)} is ${faultWord(each.fault)}: ${each.doing}`,
  );

  if (stopped.length > 0) {
    const accounts = volumes
      .filter((each) => stopped.includes(each.name))
      .reduce((sum, each) => sum + each.accounts, 0);
    const wait =
      accounts === 0 ? 'No account lives there.' : `${sentenceCase(count(accounts, 'account'))} cannot be served.`;
    return { tone: 'bad', title: `${are(stopped)} out of service. ${wait}`, acts, details };
  }
  if (waiting.length > 0) {
    const culprits = open
      .filter((each) => each.service === 'waiting')
      .map((each) => culpritName(each.culprit, each.fault));
    const what = listing(unique(culprits), 2);
    const title =
      waiting.length === 1
        ? `Members on ${waiting.join()} are waiting: ${what.replace(/^[DVTE]/, (letter) => letter.toLowerCase())} ${reaction ? 'is being dealt with' : 'is in trouble, and the reaction is switched off'}.`
        : `Members on ${listing(waiting)} are waiting: ${count(culprits.length, 'trouble')} at once.`;
    return { tone: 'bad', title, acts, details };
  }
  if (serving.length > 0) {
    const needy = unique([
      ...open.filter((each) => each.mustAct !== null).map((each) => each.volume ?? 'the host'),
      ...reduced.filter((name) => acts.some((act) => act.includes(` ${name}:`))),
    ]);
    const needs = needy.length > 0;
    const title = needs
      ? // A volume's name stays as it is written.
        `${listing(needy).replace(/^the host/, 'The host')} ${needy.length === 1 ? 'needs' : 'need'} you. Nobody is waiting.`
      : `${are(serving)} being repaired. Nobody is waiting.`;
    return { tone: needs || open.some((each) => each.severity !== 'minor') ? 'warn' : 'busy', title, acts, details };
  }
  if (reduced.length > 0)
    return {
      tone: 'warn',
      title: `${listing(reduced)} ${reduced.length === 1 ? 'has' : 'have'} one complete copy left. Nobody is waiting.`,
      acts,
      details,
    };
  if (quietly.length > 0)
    return { tone: 'busy', title: `${are(quietly)} being rebuilt. Nobody is waiting.`, acts, details };
  if (volumes.length === 0)
    return {
      tone: 'warn',
      title: 'There is no volume yet.',
      acts: ['Make a volume: accounts live on volumes.'],
      details,
    };
  const unseen = volumes.filter((each) => notLookedAt({ ...each, readAt: each.readAt ?? '' }));
  if (unseen.length > 0)
    return {
      tone: 'warn',
      title: `The agent has just started and has not looked at ${listing(unseen.map((each) => each.name))} yet.`,
      acts,
      details,
    };
  const closed = volumes.filter((each) => each.state === 'closed');
  const notFull = closed.filter((each) => each.redundancy !== 'full');
  if (notFull.length > 0)
    return {
      tone: 'warn',
      title: `${are(notFull.map((each) => each.name))} closed and not mirrored. All others are mirrored.`,
      acts,
      details,
    };
  if (closed.length > 0) details.push(`${are(closed.map((each) => each.name))} closed.`);
  const disks = volumes.reduce((sum, each) => sum + each.replicas.length, 0);
  return {
    tone: 'good',
    title: 'Everything is mirrored.',
    acts,
    details: [
      `${sentenceCase(count(volumes.length, 'volume'))} on ${count(disks, 'disk')}, every copy complete.`,
      ...details,
    ],
  };
}

export function storageHeadline({ volumes, host, incidents, connected }: StorageView): Headline {
  const open = incidents.filter((incident) => incident.state === 'open');
  const headline = volumesHeadline(volumes, open, host?.reaction !== false);
  if (!connected) {
    const seen = storageHeadline({ volumes, host, incidents, connected: true });
    return {
      ...seen,
      tone: worst(seen.tone, 'warn'),
      title: seen.tone === 'good' ? 'The platform cannot be seen right now.' : `${seen.title} (As last seen.)`,
      details: seen.tone === 'good' ? ['When last seen, everything was mirrored.'] : seen.details,
    };
  }
  if (host === null) {
    return {
      tone: worst(headline.tone, 'warn'),
      title: headline.tone === 'good' ? 'The storage cannot be seen right now.' : `${headline.title} (As last seen.)`,
      acts: headline.acts,
      details: [
        'The agent of the host does not answer. It is started again by itself, and what it repairs goes on; if this stays for more than a minute, look at its log.',
        ...(headline.tone === 'good' ? ['When last seen, everything was mirrored.'] : headline.details),
      ],
    };
  }
  let { tone, title } = headline;
  const acts = [...headline.acts];
  const details = [...headline.details];
  if (host.condition !== 'healthy') {
    if (tone === 'good')
      title =
        host.condition === 'blind'
          ? 'Everything was mirrored when last seen, but the watcher cannot see right now.'
          : 'The whole host stands still.';
    tone = worst(tone, host.condition === 'stalled' ? 'bad' : 'warn');
    details.unshift(
      host.condition === 'blind'
        ? `The watcher of ${host.name} was itself held up (its longest pause was ${formatMilliseconds(host.watcherGapMs)}). No disk is cut until it can be trusted again.`
        : `Nothing on ${host.name} moves, so no single disk is to blame and none is cut.`,
    );
  }
  if (!host.reaction) {
    if (tone === 'good') title = 'Everything is mirrored, but the platform does not repair by itself.';
    tone = worst(tone, 'warn');
    if (!acts.some((act) => /reaction/i.test(act)))
      acts.push(
        `Switch the reaction of ${host.name} on again: while it is off, a hung disk stays until a person cuts it.`,
      );
  }
  return { tone, title, acts, details };
}

/** What stands beside the title about acting. Never by colour alone. @param connected false: as it was last seen */
export function actSentence(acts: readonly string[], connected = true): string {
  if (!connected)
    return acts.length === 0
      ? 'When last seen, you needed to do nothing.'
      : `When last seen: ${actSentence(acts).replace(/^Y/, 'y')}`;
  return acts.length === 0
    ? 'You need to do nothing.'
    : acts.length === 1
      ? 'You must act.'
      : `You must act: ${acts.length} things.`;
}
