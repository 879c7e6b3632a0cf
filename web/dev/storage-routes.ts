import { z } from 'zod';
import { DRILLS } from '../../src/model/drills.ts';
import { drillRunSchema, drillRunSummarySchema, drillSchema } from '../../src/protocol/drills.ts';
import { hostHealthSchema, repairPlanSchema } from '../../src/protocol/health.ts';
import { incidentSchema, incidentSummarySchema, notificationSettingsSchema } from '../../src/protocol/incidents.ts';
import { type Operation, operationSchema } from '../../src/protocol/volumes.ts';
import type { World } from './scenarios.ts';
import { drillRun } from './storage-scenarios.ts';

/** The part of the stand-in that speaks of health, incidents, drills and notifications. */
interface Kit {
  world: () => World;
  emit: (event: string, data: unknown) => void;
  ok: <S extends z.ZodType>(schema: S, value: z.input<S>, status?: number) => { status: number; body?: unknown };
  find: <T>(list: readonly T[], matches: (item: T) => boolean) => T;
  fail: (code: 'confirmation-needed' | 'conflict', message: string, field?: string) => never;
  startOperation: (kind: Operation['kind'], subject: string) => Operation;
}
interface Call {
  url: URL;
  parameters: readonly string[];
  body: () => Promise<unknown>;
}
type Answer = { status: number; body?: unknown };
type Route = readonly [method: string, pattern: RegExp, run: (call: Call) => Answer | Promise<Answer>];

