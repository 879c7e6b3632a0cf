import type { AuditEntry } from '../../protocol/browser.ts';
import type { Actor, ControlContext } from '../context.ts';
import { insertAudit } from '../store/audit.ts';

/**
 * Writes down a security-relevant act. When the entry cannot be written the act itself fails: nothing of this kind happens
 * unrecorded.
 */
export async function audit(
  context: Pick<ControlContext, 'database' | 'now'>,
  actor: Actor,
  action: string,
  subject: string,
  outcome: AuditEntry['outcome'] = 'ok',
  detail = '',
): Promise<void> {
  await insertAudit(context.database, {
    at: context.now().toISOString(),
    actor: actor.name.slice(0, 100),
    address: actor.address.slice(0, 100),
    action,
    subject: subject.slice(0, 300),
    outcome,
    detail: detail.slice(0, 1000),
  });
}
