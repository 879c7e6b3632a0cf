import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The controllers of the one tree of cgroup v2 (cgroups(7)); undefined where each controller has a tree of its own (v1). */
export function unifiedControllers(root: string): readonly string[] | undefined {
  const file = join(root, 'cgroup.controllers');
  return existsSync(file) ? readFileSync(file, 'utf8').trim().split(/\s+/) : undefined;
}