function planFor(world: World, name: string): z.input<typeof repairPlanSchema> {
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

export function storageRoutes({ world, emit, ok, find, fail, startOperation }: Kit): Route[] {
  return [
    [
      'GET',
      /^health$/,
      () => {
        const { host } = world();
        return ok(z.object({ host: hostHealthSchema.nullable() }), {
          host: host === null ? null : { ...host, at: new Date().toISOString() },
        });
      },
    ],
    [
      'PUT',
      /^health\/reaction$/,
      async ({ body }) => {
        const { enabled } = z.object({ enabled: z.boolean() }).parse(await body());
        const { host } = world();
        if (host !== null) {
          host.reaction = enabled;
          emit('health', { host: { ...host, at: new Date().toISOString() } });
        }
        return ok(z.object({ enabled: z.boolean() }), { enabled });
      },
    ],
    [
      'GET',
      /^volumes\/([\w-]+)\/recovery$/,
      ({ parameters }) => ok(repairPlanSchema, planFor(world(), parameters[0] ?? '')),
    ],
    [
      'POST',
      /^volumes\/([\w-]+)\/recover$/,
      ({ parameters }) =>
        ok(
          z.object({ operation: operationSchema.nullable() }),
          { operation: startOperation('volume-recover', parameters[0] ?? '') },
          202,
        ),
    ],
    [
      'POST',
      /^volumes\/([\w-]+)\/replace-disk$/,
      async ({ parameters, body }) => {
        const name = parameters[0] ?? '';
        const input = z
          .object({ replica: z.string(), disk: z.string().optional(), dryRun: z.boolean().optional() })
          .parse(await body());
        if (input.dryRun !== true) return ok(operationSchema, startOperation('volume-replace-disk', name), 202);
        const disk = find(
          find(world().volumes, (each) => each.name === name).replicas,
          (each) => each.id === input.replica,
        );
        return ok(repairPlanSchema, {
          volume: name,
          summary: `${disk.disk} (${input.replica}) is replaced by ${input.disk ?? 'the spare disk /dev/sdx'}. The old disk stays in the mirror until the new copy is complete, so redundancy stays full.`,
          steps: [
            {
              name: 'Check the new disk',
              detail: `${input.disk ?? '/dev/sdx'} is empty and large enough`,
              needed: true,
            },
            { name: 'Copy what is used', detail: '249 GiB, about 10 minutes', needed: true },
            { name: 'Release the old disk', detail: `${disk.disk} can be pulled out then`, needed: true },
          ],
          problem: input.disk === '/dev/sda' ? '/dev/sda is the disk the host started from. Name an empty disk.' : null,
        });
      },
    ],
    [
      'GET',
      /^incidents$/,
      ({ url }) => {
        const state = url.searchParams.get('state');
        return ok(
          z.array(incidentSummarySchema),
          world().incidents.filter((each) => state === null || each.state === state),
        );
      },
    ],
    [
      'GET',
      /^incidents\/(\d+)$/,
      ({ parameters }) =>
        ok(
          incidentSchema,
          find(world().incidents, (each) => String(each.id) === parameters[0]),
        ),
    ],
    [
      'POST',
      /^incidents\/(\d+)\/notes$/,
      async ({ parameters, body }) => {
        const incident = find(world().incidents, (each) => String(each.id) === parameters[0]);
        const note = z.object({ text: z.string(), public: z.boolean() }).parse(await body());
        incident.notes = [...incident.notes, { ...note, at: new Date().toISOString(), by: 'operator' }];
        return ok(incidentSchema, incident);
      },
    ],
    [
      'GET',
      /^incidents\/(\d+)\/post-mortem$/,
      ({ parameters }) => {
        const incident = find(world().incidents, (each) => String(each.id) === parameters[0]);
        return {
          status: 200,
          body: Buffer.from(
            `# ${incident.title}\n\n${incident.timeline.map((line) => `- ${line.at} ${line.text}`).join('\n')}\n`,
          ),
        };
      },
    ],
    ['GET', /^notifications$/, () => ok(notificationSettingsSchema, world().notifications)],
    [
      'PUT',
      /^notifications$/,
      async ({ body }) => {
        const { webhook, email } = notificationSettingsSchema.parse(await body());
        world().notifications = {
          webhook: webhook === null ? null : { url: webhook.url },
          email: email === null ? null : { ...email, password: undefined },
        };
        return ok(notificationSettingsSchema, world().notifications);
      },
    ],
    [
      'POST',
      /^notifications\/test$/,
      () =>
        ok(z.object({ webhook: z.string().nullable(), email: z.string().nullable() }), {
          webhook: world().notifications.webhook === null ? null : 'delivered: the receiver answered 200 in 84 ms',
          email:
            world().notifications.email === null
              ? null
              : 'not delivered: smtp.example.org refused the user name or the password (535)',
        }),
    ],
    [
      'GET',
      /^drills$/,
      () =>
        ok(z.object({ drills: z.array(drillSchema), runs: z.array(drillRunSummarySchema) }), {
          drills: [...DRILLS],
          runs: world().runs.map((run) => drillRunSummarySchema.parse(run)),
        }),
    ],
    [
      'POST',
      /^drills$/,
      async ({ body }) => {
        const input = z
          .object({
            drill: z.string(),
            where: z.enum(['scratch', 'here']),
            reaction: z.boolean(),
            confirm: z.string().optional(),
          })
          .parse(await body());
        if (input.where === 'here' && input.confirm !== input.drill)
          fail('confirmation-needed', 'Type the name of the drill to run it on this platform.', 'confirm');
        if (world().runs.some((each) => each.finishedAt === null))
          fail('conflict', 'A drill is running already. Stop it first, or wait for its end.');
        const drill = find(DRILLS, (each) => each.name === input.drill);
        const run = {
          ...drillRun('running', -4),
          id: `${drill.name}-new`,
          drill: drill.name,
          title: drill.title,
          where: input.where,
          reaction: input.reaction,
        };
        world().runs = [run, ...world().runs];
        world().drillSecond = -4;
        return ok(drillRunSummarySchema, drillRunSummarySchema.parse(run), 202);
      },
    ],
    [
      'GET',
      /^drills\/([\w-]+)$/,
      ({ parameters }) =>
        ok(
          drillRunSchema,
          find(world().runs, (each) => each.id === parameters[0]),
        ),
    ],
    [
      'DELETE',
      /^drills\/([\w-]+)$/,
      ({ parameters }) => {
        world().runs = world().runs.map((each) =>
          each.id === parameters[0]
            ? { ...each, state: 'aborted', step: 'Stopped by the operator.', finishedAt: new Date().toISOString() }
            : each,
        );
        emit(
          'drill',
          find(world().runs, (each) => each.id === parameters[0]),
        );
        return { status: 204 };
      },
    ],
  ];
}

/** The host as it was `seconds` ago (0: now), with figures that move a little, the same way at every run. */
export function healthAt(world: World, seconds: number): unknown {
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
