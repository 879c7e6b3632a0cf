import { z } from 'zod';
import { taskLogName } from '../../../model/tasks.ts';
import type { ControlContext } from '../../context.ts';
import { changeTask, makeTask, removeTask } from '../../tasks/change-task.ts';
import type { AccountRow } from '../../store/accounts.ts';
import { listTasks, type ScheduledTask, type Task } from '../../store/tasks.ts';
import { actorOf } from '../identity.ts';
import type { ZodServer } from '../zod-server.ts';
import { ApiAnswer, notFound } from './errors.ts';
import { ofUser, text, wholeNumber, yesNo } from './fields.ts';
import { taskByNumber } from './task-by-number.ts';

const withId = ofUser.extend({ id: z.string() });

/** Fields as forms and JSON have them. `cron` and `zone` are our own: a task with them has the interval "cron". */
const fields = z.looseObject({
  command: text.nullish(),
  description: text.nullish(),
  enabled: yesNo.optional(),
  interval: text.nullish(),
  hour: wholeNumber(0, 23).nullish(),
  minute: wholeNumber(0, 59).nullish(),
  cron: text.nullish(),
  zone: text.nullish(),
  skip_late: yesNo.optional(),
  overlap: yesNo.optional(),
});
type Fields = z.output<typeof fields>;

const taskView = z.looseObject({
  id: z.number(),
  url: z.string(),
  user: z.string(),
  command: z.string(),
  description: z.string(),
  enabled: z.boolean(),
  interval: z.enum(['daily', 'hourly', 'cron']),
  hour: z.number().nullable(),
  minute: z.number().nullable(),
  cron: z.string().nullable(),
  zone: z.string().nullable(),
  printable_time: z.string(),
  logfile: z.string(),
  expiry: z.null(),
  extend_url: z.string(),
  can_enable: z.boolean(),
  skip_late: z.boolean(),
  overlap: z.boolean(),
});

const two = (value: number): string => String(value).padStart(2, '0');

function view(account: AccountRow, task: ScheduledTask): z.input<typeof taskView> {
  const { schedule } = task;
  const user = account.name;
  return {
    id: task.id,
    url: `/api/v0/user/${user}/schedule/${task.id}/`,
    user,
    command: task.command,
    description: task.description,
    enabled: task.enabled,
    interval: schedule.kind,
    hour: schedule.kind === 'daily' ? schedule.hour : null,
    minute: schedule.kind === 'cron' ? null : schedule.minute,
    cron: schedule.kind === 'cron' ? schedule.expression : null,
    zone: schedule.kind === 'cron' ? schedule.zone : null,
    printable_time:
      schedule.kind === 'daily'
        ? `${two(schedule.hour)}:${two(schedule.minute)}`
        : schedule.kind === 'hourly'
          ? `${two(schedule.minute)} minutes past`
          : `${schedule.expression} (${schedule.zone})`,
    logfile: `/user/${user}/files/var/log/${taskLogName(task.id, schedule, task.command)}`,
    expiry: null,
    extend_url: `/user/${user}/schedule/task/${task.id}/extend`,
    // Whether a switched off task may be switched on: there is no reason here why not.
    can_enable: !task.enabled,
    skip_late: task.skipLate,
    overlap: task.overlap,
  };
}

const REQUIRED = 'This field is required.';
const HOURLY_HAS_NO_HOUR = 'Hourly tasks must not have an hour.';

type Interval = ScheduledTask['schedule']['kind'];

/** Which kind of schedule a body asks for; undefined when neither it nor what is known says. */
function intervalOf(body: Fields, known: ScheduledTask['schedule'] | undefined): Interval | undefined {
  const interval = body.interval ?? (body.cron ? 'cron' : known?.kind);
  if (interval === undefined || interval === 'daily' || interval === 'hourly' || interval === 'cron') return interval;
  throw new ApiAnswer(400, { interval: [`"${interval}" is not a valid choice.`] });
}

function cronOf(body: Fields, known: ScheduledTask['schedule'] | undefined): ScheduledTask['schedule'] {
  const before = known?.kind === 'cron' ? known : undefined;
  const expression = body.cron ?? before?.expression;
  if (expression === undefined) throw new ApiAnswer(400, { cron: [REQUIRED] });
  return { kind: 'cron', expression: expression.trim(), zone: body.zone ?? before?.zone ?? 'UTC' };
}

