import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { AgentContext } from '../../context.ts';
import type { CreatePlan, CreateRequest, EngineVolume, VolumeEngine } from '../engine.ts';
import { planSpare, planVolume } from './plan.ts';
import { loadRecords, saveRecord, volumeRecordSchema } from './record.ts';
import { directoriesOf } from '../directories.ts';
import { VolumeState } from './state.ts';
import { LocalVolume } from './volume.ts';

/** btrfs mirrors over two disks of this host: real ones, or image files behind a fault valve. */
export function createLocalEngine(context: AgentContext): VolumeEngine {
  const records = join(context.layout.agent, 'volumes');
  return {
    kind: 'local',

    async plan(request: CreateRequest): Promise<CreatePlan> {
      await mkdir(context.layout.volumes, { recursive: true, mode: 0o711 });
      return await planVolume(request, directoriesOf(context, request.name), await loadRecords(records));
    },

    async begin(plan: CreatePlan): Promise<EngineVolume> {
      const existing = (await loadRecords(records)).find((record) => record.name === plan.name);
      const record = existing ?? volumeRecordSchema.parse(plan);
      if (existing === undefined) await saveRecord(records, record);
      return await volumeOf(context, record);
    },

    async checkSpare(disk: string): Promise<{ disk: string; bytes: number }> {
      return await planSpare(disk, directoriesOf(context, 'spare'), await loadRecords(records));
    },

    async load(): Promise<EngineVolume[]> {
      const damaged = (file: string, error: unknown): void => {
        context.log.error({ file, error }, 'the record of a volume cannot be read; the volume stays closed');
      };
      return await Promise.all((await loadRecords(records, damaged)).map((record) => volumeOf(context, record)));
    },
  };
}

async function volumeOf(context: AgentContext, record: Parameters<typeof saveRecord>[1]): Promise<LocalVolume> {
  await mkdir(join(context.layout.agent, 'accounts'), { recursive: true, mode: 0o700 });
  const state = new VolumeState(context, record);
  await state.accounts.load();
  return new LocalVolume(state);
}
