import type { SiteView } from '../../../src/protocol/browser.ts';
import type { SiteStatus } from '../../../src/protocol/sites.ts';
import type { Tone } from '../ui/tone.ts';

export type StateOfSite = Pick<SiteView, 'status' | 'enabled' | 'storage'>;

export interface ShownSite {
  tone: Tone;
  word: string;
  meaning: string;
}

const STATES: Readonly<Record<SiteStatus['state'], ShownSite>> = {
  awake: { tone: 'good', word: 'awake', meaning: 'Answering visitors.' },
  asleep: { tone: 'quiet', word: 'asleep', meaning: 'No process runs. The next visit wakes it.' },
  starting: { tone: 'busy', word: 'starting', meaning: 'The program is coming up.' },
  reloading: {
    tone: 'busy',
    word: 'reloading',
    meaning: 'The new generation is coming up; the old one still answers.',
  },
  stopping: { tone: 'busy', word: 'stopping', meaning: 'The program is ending its last requests.' },
  failed: { tone: 'bad', word: 'failed', meaning: 'The last start did not succeed.' },
  disabled: { tone: 'off', word: 'disabled', meaning: 'Switched off. Visitors see a page that says so.' },
};

/** Awake, and its first answer was an error: that is not "answering". */
const WITH_ERRORS: ShownSite = { tone: 'bad', word: 'errors', meaning: 'It runs, but its first answer was an error.' };

/**
 * How a site is, for its visitors: what its processes do counts only while the storage under it serves. A site that the agent has not reported
 * yet is being set up. @param old true: this is how it was when the page last heard of it
 */
export function siteStateOf({ status, enabled, storage }: StateOfSite, old = false): ShownSite {
  const now = stateNow(status, enabled, storage);
  if (!old || now.tone === 'off') return now;
  return {
    tone: now.tone === 'good' || now.tone === 'busy' ? 'quiet' : now.tone,
    word: `was ${now.word}`,
    meaning: `When last seen: ${now.meaning}`,
  };
}

function stateNow(status: SiteStatus | null, enabled: boolean, storage: SiteView['storage']): ShownSite {
  if (!enabled) return STATES.disabled;
  if (storage === 'stopped')
    return {
      tone: 'bad',
      word: 'out of service',
      meaning:
        'The storage under it is not in service. Visitors get a page that says so; the site comes back by itself.',
    };
  if (status === null) return { tone: 'busy', word: 'setting up', meaning: 'The platform is taking the site in.' };
  if (storage === 'waiting' && status.state !== 'failed')
    return {
      tone: 'warn',
      word: 'waiting',
      meaning:
        'The storage under it has stopped answering. What visitors ask waits until it answers or the disk is taken out.',
    };
  if (status.state === 'awake' && status.remark?.kind === 'error') return WITH_ERRORS;
  return STATES[status.state];
}
