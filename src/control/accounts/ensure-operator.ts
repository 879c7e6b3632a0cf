import type { ControlContext } from '../context.ts';
import { hashPassword } from '../security/passwords.ts';
import { newOneTimePassword } from '../security/secrets.ts';
import { findAccount, insertAccount, updateAccount } from '../store/accounts.ts';

export const OPERATOR = 'operator';

/**
 * The operator's account exists. Until its first password has been changed a new one is made at each start, so that it can
 * be shown again: null once the operator has chosen one.
 */
export async function ensureOperator(
  context: Pick<ControlContext, 'database' | 'now'>,
): Promise<{ name: string; oneTimePassword: string | null }> {
  const known = await findAccount(context.database, OPERATOR);
  if (known && known.must_change_password === 0) return { name: OPERATOR, oneTimePassword: null };
  const oneTimePassword = newOneTimePassword();
  const passwordHash = await hashPassword(oneTimePassword);
  if (known) {
    await updateAccount(context.database, known.id, { password_hash: passwordHash });
  } else {
    await insertAccount(context.database, {
      name: OPERATOR,
      role: 'operator',
      state: 'ready',
      disabled: 0,
      plan: 'standard',
      uid: null,
      volume: null,
      limits_told: 1,
      password_hash: passwordHash,
      must_change_password: 1,
      created_at: context.now().toISOString(),
    });
  }
  return { name: OPERATOR, oneTimePassword };
}
