import { z } from 'zod';
import { allowanceDay } from '../../../model/tasks.ts';
import type { ControlContext } from '../../context.ts';
import { availablePythons, checkPython, matchPython } from '../../sites/site-rules.ts';
import { findAccountById, findPlan, updateAccount } from '../../store/accounts.ts';
import { growTasksRevision } from '../../store/tasks.ts';
import type { AccountTable } from '../../store/tables.ts';
import type { ZodServer } from '../zod-server.ts';
import { ApiAnswer, notFound } from './errors.ts';
import { ofUser, text } from './fields.ts';

/** There is one system image: the host's own system. */
const SYSTEM_IMAGE = 'holdfast';

type Preference = 'default_python' | 'default_python3' | 'default_save_and_run';

const PREFERENCES: readonly { name: string; available: string; column: Preference & keyof AccountTable }[] = [
  { name: 'default_python_version', available: 'available_python_versions', column: 'default_python' },
  { name: 'default_python3_version', available: 'available_python3_versions', column: 'default_python3' },
  {
    name: 'default_save_and_run_python_version',
    available: 'available_python_versions',
    column: 'default_save_and_run',
  },
];

/** cpu, the default Pythons and the system image. */
export function registerAccountEndpoints(server: ZodServer, context: ControlContext): void {
  const base = '/api/v0/user/:username';

  server.get(
    `${base}/cpu/`,
    {
      schema: {
        params: ofUser,
        response: {
          200: z.object({
            daily_cpu_limit_seconds: z.number(),
            next_reset_time: z.string(),
            daily_cpu_total_usage_seconds: z.number(),
          }),
        },
      },
    },
    async (request) => {
      const limits = await findPlan(context.database, request.owner.plan);
      const [use] = await context.agent.call('cpu.use', { account: request.owner.name });
      const { end } = allowanceDay(request.owner.uid ?? 0, context.now().getTime());
      return {
        daily_cpu_limit_seconds: limits?.cpuSecondsPerDay ?? 0,
        // 2025-08-09T03:26:37, in UTC
        next_reset_time: (use?.resetAt ?? new Date(end).toISOString()).slice(0, 19),
        daily_cpu_total_usage_seconds: Math.round((use?.usedSeconds ?? 0) * 100) / 100,
      };
    },
  );

  for (const { name, available, column } of PREFERENCES) {
    const view = (chosen: string | null): Record<string, string | string[]> => {
      const versions = availablePythons(context).map((python) => python.version);
      // What was chosen may have been removed from the host since.
      const valid = chosen !== null && versions.includes(chosen) ? chosen : checkPython(context, undefined);
      return { [name]: valid, [available]: versions };
    };
    server.get(`${base}/${name}/`, { schema: { params: ofUser } }, (request) => view(request.owner[column]));
    for (const method of ['PATCH', 'PUT'] as const) {
      server.route({
        method,
        url: `${base}/${name}/`,
        schema: { params: ofUser, body: z.looseObject({ [name]: text.nullable() }) },
        handler: async (request) => {
          const asked = request.body[name] as string | null;
          if (asked === null) return view(request.owner[column]);
          const version = matchPython(asked, availablePythons(context));
          if (version === undefined) throw new ApiAnswer(400, { [name]: [`"${asked}" is not a valid choice.`] });
          await updateAccount(context.database, request.owner.id, { [column]: version });
          // Tasks that are only the path of a script run with it from now on.
          if (column === 'default_python') {
            await growTasksRevision(context.database, request.owner.id);
            context.desired.tasksSoon(request.owner.name);
          }
          const account = await findAccountById(context.database, request.owner.id);
          if (!account) throw notFound();
          return view(account[column]);
        },
      });
    }
  }

  const image = { system_image: SYSTEM_IMAGE, available_system_images: [SYSTEM_IMAGE] };
  server.get(`${base}/system_image/`, { schema: { params: ofUser } }, () => image);
  for (const method of ['PATCH', 'PUT'] as const) {
    server.route({
      method,
      url: `${base}/system_image/`,
      schema: { params: ofUser, body: z.looseObject({ system_image: text.nullable() }) },
      handler: (request) => {
        if (request.body.system_image !== null && request.body.system_image !== SYSTEM_IMAGE) {
          throw new ApiAnswer(400, { system_image: [`"${request.body.system_image}" is not a valid choice.`] });
        }
        return image;
      },
    });
  }
}
