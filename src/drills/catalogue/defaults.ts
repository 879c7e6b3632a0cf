import type { DrillScript, Stage } from '../script.ts';

const MiB = 1024 ** 2;

/**
 * A hang is named within a second under load (outage-2020), within two on an idle disk: before anybody asks anything of it, it cannot be told
 * from one that rests. With six accounts to a volume its disk is asked something every 0.4 s.
 */
export const NAMED_UNDER_LIGHT_LOAD_S = 1.5;

/** What most drills share: eighteen accounts on three volumes, and the mirror must be full again. */
export const ORDINARY: Omit<DrillScript, 'name' | 'cause' | 'checks'> = {
  accounts: 18,
  volumes: 3,
  // A p99 rests on its slowest hundredth: in 30 s, of one volume's reads, on ten (decision 0009).
  windowSeconds: 60,
  imageBytes: 1024 * MiB,
  plan: 'starter',
  fillMiB: 192,
  afterSeconds: 60,
  // Their windows are short: three times the requests, so that a p99 rests on some thousands of them.
  paces: { site: 160 },
  here: true,
  healed: isRestored,
  healSeconds: 150,
};

/** The hurt volume is mirrored in full again, and says so of no old disk. */
export function isRestored(stage: Stage): boolean {
  const hurt = [stage.target.replica];
  return stage.observer.restoredAt(stage.target.volume, stage.faultAt(), hurt) !== undefined;
}

export function diskName({ target }: Pick<Stage, 'target'>): string {
  return `${target.volume}/${target.replica}`;
}
