import { DRILLS } from '../../src/model/drills.ts';
import type { ApiEvents } from '../../src/protocol/api/events.ts';
import { drillRunSummarySchema } from '../../src/protocol/drills.ts';
import { hostHealthSchema, type RepairPlan } from '../../src/protocol/health.ts';
import { fail, find, type Kit, startOperation } from './kit.ts';
import type { World } from './scenarios.ts';
import { drillRun } from './storage-scenarios.ts';
import type { Handlers, StreamHandlers } from './table-router.ts';

function planFor(world: World, name: string): RepairPlan {
  const volume = world.volumes.find((each) => each.name === name);
  const broken = volume?.replicas.find(
    (each) => each.state === 'failed' || each.state === 'missing' || each.state === 'set-aside',
  );
  if (volume === undefined || (broken === undefined && volume.state === 'open'))
    return {
      volume: name,
      summary: `Nothing has to be done: both copies of ${name} are complete.`,
      steps: [],
      problem: null,
    };
  return {
    volume: name,
    summary: `${broken?.id ?? 'A disk'} of ${name} is out; a new copy is going to be made from ${volume.replicas[0]?.id ?? 'the other'} while ${name} serves.`,
    steps: [
      { name: 'Cut the disk out of the mirror', detail: 'Done already.', needed: false },
      { name: 'Take in a spare disk', detail: '/dev/sdx, 400 GiB, empty', needed: true },
      { name: 'Copy what is used', detail: '249 GiB, about 10 minutes at 412 MiB/s', needed: true },
      { name: 'Check both copies', detail: 'Reads everything once; about 9 minutes', needed: true },
    ],
    problem: null,
  };
}

/** The part of the stand-in that speaks of health, incidents, drills and notifications. */
export function storageRoutes(kit: Kit): Handlers {
  const { world, emit } = kit;
  return {
    'health.get': () => {
      const { host } = world();
      return { host: host === null ? null : { ...host, at: new Date().toISOString() } };
    },
    'health.setReaction': ({ body: { enabled } }) => {
      const { host } = world();
      if (host !== null) {
        host.reaction = enabled;
        emit({ event: 'health', data: { host: { ...host, at: new Date().toISOString() } } });
      }
      return { enabled };
    },

    'volumes.planRecovery': ({ params }) => planFor(world(), params.name),
    'volumes.recover': ({ params }) => ({ operation: startOperation(kit, 'volume-recover', params.name) }),
    'volumes.replaceDisk': ({ params: { name }, body }) => {
      if (!body.dryRun) return { status: 202, body: startOperation(kit, 'volume-replace-disk', name) };
      const disk = find(
        find(world().volumes, (each) => each.name === name).replicas,
        (each) => each.id === body.replica,
      );
      return {
        status: 200,
        body: {
          volume: name,
          summary: `${disk.disk} (${body.replica}) is replaced by ${body.disk ?? 'the spare disk /dev/sdx'}. The old disk stays in the mirror until the new copy is complete, so redundancy stays full.`,
          steps: [
            {
              name: 'Check the new disk',
              detail: `${body.disk ?? '/dev/sdx'} is empty and large enough`,
              needed: true,
            },
            { name: 'Copy what is used', detail: '249 GiB, about 10 minutes', needed: true },
            { name: 'Release the old disk', detail: `${disk.disk} can be pulled out then`, needed: true },
          ],
          problem: body.disk === '/dev/sda' ? '/dev/sda is the disk the host started from. Name an empty disk.' : null,
        },
      };
    },

    'incidents.list': ({ query: { state } }) =>
      world().incidents.filter((each) => state === undefined || each.state === state),
    'incidents.get': ({ params }) => find(world().incidents, (each) => each.id === params.id),
    'incidents.note': ({ params, body }) => {
      const incident = find(world().incidents, (each) => each.id === params.id);
      incident.notes = [...incident.notes, { ...body, at: new Date().toISOString(), by: 'operator' }];
      return incident;
    },

    'notifications.get': () => world().notifications,
    'notifications.change': ({ body: { webhook, email } }) => {
      world().notifications = {
        webhook: webhook === null ? null : { url: webhook.url },
        email: email === null ? null : { ...email, password: undefined },
      };
      return world().notifications;
    },
    'notifications.test': () => ({
      webhook: world().notifications.webhook === null ? null : 'delivered: the receiver answered 200 in 84 ms',
      email:
        world().notifications.email === null
          ? null
          : 'not delivered: smtp.example.org refused the user name or the password (535)',
    }),

    'drills.list': () => ({
      drills: [...DRILLS],
      runs: world().runs.map((run) => drillRunSummarySchema.parse(run)),
    }),
    'drills.start': ({ body }) => {
      if (body.where === 'here' && body.confirm !== body.drill)
        fail('confirmation-needed', 'Type the name of the drill to run it on this platform.', 'confirm');
      if (world().runs.some((each) => each.finishedAt === null))
        fail('conflict', 'A drill is running already. Stop it first, or wait for its end.');
      const drill = find(DRILLS, (each) => each.name === body.drill);
      const run = {
        ...drillRun('running', -4),
        id: `${drill.name}-new`,
        drill: drill.name,
        title: drill.title,
        where: body.where,
        reaction: body.reaction,
      };
      world().runs = [run, ...world().runs];
      world().drillSecond = -4;
      return drillRunSummarySchema.parse(run);
    },
    'drills.get': ({ params }) => find(world().runs, (each) => each.id === params.id),
    'drills.stop': ({ params }) => {
      world().runs = world().runs.map((each) =>
        each.id === params.id
          ? { ...each, state: 'aborted', step: 'Stopped by the operator.', finishedAt: new Date().toISOString() }
          : each,
      );
      emit({ event: 'drill', data: find(world().runs, (each) => each.id === params.id) });
    },
  };
}

