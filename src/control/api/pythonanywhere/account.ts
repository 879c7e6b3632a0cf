import { z } from 'zod';
import type { ControlContext } from '../../context.ts';
import { availablePythons, checkPython, matchPython } from '../../sites/site-rules.ts';
import { findAccountById, findPlan, updateAccount } from '../../store/accounts.ts';
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

/** 2025-08-09T03:26:37: when the day's CPU seconds begin anew, midnight UTC. */
function nextMidnight(now: Date): string {
  const next = new Date(now);
  next.setUTCHours(24, 0, 0, 0);
  return next.toISOString().slice(0, 19);
}

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
      return {
        daily_cpu_limit_seconds: limits?.cpuSecondsPerDay ?? 0,
        next_reset_time: nextMidnight(context.now()),
        // Sites do not count, and there are no consoles or tasks yet that would.
        daily_cpu_total_usage_seconds: 0,
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
