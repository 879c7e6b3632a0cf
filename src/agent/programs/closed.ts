import { HoldfastError } from '../../protocol/errors.ts';
import type { ProgramGround } from './kind.ts';

/** Whether an account's volume is closed, and not only in trouble: then what runs would keep its file system busy. */
export function isClosed(ground: Pick<ProgramGround, 'storage'>, account: string): boolean {
  try {
    ground.storage.homeOf(account);
    return false;
  } catch (error) {
    return error instanceof HoldfastError && error.code === 'volume-closed';
  }
}
