import { writeFile } from 'node:fs/promises';
import { expect } from 'vitest';
import { engineConformance, type EngineUnderTest } from '../engine.contract.ts';
import { contextOf, makeHome } from '../testing/context.ts';
import { removeHome } from '../testing/cleanup.ts';
import { createLocalEngine } from './engine.ts';
import { loadRecords } from './record.ts';
import { directoriesOf } from '../directories.ts';
import { findValve, valvePaths } from '../../disks/valve.ts';

/** The two ways in which an image-file disk really fails: its processes die, or it answers with errors. */
const FAULTS = {
  'valve process killed': async (paths: ReturnType<typeof valvePaths>) => {
    const valve = await findValve(paths);
    expect(valve).toBeDefined();
    if (valve !== undefined) process.kill(valve.front.pid, 'SIGKILL');
  },
  'disk answers with errors': async (paths: ReturnType<typeof valvePaths>) => {
    await writeFile(paths.errorFile, '');
  },
};

engineConformance('local', Object.keys(FAULTS), async (): Promise<EngineUnderTest> => {
  const home = makeHome();
  const context = contextOf(home);
  return {
    engine: createLocalEngine(context),
    uid: context.ids.firstAccount,
    imageBytes: 512 * 1024 ** 2,
    breakReplica: async (volume, id, fault) => {
      const directories = directoriesOf(context, volume);
      const record = (await loadRecords(directories.records)).find((candidate) => candidate.name === volume);
      const replica = record?.replicas.find((candidate) => candidate.id === id);
      const paths = valvePaths(directories.valves, context.configuration.runDirectory, volume, id, replica?.disk ?? '');
      await FAULTS[fault as keyof typeof FAULTS](paths);
    },
    restart: () => Promise.resolve(createLocalEngine(contextOf(home))),
    dispose: () => removeHome(home),
  };
});
