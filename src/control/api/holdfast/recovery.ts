import { z } from 'zod';
import { faultNameSchema } from '../../../protocol/drills.ts';
import { repairPlanSchema } from '../../../protocol/health.ts';
import { operationSchema, volumeNameSchema } from '../../../protocol/volumes.ts';
import type { Actor, ControlContext } from '../../context.ts';
import { audit } from '../../platform/audit.ts';
import { actorOf, requireOperator } from '../identity.ts';
import type { ZodServer } from '../zod-server.ts';

const byName = z.object({ name: volumeNameSchema });
const replicaName = z.string().min(1).max(100);

/** Runbooks of a volume and faults on it. What a runbook does is the host's to know; here it is asked for and written down. */
export function registerRecovery(server: ZodServer, context: ControlContext): void {
  const { agent, world } = context;

  /** Writes down also what was tried and failed: who pulled which lever matters then most of all. */
  async function recorded<T>(
    actor: Actor,
    action: string,
    subject: string,
    detail: string,
    act: () => Promise<T>,
  ): Promise<T> {
    try {
      const result = await act();
      await audit(context, actor, action, subject, 'ok', detail);
      return result;
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      await audit(context, actor, action, subject, 'failed', [detail, why].filter(Boolean).join(': '));
      throw error;
    }
  }

  server.get(
    '/api/holdfast/volumes/:name/recovery',
    { schema: { params: byName, response: { 200: repairPlanSchema } } },
    async (request) => {
      requireOperator(request);
      return await agent.call('volumes.planRecovery', { name: request.params.name });
    },
  );

  server.post(
    '/api/holdfast/volumes/:name/recover',
    { schema: { params: byName, response: { 202: z.object({ operation: operationSchema.nullable() }) } } },
    async (request, reply) => {
      requireOperator(request);
      const { name } = request.params;
      const answer = await recorded(actorOf(request), 'volume.recover', name, '', () =>
        agent.call('volumes.recover', { name }),
      );
      if (answer.operation) world.apply({ type: 'operation', operation: answer.operation });
      return reply.code(202).send(answer);
    },
  );

  server.post(
    '/api/holdfast/volumes/:name/replace-disk',
    {
      schema: {
        params: byName,
        body: z.object({
          replica: replicaName,
          disk: z.string().startsWith('/', 'The path of the new disk begins with a slash.').optional(),
          dryRun: z.boolean().default(false),
        }),
        response: { 200: repairPlanSchema, 202: operationSchema },
      },
    },
    async (request, reply) => {
      requireOperator(request);
      const { name } = request.params;
      const { replica, disk, dryRun } = request.body;
      const wanted = { name, replica, ...(disk === undefined ? {} : { disk }) };
      if (dryRun) return await reply.code(200).send(await agent.call('volumes.planReplaceDisk', wanted));
      const detail = `${replica}${disk === undefined ? '' : ` by ${disk}`}`;
      const operation = await recorded(actorOf(request), 'volume.replace-disk', name, detail, () =>
        agent.call('volumes.replaceDisk', wanted),
      );
      world.apply({ type: 'operation', operation });
      return await reply.code(202).send(operation);
    },
  );

  server.post(
    '/api/holdfast/volumes/:name/fault',
    {
      schema: {
        params: byName,
        body: z.object({ replica: replicaName, fault: faultNameSchema }),
        response: { 200: z.object({ active: faultNameSchema.nullable() }) },
      },
    },
    async (request) => {
      requireOperator(request);
      const { name } = request.params;
      const { replica, fault } = request.body;
      return await recorded(actorOf(request), 'volume.fault', name, `${replica}: ${fault}`, () =>
        agent.call('volumes.fault', { name, replica, fault }),
      );
    },
  );
}
