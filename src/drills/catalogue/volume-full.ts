import { randomBytes } from 'node:crypto';
import { HoldfastError } from '../../protocol/errors.ts';
import { groupOf, nobodyNeeded, nothingLost, everybodyElse } from '../score.ts';
import type { DrillScript, Stage } from '../script.ts';
import type { Tally } from '../witness/messages.ts';
import { ORDINARY } from './defaults.ts';

const MiB = 1024 ** 2;
const PIECE_BYTES = 16 * MiB;
/** Smaller and smaller, until not even this fits: then the volume is full for everybody on it. */
const SMALLEST_PIECE_BYTES = 4 * 1024;
const FULL_MS = 10_000;
const BACK_WITHIN_S = 10;
const NAMED_WITHIN_S = 10;

export const volumeFull: DrillScript = {
  ...ORDINARY,
  name: 'volume-full',
  fillMiB: 0,
  afterSeconds: 0,
  imageBytes: 512 * MiB,
  plan: 'large',
  async cause(stage) {
    const member = stage.accounts.find((account) => account.volume === stage.target.volume);
    if (member === undefined) throw new Error(`Nobody lives on ${stage.target.volume}.`);
    stage.say(`${member.name} fills ${stage.target.volume}`);
    const files = await fill(stage, member.name, member.token);
    stage.hurtNow(`${stage.target.volume} is full`);
    const from = Date.now();
    await stage.pause(FULL_MS);
    stage.windows.push({ name: 'full', from, to: Date.now() });
    for (const path of files) await stage.platform.member(member.token, 'files.delete', { query: { path } });
    const named = stage.observer.troubles.find(
      ({ diagnosis }) => diagnosis.fault === 'full' && diagnosis.culprit.volume === stage.target.volume,
    );
    if (named !== undefined) stage.facts.fullNamedS = (Date.parse(named.namedAt) - stage.faultAt()) / 1000;
    const freed = Date.now();
    stage.say('There is room again');
    await stage
      .until(
        () => {
          const load = stage.witness.volumes.find((volume) => volume.name === stage.target.volume);
          return load !== undefined && load.refused === 0 && load.requestsPerSecond > 0;
        },
        'writes going through again',
        60_000,
      )
      .catch((error: unknown) => stage.say((error as Error).message));
    stage.facts.backAfterS = (Date.now() - freed) / 1000;
  },
  healed: ({ observer, target }) =>
    observer.status(target.volume)?.redundancy === 'full' && observer.status(target.volume)?.state === 'open',
  checks: (outcome) => {
    const full = groupOf(outcome, 'full', 'affected');
    const writes = [full.kinds.write, full.kinds.upload].filter((tally) => tally !== undefined);
    const sum = (of: (tally: Tally) => number): number => writes.reduce((total, tally) => total + of(tally), 0);
    const told = sum((tally) => tally.refused);
    const otherwise = sum((tally) => tally.failed);
    const { backAfterS, fullNamedS } = outcome.facts;
    return [
      {
        what: 'It is named, as what it is',
        target: `within ${NAMED_WITHIN_S} s`,
        measured:
          fullNamedS === undefined
            ? 'not reported'
            : fullNamedS < 0
              ? `${(-fullNamedS).toFixed(1)} s before nothing went in any more`
              : `${fullNamedS.toFixed(1)} s`,
        ok: fullNamedS !== undefined && fullNamedS <= NAMED_WITHIN_S,
      },
      {
        what: 'Writes and uploads that found no room were told so',
        target: 'no other failure',
        measured: `${told} told, ${otherwise} failed otherwise, of ${sum((tally) => tally.requests)}`,
        ok: otherwise === 0 && (full.kinds.write?.refused ?? 0) > 0,
      },
      {
        what: 'Pages on it went on',
        target: '0 failed',
        measured: `${full.kinds.site?.failed ?? 0} of ${full.kinds.site?.requests ?? 0}`,
        ok: full.kinds.site !== undefined && full.kinds.site.failed + full.kinds.site.refused === 0,
      },
      ...everybodyElse(outcome),
      {
        what: 'Goes on as soon as there is room',
        target: `within ${BACK_WITHIN_S} s`,
        measured: `${backAfterS?.toFixed(1) ?? '-'} s`,
        ok: backAfterS !== undefined && backAfterS <= BACK_WITHIN_S,
      },
      nothingLost(outcome),
      ...nobodyNeeded(outcome),
    ];
  },
};

/** Uploads as a member does, until nothing goes in any more. Answers the files. */
async function fill(stage: Stage, name: string, token: string): Promise<string[]> {
  const files: string[] = [];
  const content = randomBytes(PIECE_BYTES);
  for (let size = PIECE_BYTES; size >= SMALLEST_PIECE_BYTES;) {
    stage.signal.throwIfAborted();
    const path = `/home/${name}/fill/${files.length}-${size}`;
    try {
      await stage.platform.upload(token, path, content.subarray(0, size));
      files.push(path);
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      size /= 4;
    }
  }
  return files;
}
