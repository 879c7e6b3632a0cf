import { join } from 'node:path';
import type { ProgramGround } from './kind.ts';
import { openLogFile } from './output.ts';

/**
 * Writes a line of the platform's with its time into a log of a program, for an owner who looks at no page. Answers where the log ended before
 * it, bytes; null when it could not be written. Never throws.
 */
export async function tellOwner(
  ground: Pick<ProgramGround, 'context' | 'sandboxes' | 'accountOf'>,
  account: string,
  file: string,
  text: string,
): Promise<number | null> {
  try {
    const owner = ground.accountOf(account);
    if (owner === undefined) return null;
    const log = await openLogFile(join(await ground.sandboxes.logDirectory(owner), file), owner.uid);
    try {
      await log.handle.write(`${new Date().toISOString().slice(0, 19).replace('T', ' ')} ${text}\n`);
      return log.offset;
    } finally {
      await log.handle.close();
    }
  } catch (error) {
    ground.context.log.warn({ err: error, account, file }, 'a line for the owner could not be written');
    return null;
  }
}
