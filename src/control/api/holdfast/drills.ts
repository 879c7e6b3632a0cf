import type { FastifyInstance } from 'fastify';
import { DRILLS } from '../../../model/drills.ts';
import { HoldfastError } from '../../../protocol/errors.ts';
import type { ControlContext } from '../../context.ts';
import { audit } from '../../platform/audit.ts';
import { actorOf } from '../identity.ts';
import { serve } from './serve.ts';

/** The drills there are, their runs, and what the runners report. */
export function registerDrills(server: FastifyInstance, context: ControlContext): void {
  const { drills } = context;

  serve<'drills'>(server, {
    'drills.list': async () => ({ drills: [...DRILLS], runs: await drills.list() }),

    'drills.start': async ({ body, request }) => {
      const { drill, where, reaction, confirm } = body;
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
      return run;
    },

    'drills.get': async ({ params }) => await drills.get(params.id),

    'drills.report': async ({ params, body }) => {
      if (body.id !== params.id) {
        throw new HoldfastError('input-invalid', 'The run has another id than the address.', { field: 'id' });
      }
      await drills.put(body);
    },

    'drills.stop': async ({ params, request }) => {
      const run = await drills.stop(params.id);
      await audit(context, actorOf(request), 'drill.stop', run.drill, 'ok', run.id);
    },
  });
}
