import { readFileSync, readdirSync, statSync } from 'node:fs';

export interface ValveProcess {
  pid: number;
  /** Its command line, word by word. */
  words: string[];
}

/**
 * The valves (nbdfuse) that have this word in their command line: an image, a mount point. The command line is read of root's nbdfuse only: to
 * read that of a member's process that hangs on its volume would hang, too.
 */
export function valvesWith(word: string): ValveProcess[] {
  const found: ValveProcess[] = [];
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      if (statSync(`/proc/${entry}`).uid !== 0) continue;
      if (readFileSync(`/proc/${entry}/comm`, 'utf8').trim() !== 'nbdfuse') continue;
      const words = readFileSync(`/proc/${entry}/cmdline`, 'utf8').split('\0').slice(0, -1);
      if (words.includes(word)) found.push({ pid: Number(entry), words });
    } catch {
      continue; // It ended while we looked.
    }
  }
  return found;
}
