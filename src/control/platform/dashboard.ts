import { notLookedAt } from '../../model/volumes.ts';
import { count } from '../../model/words.ts';
import type { Dashboard, VolumeView } from '../../protocol/browser.ts';
import type { IncidentSummary } from '../../protocol/incidents.ts';
import { HoldfastError } from '../../protocol/errors.ts';
import { within } from '../../runtime/deadline.ts';
import type { ControlContext } from '../context.ts';
import { siteView } from '../sites/site-view.ts';
import { countAccounts, findPlan, volumeOccupancy, type AccountRow } from '../store/accounts.ts';
import { listSitePlaces, listSites } from '../store/sites.ts';
import { readClosedVolumes } from '../store/settings.ts';
import { volumeView } from './volume-view.ts';

type Member = NonNullable<Dashboard['account']>;
type Platform = NonNullable<Dashboard['platform']>;
type Notice = Member['notices'][number];

/** A page does not wait longer than this for one figure. */
const USAGE_MS = 2_000;
/** Share of the disk limit from which on the member is warned. */
const NEARLY_FULL = 0.9;

/** What a member sees first. */
export async function memberDashboard(context: ControlContext, account: AccountRow): Promise<Member> {
  const limits = await findPlan(context.database, account.plan);
  if (!limits) throw new HoldfastError('internal', `The plan "${account.plan}" does not exist.`);
  const [sites, disk] = await Promise.all([
    listSites(context.database, { accountId: account.id, state: 'present' }),
    diskUse(context, account),
  ]);
  const views = sites.map((site) => siteView(context, site));
  return {
    name: account.name,
    plan: account.plan,
    limits,
    disk,
    sites: views,
    pythons: [...context.world.pythons],
    notices: [...(await storageNotices(context, account)), ...memberNotices(context, account, views, disk)],
  };
}

async function diskUse(context: ControlContext, account: AccountRow): Promise<Member['disk']> {
  const { volume } = account;
  if (account.state !== 'ready' || volume === null) return null;
  // A volume that is known to be in trouble, or has just let somebody wait in vain, is not asked: the page would only be late.
  if (context.world.serviceOf(volume) !== 'serving' || context.usage.resting(volume)) return null;
  try {
    const asked = context.fileCalls.run(volume, account.name, () =>
      context.agent.call('accounts.usage', { name: account.name }),
    );
    const known = await within(USAGE_MS, 'Reading the disk use', asked);
    context.usage.succeeded(volume);
    return known;
  } catch (error) {
    context.usage.failed(volume);
    context.log.info({ account: account.name, err: error }, 'the disk use is not known');
    return null;
  }
}

/** What a member has to know of the troubles of their own volume, and what the operator says about them. */
async function storageNotices(context: ControlContext, account: AccountRow): Promise<Notice[]> {
  const { volume } = account;
  if (volume === null) return [];
  const troubles = context.incidents.open().filter((incident) => incident.volume === volume);
  if (troubles.length === 0) return [];
  const said = await context.incidents.publicNote(volume);
  const notices = troubles.map(memberSentence);
  const worst =
    notices.find((notice) => notice.level === 'problem') ?? notices.find((notice) => notice.level === 'warning');
  const notice = worst ?? notices[0];
  if (!notice) return [];
  return [{ ...notice, text: said === undefined ? notice.text : `${notice.text} From the operator: ${said}` }];
}

function memberSentence({ service, fault }: IncidentSummary): Notice {
  const about = 'storage' as const;
  if (service === 'stopped') {
    const text =
      'Your storage is out of service and is being repaired. Nothing is lost; your files and sites come back by themselves.';
    return { about, level: 'problem', text };
  }
  if (fault === 'full') {
    const text =
      'The storage that you share with others is full, so writing files may fail. Nothing is lost; the operator has been told.';
    return { about, level: 'problem', text };
  }
  if (fault === 'uncounted') {
    const text =
      'What you use of your storage is being counted anew; the figure shown here may be wrong until then. Nothing is lost, and there is nothing you have to do.';
    return { about, level: 'info', text };
  }
  if (service === 'waiting') {
    const text =
      'A disk under your storage has stopped answering, so your sites and files wait. The platform is taking it out of use; nothing is lost.';
    return { about, level: 'warning', text };
  }
  const text =
    'A disk under your storage is being replaced. Your files and sites go on as usual, and there is nothing you have to do.';
  return { about, level: 'info', text };
}

