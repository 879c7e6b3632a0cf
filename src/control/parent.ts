import { readFileSync } from 'node:fs';

const LOOK_EVERY_MS = 250;

/**
 * bwrap stays as the parent of the control plane. When that is killed its owner starts a successor, and this one must not go on beside it:
 * `end` is called as soon as the parent is another. Answers false when it is another already, because bwrap was killed while Node started.
 * (PR_SET_PDEATHSIG is of no use here: bwrap has no capabilities left, so the kernel does not let its death signal another user.)
 */
export function endWithParent(end: () => void): boolean {
  const parent = process.ppid;
  if (nameOf(parent) !== 'bwrap') return false;
  setInterval(() => {
    if (process.ppid !== parent) end();
  }, LOOK_EVERY_MS).unref();
  return true;
}

function nameOf(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
  } catch {
    return undefined;
  }
}
