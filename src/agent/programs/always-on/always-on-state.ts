import { z } from 'zod';
import { runRecordSchema } from '../run.ts';

/** What an agent must not forget of one always-on task. */
export const alwaysOnStateSchema = z.object({
  account: z.string(),
  id: z.number().int(),
  /** Of the last run; names its control group. */
  number: z.number().int(),
  starts: z.number().int(),
  endsInARow: z.number().int(),
  startedAt: z.string().nullable(),
  lastEnd: z.string().nullable(),
  /** Present while it runs, or may. */
  record: runRecordSchema.nullable(),
});
export type AlwaysOnState = z.infer<typeof alwaysOnStateSchema>;

export function freshState(account: string, id: number): AlwaysOnState {
  return { account, id, number: 0, starts: 0, endsInARow: 0, startedAt: null, lastEnd: null, record: null };
}