/** The schedule that a body asks for, with what it does not name taken from `known`. Refusals are Django REST framework's. */
function scheduleOf(body: Fields, known: ScheduledTask['schedule'] | undefined): ScheduledTask['schedule'] {
  const interval = intervalOf(body, known);
  if (interval === 'cron') return cronOf(body, known);
  const before = known?.kind === 'cron' ? undefined : known;
  const minute = body.minute ?? before?.minute;
  const hour = body.hour ?? (before?.kind === 'daily' ? before.hour : undefined);
  const missing: Record<string, string[]> = {};
  if (interval === undefined) missing['interval'] = [REQUIRED];
  if (minute === undefined) missing['minute'] = [REQUIRED];
  if (interval === 'daily' && hour === undefined) missing['hour'] = [REQUIRED];
  if (Object.keys(missing).length > 0) throw new ApiAnswer(400, missing);
  if (interval === 'daily') return { kind: 'daily', hour: hour ?? 0, minute: minute ?? 0 };
  if (typeof body.hour === 'number') throw new ApiAnswer(400, { non_field_errors: [HOURLY_HAS_NO_HOUR] });
  return { kind: 'hourly', minute: minute ?? 0 };
}

function mustBeScheduled(task: Task): ScheduledTask {
  if (task.kind !== 'scheduled') throw notFound();
  return task;
}

/** Scheduled tasks, section 2.3 of PythonAnywhere's API, with cron lines as an extension. */
export function registerSchedule(server: ZodServer, context: ControlContext): void {
  const base = '/api/v0/user/:username/schedule';
  const find = async (owner: AccountRow, id: string): Promise<ScheduledTask> =>
    mustBeScheduled(await taskByNumber(context, owner, 'scheduled', id));

  server.get(`${base}/`, { schema: { params: ofUser, response: { 200: z.array(taskView) } } }, async (request) =>
    (await listTasks(context.database, request.owner.id)).flatMap((task) =>
      task.kind === 'scheduled' ? [view(request.owner, task)] : [],
    ),
  );

  server.post(
    `${base}/`,
    { schema: { params: ofUser, body: fields, response: { 201: taskView } } },
    async (request, reply) => {
      const { body, owner } = request;
      const missing: Record<string, string[]> = {};
      if (typeof body.command !== 'string') missing['command'] = [REQUIRED];
      else if (body.command.trim() === '') missing['command'] = ['This field may not be blank.'];
      if (body.interval === undefined && body.cron === undefined) missing['interval'] = [REQUIRED];
      if (body.minute === undefined && body.cron === undefined) missing['minute'] = [REQUIRED];
      if (Object.keys(missing).length > 0) throw new ApiAnswer(400, missing);
      const task = await makeTask(context, actorOf(request), owner, {
        kind: 'scheduled',
        command: body.command ?? '',
        description: body.description ?? '',
        enabled: body.enabled ?? true,
        schedule: scheduleOf(body, undefined),
        skipLate: body.skip_late ?? false,
        overlap: body.overlap ?? false,
      });
      return reply.code(201).send(view(owner, mustBeScheduled(task)));
    },
  );

  server.get(`${base}/:id/`, { schema: { params: withId, response: { 200: taskView } } }, async (request) =>
    view(request.owner, await find(request.owner, request.params.id)),
  );

  for (const method of ['PATCH', 'PUT'] as const) {
    server.route({
      method,
      url: `${base}/:id/`,
      schema: { params: withId, body: fields, response: { 200: taskView } },
      handler: async (request) => {
        const { body, owner } = request;
        const task = await find(owner, request.params.id);
        if (typeof body.command === 'string' && body.command.trim() === '')
          throw new ApiAnswer(400, { command: ['This field may not be blank.'] });
        const changed = await changeTask(context, actorOf(request), owner, task, {
          kind: 'scheduled',
          command: body.command ?? task.command,
          description: body.description ?? task.description,
          enabled: body.enabled ?? task.enabled,
          schedule: scheduleOf(body, task.schedule),
          skipLate: body.skip_late ?? task.skipLate,
          overlap: body.overlap ?? task.overlap,
        });
        return view(owner, mustBeScheduled(changed));
      },
    });
  }

  server.delete(`${base}/:id/`, { schema: { params: withId, response: { 204: z.null() } } }, async (request, reply) => {
    await removeTask(context, actorOf(request), request.owner, await find(request.owner, request.params.id), 'leave');
    return reply.code(204).send(null);
  });
}
