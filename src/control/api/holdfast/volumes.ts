import type { FastifyInstance } from 'fastify';
import { count } from '../../../model/words.ts';
import { HoldfastError } from '../../../protocol/errors.ts';
import type { Operation, VolumeStatus } from '../../../protocol/volumes.ts';
import type { ControlContext } from '../../context.ts';
import { audit } from '../../platform/audit.ts';
import { volumeView } from '../../platform/volume-view.ts';
import { volumeOccupancy } from '../../store/accounts.ts';
import { readClosedVolumes, writeClosedVolumes } from '../../store/settings.ts';
import { actorOf } from '../identity.ts';
import { recoveryHandlers } from './recovery.ts';
import { serve, type Asked } from './serve.ts';

type Action = Asked<'volumes.act'>['params']['action'];
type ActionBody = NonNullable<Asked<'volumes.act'>['body']>;

export function registerVolumes(server: FastifyInstance, context: ControlContext): void {
  const { agent, world, database } = context;

  async function act(name: string, what: Action, body: ActionBody): Promise<VolumeStatus | Operation> {
    const actions: Record<Action, () => Promise<VolumeStatus | Operation>> = {
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

  serve<'volumes'>(server, {
    ...recoveryHandlers(context),

    'volumes.list': async () => {
      const occupancy = await volumeOccupancy(database);
      return [...world.volumes.values()]
        .sort((a, b) => a.name.localeCompare(b.name))
        .map((volume) => volumeView(volume, occupancy));
    },

    'volumes.create': async ({ body, request }) => {
      const { name, disks, imageBytes } = body;
      const operation = await agent.call('volumes.create', {
        name,
        disks,
        ...(imageBytes === undefined ? {} : { imageBytes }),
      });
      world.apply({ type: 'operation', operation });
      await audit(context, actorOf(request), 'volume.create', name, 'ok', disks.join(' '));
      return operation;
    },

    'volumes.act': async ({ params, body, request }) => {
      const { name, action } = params;
      const result = await act(name, action, body ?? {});
      await audit(context, actorOf(request), `volume.${action}`, name);
      if ('engine' in result) {
        world.apply({ type: 'volume', volume: result });
        return volumeView(result, await volumeOccupancy(database));
      }
      world.apply({ type: 'operation', operation: result });
      return result;
    },

    'volumes.delete': async ({ params, query, request }) => {
      const { name } = params;
      const living = (await volumeOccupancy(database)).get(name)?.accounts ?? 0;
      if (living > 0) {
        throw new HoldfastError(
          'volume-in-use',
          `${count(living, 'account lives', 'accounts live')} on "${name}". Delete or move ${living === 1 ? 'it' : 'them'} first.`,
        );
      }
      if (query.confirm !== name) {
        throw new HoldfastError(
          'confirmation-needed',
          `Deleting "${name}" destroys what is on it. Confirm it by giving the name again.`,
          { field: 'confirm' },
        );
      }
      const operation = await agent.call('volumes.delete', { name });
      await audit(context, actorOf(request), 'volume.delete', name);
      world.apply({ type: 'operation', operation });
      return operation;
    },
  });

  serve<'operations'>(server, {
    'operations.list': () => [...world.operations.values()].sort((a, b) => b.startedAt.localeCompare(a.startedAt)),
  });
}
