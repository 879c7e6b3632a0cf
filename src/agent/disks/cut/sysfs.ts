import { runCommand } from '../../../runtime/command.ts';

/** Writing here can wait for a disk that hangs: never in the agent itself, and never for long. */
const WRITE_DEADLINE_MS = 5_000;

/** Writes a word into a file of /sys in a throw-away process. A file that is gone is fine; a deadline that passes is the caller's to judge. */
export async function writeSys(path: string, word: string): Promise<void> {
  const script = '[ -e "$2" ] || exit 0; printf %s "$1" > "$2"';
  await runCommand('/bin/sh', ['-euc', script, 'sh', word, path], { deadlineMs: WRITE_DEADLINE_MS });
}
