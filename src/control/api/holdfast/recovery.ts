import type { Actor, ControlContext } from '../../context.ts';
import { audit } from '../../platform/audit.ts';
import { actorOf } from '../identity.ts';
import type { Handlers } from './serve.ts';

type RecoveryName = 'volumes.planRecovery' | 'volumes.recover' | 'volumes.replaceDisk' | 'volumes.fault';

/** Runbooks of a volume and faults on it. What a runbook does is the host's to know; here it is asked for and written down. */
export function recoveryHandlers(context: ControlContext): Pick<Handlers<'volumes'>, RecoveryName> {
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

  return {
    'volumes.planRecovery': async ({ params }) => await agent.call('volumes.planRecovery', { name: params.name }),

    'volumes.recover': async ({ params, request }) => {
      const { name } = params;
      const answer = await recorded(actorOf(request), 'volume.recover', name, '', () =>
        agent.call('volumes.recover', { name }),
      );
      if (answer.operation) world.apply({ type: 'operation', operation: answer.operation });
      return answer;
    },

    'volumes.replaceDisk': async ({ params, body, request }) => {
      const { name } = params;
      const { replica, disk, dryRun } = body;
      const wanted = { name, replica, ...(disk === undefined ? {} : { disk }) };
      if (dryRun) return { status: 200, body: await agent.call('volumes.planReplaceDisk', wanted) };
      const detail = `${replica}${disk === undefined ? '' : ` by ${disk}`}`;
      const operation = await recorded(actorOf(request), 'volume.replace-disk', name, detail, () =>
        agent.call('volumes.replaceDisk', wanted),
      );
      world.apply({ type: 'operation', operation });
      return { status: 202, body: operation };
    },

    'volumes.fault': async ({ params, body, request }) => {
      const { name } = params;
      const { replica, fault } = body;
      return await recorded(actorOf(request), 'volume.fault', name, `${replica}: ${fault}`, () =>
        agent.call('volumes.fault', { name, replica, fault }),
      );
    },
  };
}
