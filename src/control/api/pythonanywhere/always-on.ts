import { z } from 'zod';
import { alwaysOnLogName } from '../../../model/tasks.ts';
import type { AlwaysOnStatus } from '../../../protocol/tasks.ts';
import type { ControlContext } from '../../context.ts';
import { changeTask, makeTask, removeTask } from '../../tasks/change-task.ts';
import type { AccountRow } from '../../store/accounts.ts';
import { listTasks, type Task } from '../../store/tasks.ts';
import { actorOf } from '../identity.ts';
import type { ZodServer } from '../zod-server.ts';
import { ApiAnswer } from './errors.ts';
import { OK, ofUser, statusOk, text, yesNo } from './fields.ts';
import { taskByNumber } from './task-by-number.ts';

const withId = ofUser.extend({ id: z.string() });
const fields = z.looseObject({ command: text.nullish(), description: text.nullish(), enabled: yesNo.optional() });

const alwaysOnView = z.looseObject({
  id: z.number(),
  url: z.string(),
  user: z.string(),
  command: z.string(),
  description: z.string(),
  enabled: z.boolean(),
  logfile: z.string(),
  /** Null when the agent was not asked, or does not answer. */
  state: z.string().nullable(),
  can_enable: z.boolean(),
});

/** Some clients make addresses from `url`, so it ends with a slash. */
function view(account: AccountRow, task: Task, status: AlwaysOnStatus | undefined): z.input<typeof alwaysOnView> {
  const user = account.name;
  return {
    id: task.id,
    url: `/api/v0/user/${user}/always_on/${task.id}/`,
    user,
    command: task.command,
    description: task.description,
    enabled: task.enabled,
    logfile: `/user/${user}/files/var/log/${alwaysOnLogName(task.id)}`,
    state: status?.state ?? null,
    can_enable: !task.enabled,
  };
}

/** Always-on tasks, section 2.4 of PythonAnywhere's API. */
export function registerAlwaysOn(server: ZodServer, context: ControlContext): void {
  const base = '/api/v0/user/:username/always_on';
  const find = async (owner: AccountRow, id: string): Promise<Task> =>
    await taskByNumber(context, owner, 'always-on', id);
  /** What the agent says; a list without states is better than none. */
  const statuses = async (owner: AccountRow): Promise<Map<number, AlwaysOnStatus>> => {
    try {
      const { alwaysOn } = await context.agent.call('tasks.statuses', { account: owner.name });
      return new Map(alwaysOn.map((status) => [status.id, status]));
    } catch (error) {
      context.log.warn({ err: error, account: owner.name }, 'the states of always-on tasks are not known now');
      return new Map();
    }
  };
  const viewOf = async (owner: AccountRow, task: Task): Promise<z.input<typeof alwaysOnView>> =>
    view(owner, task, (await statuses(owner)).get(task.id));

  server.get(`${base}/`, { schema: { params: ofUser, response: { 200: z.array(alwaysOnView) } } }, async (request) => {
    const tasks = (await listTasks(context.database, request.owner.id)).filter((task) => task.kind === 'always-on');
    const known = tasks.length === 0 ? new Map<number, AlwaysOnStatus>() : await statuses(request.owner);
    return tasks.map((task) => view(request.owner, task, known.get(task.id)));
  });

  server.post(
    `${base}/`,
    { schema: { params: ofUser, body: fields, response: { 201: alwaysOnView } } },
    async (request, reply) => {
      const { body, owner } = request;
      if (typeof body.command !== 'string') throw new ApiAnswer(400, { command: ['This field is required.'] });
      if (body.command.trim() === '') throw new ApiAnswer(400, { command: ['This field may not be blank.'] });
      const task = await makeTask(context, actorOf(request), owner, {
        kind: 'always-on',
        command: body.command,
        description: body.description ?? '',
        enabled: body.enabled ?? true,
      });
      return reply.code(201).send(await viewOf(owner, task));
    },
  );

  server.get(`${base}/:id/`, { schema: { params: withId, response: { 200: alwaysOnView } } }, async (request) =>
    viewOf(request.owner, await find(request.owner, request.params.id)),
  );

  for (const method of ['PATCH', 'PUT'] as const) {
    server.route({
      method,
      url: `${base}/:id/`,
      schema: { params: withId, body: fields, response: { 200: alwaysOnView } },
      handler: async (request) => {
        const { body, owner } = request;
        const task = await find(owner, request.params.id);
        if (typeof body.command === 'string' && body.command.trim() === '')
          throw new ApiAnswer(400, { command: ['This field may not be blank.'] });
        const changed = await changeTask(context, actorOf(request), owner, task, {
          kind: 'always-on',
          command: body.command ?? task.command,
          description: body.description ?? task.description,
          enabled: body.enabled ?? task.enabled,
        });
        return await viewOf(owner, changed);
      },
    });
  }

  server.delete(`${base}/:id/`, { schema: { params: withId, response: { 204: z.null() } } }, async (request, reply) => {
    await removeTask(context, actorOf(request), request.owner, await find(request.owner, request.params.id), 'end');
    return reply.code(204).send(null);
  });

  server.post(`${base}/:id/restart/`, { schema: { params: withId, response: { 200: statusOk } } }, async (request) => {
    const task = await find(request.owner, request.params.id);
    await context.agent.call('always-on.restart', { account: request.owner.name, id: task.id });
    return OK;
  });
}
