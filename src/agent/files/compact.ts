import { HoldfastError } from '../../protocol/errors.ts';
import { writeProblem, type SandboxRun } from './member-files.ts';

const DEADLINE_MS = 60_000;
/** A file is written anew piece by piece: the largest that btrfs keeps in one, and so what has to be held twice for a moment. */
const PIECE_BYTES = 128 * 1024 ** 2;
/**
 * The commit after each piece gives the room of its old versions back. $1 is the file, $2 its size. What is in large pieces already is
 * passed over, so that it can be done again to go on.
 */
const SCRIPT = `
at=0
while [ "$at" -lt "$2" ]; do
  btrfs filesystem defragment -f -t 128M -s "$at" -l ${PIECE_BYTES} "$1" || exit
  sync -f "$1"
  at=$((at + ${PIECE_BYTES}))
done`;

export interface CompactGround {
  /** Of a plain file. Throws `not-found`, `input-invalid`. */
  sizeOf(account: string, path: string): Promise<number>;
  /** Runs a command in the account's sandbox. */
  run: SandboxRun;
  withRoom<T>(account: string, bytes: number, work: () => Promise<T>): Promise<{ result: T; freedBytes: number }>;
}

/**
 * Gives back what a file holds beside its content. btrfs keeps a large piece of a file whole until every block of it was written elsewhere,
 * so a database that is written to in place is charged up to twice its size. Written anew in one piece it holds its size again. It stays
 * readable and writable meanwhile. A process of the account does it; its limit is lifted by what is held twice meanwhile, because
 * who needs this has used all of it.
 */
export function createCompact(
  ground: CompactGround,
): (account: string, path: string) => Promise<{ freedBytes: number }> {
  return async (account, path) => {
    const size = await ground.sizeOf(account, path);
    if (size === 0) return { freedBytes: 0 };
    // An old piece may reach over two of ours.
    const room = 2 * Math.min(size, PIECE_BYTES);
    const command = ['/bin/sh', '-c', SCRIPT, 'sh', path, String(size)];
    const { result, freedBytes } = await ground.withRoom(account, room, async () => {
      try {
        return await ground.run(account, command, DEADLINE_MS);
      } catch (error) {
        if (!(error instanceof HoldfastError) || error.code !== 'deadline-passed') throw error;
        throw new HoldfastError('deadline-passed', `Giving room back takes long for ${path}. Do it again to go on.`);
      }
    });
    if (result.code === 0) return { freedBytes };
    throw (
      writeProblem(result.stderr) ??
      new HoldfastError('conflict', `Room could not be given back for ${path}.`, {
        details: result.stderr.trim().split('\n').slice(-5),
      })
    );
  };
}