function memberNotices(
  context: ControlContext,
  account: AccountRow,
  sites: Member['sites'],
  disk: Member['disk'],
): Notice[] {
  const notices: Notice[] = [];
  if (account.state === 'creating') {
    notices.push({ level: 'warning', text: 'Your home is being made. This page changes by itself when it is there.' });
  }
  const volume = account.volume === null ? undefined : context.world.volumes.get(account.volume);
  // Told already, with what is known of it.
  const inTrouble = context.incidents.open().some((incident) => incident.volume === account.volume);
  if (!inTouch(context)) {
    notices.push({
      level: 'problem',
      text: 'The host of your programs does not answer right now. Your sites go on; changes take effect later.',
    });
  } else if (volume && notLookedAt(volume)) {
    notices.push({
      level: 'warning',
      about: 'storage',
      text: 'The host of your programs has just started and is coming to your storage. Nothing is lost.',
    });
  } else if (volume && volume.state !== 'open' && !inTrouble) {
    notices.push({
      level: 'problem',
      about: 'storage',
      text: 'Your storage is being repaired. Nothing is lost; files and sites come back by themselves.',
    });
  } else if (disk === null && account.state === 'ready' && !inTrouble) {
    notices.push({ level: 'warning', text: 'Your storage answers slowly at the moment.' });
  }
  if (disk && disk.usedBytes >= disk.limitBytes * NEARLY_FULL) {
    notices.push({
      level: 'warning',
      text: 'Your disk is nearly full. Delete files you no longer need on the Files page: once it is full, files cannot be made shorter either, only deleted.',
    });
  }
  for (const site of sites) {
    if (site.status?.state === 'failed') {
      const why = site.status.failure?.message ?? 'Its error log says why.';
      notices.push({ level: 'problem', text: `${site.domain} did not start: ${why}` });
    }
  }
  return notices;
}

/** Whether what is known of sites and storage is how it is now. */
function inTouch({ agent, world }: ControlContext): boolean {
  return agent.reachable() && world.agentSilentSince === null;
}

/** "14:02:11 UTC" */
function clockOf(iso: string): string {
  return `${iso.slice(11, 19)} UTC`;
}

/** What the operator sees first. */
export async function platformDashboard(context: ControlContext): Promise<Platform> {
  const { world, agent, database } = context;
  const [accounts, sites, occupancy, closed] = await Promise.all([
    countAccounts(database),
    listSitePlaces(database),
    volumeOccupancy(database),
    readClosedVolumes(database),
  ]);
  const volumes = [...world.volumes.values()]
    .sort((a, b) => a.name.localeCompare(b.name))
    .map((volume) => volumeView(volume, occupancy));
  // What its processes do is nothing to the visitors of a site whose storage is out of service.
  const out = (volume: string | null): boolean => volume !== null && world.serviceOf(volume) === 'stopped';
  const states = sites.map(({ id, volume }) => {
    const state = world.statuses.get(id)?.state;
    return out(volume) && state !== 'disabled' ? 'stopped' : state;
  });
  const isWantedOpen = ({ name, wantedOpen }: VolumeView): boolean =>
    wantedOpen !== false && !closed.has(name) && !world.closing.has(name);
  const notices: Platform['notices'] = [];
  if (agent.reachable() && !inTouch(context))
    notices.push({
      level: 'warning',
      text: `The agent has been started again and is taking up the gateway, the volumes and the sites; what is shown of them is as of ${clockOf(world.agentSilentSince ?? '')}. Sites that are awake do not need it.`,
    });
  else if (!agent.reachable())
    notices.push({
      level: 'problem',
      text: `The agent has not been heard since ${clockOf(world.agentSilentSince ?? context.now().toISOString())}. The supervisor starts it again; if this stays, look at its log. Sites that are awake do not need it.`,
    });
  else if (world.host && !world.host.gatewayReady)
    notices.push({ level: 'problem', text: 'The gateway does not answer, so no site can be reached.' });
  const unwatched = context.supervisor.view().silentSince;
  if (unwatched !== null)
    notices.push({
      level: 'problem',
      text: `The supervisor (holdfast start) has not been heard since ${clockOf(unwatched)}: what ends or hangs now is not started again. Sites do not need it. Start it again; if it still runs, end it first.`,
    });
  // What has an incident is told by it, once: the pages show open incidents on every page.
  const told = new Set(context.incidents.open().map((incident) => incident.volume));
  for (const incident of context.incidents.open()) {
    const level = incident.severity === 'minor' && incident.mustAct === null ? 'warning' : 'problem';
    const act = incident.mustAct ?? 'You do not have to do anything.';
    notices.push({
      about: 'incident',
      level,
      text: `Incident ${incident.id}, ${incident.title}: ${incident.doing} ${act}`,
    });
  }
  for (const volume of volumes) {
    if (told.has(volume.name)) continue;
    if (volume.trouble !== null) notices.push({ level: 'problem', text: `Volume ${volume.name}: ${volume.trouble}` });
    else if (notLookedAt(volume))
      notices.push({
        level: 'warning',
        text: `The agent has just started and has not come to volume ${volume.name} yet.`,
      });
    else if (volume.state === 'closed' && isWantedOpen(volume))
      notices.push({ level: 'warning', text: `Volume ${volume.name} is not open yet.` });
    if (volume.redundancy !== 'full' && volume.state !== 'closed')
      notices.push({
        level: volume.redundancy === 'lost' ? 'problem' : 'warning',
        text: `Volume ${volume.name}: redundancy is ${volume.redundancy}.`,
      });
  }
  const { members, unfinished } = accounts;
  if (unfinished > 0)
    notices.push({ level: 'info', text: `${count(unfinished, 'account is', 'accounts are')} being made or removed.` });
  return {
    accounts: members,
    sites: sites.length,
    sitesAwake: states.filter((state) => state === 'awake' || state === 'reloading').length,
    sitesStopped: states.filter((state) => state === 'stopped').length,
    sitesFailed: states.filter((state) => state === 'failed').length,
    volumes,
    operations: [...world.operations.values()].filter((operation) => operation.state === 'running'),
    agentReachable: inTouch(context),
    notices,
  };
}
