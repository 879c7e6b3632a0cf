import { rm, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { layoutOf } from '../../runtime/config.ts';
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
  await writePrivate(file, `${JSON.stringify(operator)}\n`);
}

/** Replaces a file that only the control plane and root may read. */
export async function writePrivate(file: string, text: string): Promise<void> {
  const fresh = `${file}.new`;
  await rm(fresh, { force: true });
  await writeFile(fresh, text, { mode: 0o600, flag: 'wx' });
  await rename(fresh, file);
}
