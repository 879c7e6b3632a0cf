import type { Operation } from '../../src/protocol/volumes.ts';
import { fail, find, type Kit, startOperation } from './kit.ts';
import type { Handlers } from './table-router.ts';

/** The part of the stand-in that is the operator's: accounts, volumes, plans, settings. */
export function operatorRoutes(kit: Kit): Handlers {
  const { world, emit } = kit;
  const kinds: Readonly<Record<string, Operation['kind']>> = {
    scrub: 'volume-scrub',
    'add-replica': 'volume-rebuild',
    grow: 'volume-grow',
  };
  return {
    'accounts.list': () => world().accounts,
    'accounts.create': ({ body: { username } }) => {
      if (world().accounts.some((each) => each.name === username))
        fail('name-taken', `The name "${username}" is taken.`, 'username');
      world().accounts.push({
        name: username,
        role: 'member',
        plan: 'starter',
        volume: 'amber',
        disabled: false,
        sites: 0,
        createdAt: new Date().toISOString(),
        state: 'creating',
      });
      return { username, password: 'otter-lamp-quiet-42', api_token: '9b1e'.repeat(10), state: 'ready' };
    },
    'accounts.update': ({ params, body }) => {
      const fresh = { ...find(world().accounts, (each) => each.name === params.name), ...body };
      world().accounts = world().accounts.map((each) => (each.name === fresh.name ? fresh : each));
      return fresh;
    },
    'accounts.delete': ({ params, query }) => {
      if (query.confirm !== params.name) fail('confirmation-needed', 'Confirm it by giving the name again.', 'confirm');
      world().accounts = world().accounts.map((each) =>
        each.name === params.name ? { ...each, state: 'deleting' as const } : each,
      );
    },
    'accounts.resetPassword': () => ({ password: 'otter-lamp-quiet-42' }),

    'volumes.list': () => world().volumes,
    'volumes.create': ({ body }) => startOperation(kit, 'volume-create', body.name),
    'volumes.act': ({ params: { name, action } }) => {
      const kind = kinds[action];
      if (kind !== undefined) return startOperation(kit, kind, name);
      const volume = {
        ...find(world().volumes, (each) => each.name === name),
        state: action === 'close' ? ('closed' as const) : ('open' as const),
      };
      world().volumes = world().volumes.map((each) => (each.name === name ? volume : each));
      emit({ event: 'volume', data: volume });
      return volume;
    },
    'volumes.delete': ({ params }) => startOperation(kit, 'volume-delete', params.name),
    'operations.list': () => world().operations,

    'audit.list': () => world().audit,
    'settings.get': () => world().settings,
    'settings.update': ({ body }) => {
      world().settings = { ...world().settings, ...body };
      return world().settings;
    },
    'plans.list': () => world().plans,
    'plans.put': ({ params, body }) => {
      const plan = { name: params.name, limits: body };
      world().plans = [...world().plans.filter((each) => each.name !== plan.name), plan];
      return plan;
    },
  };
}
