import { z } from 'zod';
import { DRILLS } from '../../../model/drills.ts';
import { drillRunSchema, drillRunSummarySchema, drillSchema } from '../../../protocol/drills.ts';
import { HoldfastError } from '../../../protocol/errors.ts';
import type { ControlContext } from '../../context.ts';
import { audit } from '../../platform/audit.ts';
import { actorOf, requireOperator } from '../identity.ts';
import type { ZodServer } from '../zod-server.ts';

const byId = z.object({ id: drillRunSchema.shape.id });
/** A whole run with its charts. */
const RUN_LIMIT_BYTES = 4 * 1024 * 1024;

/** The drills there are, their runs, and what the runners report. */
export function registerDrills(server: ZodServer, context: ControlContext): void {
  const { drills } = context;

  server.get(
    '/api/holdfast/drills',
    {
      schema: {
        response: { 200: z.object({ drills: z.array(drillSchema), runs: z.array(drillRunSummarySchema) }) },
      },
    },
    async (request) => {
      requireOperator(request);
      return { drills: [...DRILLS], runs: await drills.list() };
    },
  );

  server.post(
    '/api/holdfast/drills',
    {
      schema: {
        body: z.object({
          drill: z.string(),
          where: z.enum(['scratch', 'here']).default('scratch'),
          reaction: z.boolean().default(true),
          confirm: z.string().optional(),
        }),
        response: { 202: drillRunSummarySchema },
      },
    },
    async (request, reply) => {
      requireOperator(request);
      const { drill, where, reaction, confirm } = request.body;
      if (where === 'here' && confirm !== drill) {
        throw new HoldfastError(
          'confirmation-needed',
          `This causes a real fault on the running platform. Confirm it by giving the drill's name: ${drill}`,
          { field: 'confirm' },
        );
      }
      const run = await drills.start({ drill, where, reaction });
      const detail = `${where}, reaction ${reaction ? 'on' : 'off'}, run ${run.id}`;
      await audit(context, actorOf(request), 'drill.start', drill, 'ok', detail);
      return reply.code(202).send(run);
    },
  );

  server.get(
    '/api/holdfast/drills/:id',
    { schema: { params: byId, response: { 200: drillRunSchema } } },
    async (request) => {
      requireOperator(request);
      return await drills.get(request.params.id);
    },
  );

  server.put(
    '/api/holdfast/drills/:id',
    { bodyLimit: RUN_LIMIT_BYTES, schema: { params: byId, body: drillRunSchema, response: { 204: z.null() } } },
    async (request, reply) => {
      requireOperator(request);
      if (request.identity.kind !== 'command-line') {
        throw new HoldfastError('forbidden', 'Only the runner of a drill on the host may say how it goes.');
      }
      if (request.body.id !== request.params.id) {
        throw new HoldfastError('input-invalid', 'The run has another id than the address.', { field: 'id' });
      }
      await drills.put(request.body);
      return reply.code(204).send(null);
    },
  );

  server.delete(
    '/api/holdfast/drills/:id',
    { schema: { params: byId, response: { 204: z.null() } } },
    async (request, reply) => {
      requireOperator(request);
      const run = await drills.stop(request.params.id);
      await audit(context, actorOf(request), 'drill.stop', run.drill, 'ok', run.id);
      return reply.code(204).send(null);
    },
  );
}
