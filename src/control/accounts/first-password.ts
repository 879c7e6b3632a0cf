import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { layoutOf } from '../../runtime/config.ts';
import { writeWhole } from '../../runtime/whole-file.ts';
import type { ControlContext } from '../context.ts';

/** What `npm start` reads to show the operator's one-time password: {"name", "oneTimePassword"}. */
export function firstPasswordFile(context: Pick<ControlContext, 'configuration'>): string {
  return join(layoutOf(context.configuration).control, 'first-password.json');
}

/** Written whole or not at all, readable by the control plane and root only; gone once the password has been changed. */
export async function keepFirstPassword(
  context: Pick<ControlContext, 'configuration'>,
  operator: { name: string; oneTimePassword: string | null },
): Promise<void> {
  const file = firstPasswordFile(context);
  if (operator.oneTimePassword === null) {
    await rm(file, { force: true });
    return;
  }
  await writeWhole(file, `${JSON.stringify(operator)}\n`);
}
