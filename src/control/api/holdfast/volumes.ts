import { z } from 'zod';
import { count } from '../../../model/words.ts';
import { volumeViewSchema } from '../../../protocol/browser.ts';
import { HoldfastError } from '../../../protocol/errors.ts';
import { operationSchema, volumeNameSchema, type Operation, type VolumeStatus } from '../../../protocol/volumes.ts';
import type { ControlContext } from '../../context.ts';
import { audit } from '../../platform/audit.ts';
import { volumeView } from '../../platform/volume-view.ts';
import { volumeOccupancy } from '../../store/accounts.ts';
import { readClosedVolumes, writeClosedVolumes } from '../../store/settings.ts';
import { actorOf, requireOperator } from '../identity.ts';
import type { ZodServer } from '../zod-server.ts';

const byName = z.object({ name: volumeNameSchema });
const action = z.enum(['open', 'close', 'scrub', 'add-replica', 'set-aside', 'grow']);
const actionBody = z
  .object({
    disk: z.string().optional(),
    replica: z.string().optional(),
    imageBytes: z.number().int().positive().optional(),
  })
  .nullish();

export function registerVolumes(server: ZodServer, context: ControlContext): void {
  const { agent, world, database } = context;

  server.get('/api/holdfast/volumes', { schema: { response: { 200: z.array(volumeViewSchema) } } }, async (request) => {
    requireOperator(request);
    const occupancy = await volumeOccupancy(database);
    return [...world.volumes.values()]
      .sort((a, b) => a.name.localeCompare(b.name))
      .map((volume) => volumeView(volume, occupancy));
  });

  server.post(
    '/api/holdfast/volumes',
    {
      schema: {
        body: z.object({
          name: volumeNameSchema,
          disks: z.array(z.string().startsWith('/')).max(16).default([]),
          imageBytes: z.number().int().positive().optional(),
        }),
        response: { 202: operationSchema },
      },
    },
    async (request, reply) => {
      requireOperator(request);
      const { name, disks, imageBytes } = request.body;
      const operation = await agent.call('volumes.create', {
        name,
        disks,
        ...(imageBytes === undefined ? {} : { imageBytes }),
      });
      world.apply({ type: 'operation', operation });
      await audit(context, actorOf(request), 'volume.create', name, 'ok', disks.join(' '));
      return reply.code(202).send(operation);
    },
  );

  server.post(
    '/api/holdfast/volumes/:name/:action',
    {
      schema: {
        params: byName.extend({ action }),
        body: actionBody,
        response: { 200: z.union([volumeViewSchema, operationSchema]) },
      },
    },
    async (request) => {
      requireOperator(request);
      const { name } = request.params;
      const result = await act(name, request.params.action, request.body ?? {});
      await audit(context, actorOf(request), `volume.${request.params.action}`, name);
      if ('engine' in result) {
        world.apply({ type: 'volume', volume: result });
        return volumeView(result, await volumeOccupancy(database));
      }
      world.apply({ type: 'operation', operation: result });
      return result;
    },
  );

  async function act(
    name: string,
    what: z.infer<typeof action>,
    body: NonNullable<z.infer<typeof actionBody>>,
  ): Promise<VolumeStatus | Operation> {
    const actions: Record<z.infer<typeof action>, () => Promise<VolumeStatus | Operation>> = {
      open: async () => {
        await rememberClosed(name, false);
        return await agent.call('volumes.open', { name });
      },
      close: async () => {
        // Only what was done is remembered: a close that is refused leaves the volume open.
        // The agent says that it is closed before it says that it is meant to be: nobody is warned in between.
        world.closing.add(name);
        try {
          const status = await agent.call('volumes.close', { name });
          await rememberClosed(name, true);
          return status;
        } finally {
          world.closing.delete(name);
        }
      },
      scrub: () => agent.call('volumes.scrub', { name }),
      'add-replica': () =>
        agent.call('volumes.addReplica', { name, ...(body.disk === undefined ? {} : { disk: body.disk }) }),
      'set-aside': () => {
        if (body.replica === undefined) {
          throw new HoldfastError('input-invalid', 'Say which replica is to be set aside.', { field: 'replica' });
        }
        return agent.call('volumes.setAside', { name, replica: body.replica });
      },
      grow: () =>
        agent.call('volumes.grow', { name, ...(body.imageBytes === undefined ? {} : { imageBytes: body.imageBytes }) }),
    };
    return await actions[what]();
  }

  async function rememberClosed(name: string, closed: boolean): Promise<void> {
    const names = await readClosedVolumes(database);
    if (closed) names.add(name);
    else names.delete(name);
    await writeClosedVolumes(database, names);
  }

  server.delete(
    '/api/holdfast/volumes/:name',
    {
      schema: {
        params: byName,
        querystring: z.object({ confirm: z.string().optional() }),
        response: { 202: operationSchema },
      },
    },
    async (request, reply) => {
      requireOperator(request);
      const { name } = request.params;
      const living = (await volumeOccupancy(database)).get(name)?.accounts ?? 0;
      if (living > 0) {
        throw new HoldfastError(
          'volume-in-use',
          `${count(living, 'account lives', 'accounts live')} on "${name}". Delete or move ${living === 1 ? 'it' : 'them'} first.`,
        );
      }
      if (request.query.confirm !== name) {
        throw new HoldfastError(
          'confirmation-needed',
          `Deleting "${name}" destroys what is on it. Confirm it by giving the name again.`,
          { field: 'confirm' },
        );
      }
      const operation = await agent.call('volumes.delete', { name });
      await audit(context, actorOf(request), 'volume.delete', name);
      world.apply({ type: 'operation', operation });
      return reply.code(202).send(operation);
    },
  );

  server.get('/api/holdfast/operations', { schema: { response: { 200: z.array(operationSchema) } } }, (request) => {
    requireOperator(request);
    return [...world.operations.values()].sort((a, b) => b.startedAt.localeCompare(a.startedAt));
  });
}
