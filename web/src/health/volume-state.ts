import { notLookedAt, type Redundancy } from '../../../src/model/volumes.ts';
import type { VolumeView } from '../../../src/protocol/browser.ts';
import { wasRead } from '../format/format.ts';
import { shownRedundancy, type ShownRedundancy, type ShownState } from './disk-state.ts';
import type { IncidentTone } from './incident-words.ts';

/** How a volume is, in one word and one colour. */
export interface ShownVolume {
  tone: 'good' | 'busy' | 'warn' | 'bad' | 'quiet' | 'off';
  word: string;
  /** What it means, a whole sentence. */
  meaning: string;
  /** False: how full it is was never read, and is not shown as if it were nothing. */
  figures: boolean;
}

export const REDUNDANCY: Readonly<
  Record<ShownRedundancy, { tone: 'good' | 'busy' | 'warn' | 'bad'; word: string; meaning: string }>
> = {
  full: { tone: 'good', word: 'full', meaning: 'Every copy is complete.' },
  rebuilding: {
    tone: 'busy',
    word: 'rebuilding',
    meaning: 'A new copy is being made from the complete one. The volume serves as always.',
  },
  reduced: {
    tone: 'warn',
    word: 'reduced',
    meaning: 'One complete copy is left: losing its disk now would lose data.',
  },
  waiting: {
    tone: 'bad',
    word: 'in doubt',
    meaning: 'A disk with one of the copies does not answer. The volume waits for it until it answers or is cut.',
  },
  lost: { tone: 'bad', word: 'lost', meaning: 'No complete copy can be reached. The volume cannot serve.' },
};

const MIRRORED: Readonly<Record<Redundancy, string>> = {
  full: 'Its copies were complete when it was closed.',
  rebuilding: 'A copy was being made when it was closed; that goes on when it is opened.',
  reduced: 'One complete copy was left when it was closed.',
  lost: 'No complete copy could be reached when it was closed.',
};

/**
 * @param states its disks, as the watcher sees them
 * @param incident the colour of its open incident: everything that is said of one trouble has one colour
 * @param old true: the page is not up to date, and this is how it was when it last was
 */
export function volumeShown(
  volume: Pick<VolumeView, 'state' | 'redundancy' | 'readAt'> &
    Partial<Pick<VolumeView, 'trouble' | 'wantedOpen' | 'unopened'>>,
  states: readonly ShownState[],
  incident: IncidentTone | undefined,
  old = false,
): ShownVolume {
  const figures = wasRead(volume.readAt);
  if (notLookedAt({ ...volume, trouble: volume.trouble ?? null }))
    return {
      tone: 'quiet',
      word: 'not looked at yet',
      meaning: 'The agent has just started and has not come to it yet.',
      figures,
    };
  // Nobody looks at a closed volume: what it was is not what it is.
  if (volume.state === 'closed')
    return { tone: 'off', word: 'closed', meaning: `It is closed. ${MIRRORED[volume.redundancy]}`, figures };
  const redundancy = shownRedundancy(volume.redundancy, states);
  const known = REDUNDANCY[redundancy];
  const out = volume.state === 'trouble';
  const now: ShownVolume = out
    ? {
        tone: 'bad',
        word: old ? 'was out of service' : 'out of service',
        meaning: 'It does not serve as it is.',
        figures,
      }
    : { tone: known.tone, word: `redundancy ${old ? 'was ' : ''}${known.word}`, meaning: known.meaning, figures };
  const tone = incident === undefined || incident === 'good' || out ? now.tone : incident;
  if (!old) return { ...now, tone };
  return {
    tone: tone === 'good' || tone === 'busy' ? 'quiet' : tone,
    word: now.word,
    meaning: `When last seen: ${now.meaning}`,
    figures,
  };
}