export function storageStreams({ world }: Kit): StreamHandlers {
  return {
    'incidents.postMortem': ({ params }, { response }) => {
      const incident = find(world().incidents, (each) => each.id === params.id);
      const lines = incident.timeline.map((line) => `- ${line.at} ${line.text}`);
      response
        .writeHead(200, { 'content-type': 'text/markdown; charset=utf-8' })
        .end(`# ${incident.title}\n\n${lines.join('\n')}\n`);
    },
  };
}

/** The host as it was `seconds` ago (0: now), with figures that move a little, the same way at every run. */
export function healthAt(world: World, seconds: number): ApiEvents['health'] {
  const { host } = world;
  if (host === null) return { host: null };
  const at = Date.now() - seconds * 1000;
  const disks = host.disks.map((disk, index) => {
    const wave = 1 + Math.sin(index * 2.3 + at / 7000) * 0.25 + Math.sin(index + at / 1900) * 0.18;
    // Before a trouble began, its disk was as the others.
    const since = disk.stalledMs / 1000;
    const well = disk.condition === 'healthy' || disk.condition === 'unknown' || seconds > since + 0.01;
    if (well && disk.condition === 'hung')
      return {
        ...disk,
        condition: 'healthy',
        inFlight: index % 3,
        stalledMs: 0,
        latencyMs: 1.4 * wave,
        readBytesPerSecond: 900_000 * wave,
      };
    return {
      ...disk,
      inFlight: disk.condition === 'hung' ? disk.inFlight : Math.max(0, Math.round(disk.inFlight * wave)),
      latencyMs: disk.latencyMs === null ? null : disk.latencyMs * wave,
      readsPerSecond: disk.readsPerSecond * wave,
      writesPerSecond: disk.writesPerSecond * wave,
      readBytesPerSecond: disk.readBytesPerSecond * wave,
      writtenBytesPerSecond: disk.writtenBytesPerSecond * wave,
    };
  });
  return { host: hostHealthSchema.parse({ ...host, at: new Date(at).toISOString(), disks }) };
}
