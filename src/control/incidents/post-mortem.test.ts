import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Incident } from '../../protocol/incidents.ts';
import { someTrouble } from '../testing/memory-agent.ts';
import { postMortem } from './post-mortem.ts';
import { incidentOf } from './rules.ts';

const SINCE = '2026-07-07T04:00:00.000Z';
const at = (seconds: number): string => new Date(Date.parse(SINCE) + seconds * 1000).toISOString();

function someIncident(values: Partial<Incident> = {}): Incident {
  const trouble = someTrouble('t1', {
    since: SINCE,
    state: 'resolved',
    resolvedAt: at(42),
    timeline: [
      { at: SINCE, kind: 'signal', text: 'Requests wait in /srv/images/r2.img.' },
      { at: at(0.7), kind: 'diagnosis', text: 'The disk of replica r2 hangs.' },
      { at: at(0.8), kind: 'action', text: 'Replica r2 was cut.' },
      { at: at(40), kind: 'result', text: 'The mirror is whole again.' },
    ],
  });
  const incident = incidentOf(
    {
      id: 7,
      trouble,
      state: 'resolved',
      severity: 'minor',
      worst: 'minor',
      openedAt: at(1),
      resolvedAt: at(42),
      accounts: ['alice', 'bob'],
      sites: 3,
      requests: { delayed: 12, failed: 0, longestMs: 1_120 },
      counted: true,
      entries: [],
      told: null,
    },
    [{ at: at(60), by: 'operator', text: 'Disk is going back to the shop | see #12', public: true }],
    [],
  );
  return { ...incident, ...values };
}

describe('a post-mortem', () => {
  it('tells the whole story in plain words', () => {
    expect(postMortem(someIncident(), 'https://hosting.example.com')).toMatchInlineSnapshot(`
      "# Incident 7: v1: disk r2 hung

      | | |
      |---|---|
      | Platform | https://hosting.example.com |
      | State | resolved |
      | Severity | minor - the platform repaired it by itself |
      | First sign | 2026-07-07 04:00:00 UTC |
      | Named | 2026-07-07 04:00:00 UTC (0.7 s after the first sign) |
      | Resolved | 2026-07-07 04:00:42 UTC |
      | Duration | 42 s |
      | Culprit | disk /srv/images/r2.img, replica r2 of volume v1 |

      ## What happened

      At 2026-07-07 04:00:00 UTC, disk /srv/images/r2.img, replica r2 of volume v1 did not fail: it stopped answering. Requests went in and none came out.

      What was seen:

      - 4 requests wait in /srv/images/r2.img and none has completed for 0.7 s.

      ## Impact

      - 2 accounts with 3 sites live on volume v1. Accounts on other volumes were not hit.
      - Of their requests: 12 requests took longer than a second (the longest 1.1 s), none failed.

      ## What the platform did

      - 0.8 s after the first sign: Replica r2 was cut.
      - 40 s after the first sign: The mirror is whole again.

      ## What was ruled out

      - The host is fine: 9 other disks completed 214 requests meanwhile.

      ## Timeline

      | When | What | |
      |---|---|---|
      | 2026-07-07 04:00:00 UTC | signal | Requests wait in /srv/images/r2.img. |
      | 2026-07-07 04:00:00 UTC | diagnosis | The disk of replica r2 hangs. |
      | 2026-07-07 04:00:00 UTC | action | Replica r2 was cut. |
      | 2026-07-07 04:00:40 UTC | result | The mirror is whole again. |
      | 2026-07-07 04:01:00 UTC | note | operator (public): Disk is going back to the shop \\| see \\#12 |

      ## Notes

      - 2026-07-07 04:01:00 UTC, operator (public): Disk is going back to the shop \\| see \\#12

      ## What a person has to do

      Nothing. The platform repaired it by itself.
      "
    `);
  });

  it('of an open incident is a draft that says what is being done and whether somebody must act', () => {
    const open = someIncident({ state: 'open', resolvedAt: null, mustAct: 'Name a disk: holdfast recover v1.' });
    const text = postMortem(open, 'https://hosting.example.com');
    expect(text).toContain('open: this is a draft');
    expect(text).toContain('Now: A fresh disk is being taken in.');
    expect(text).toContain('## What a person has to do\n\nName a disk: holdfast recover v1.');
    expect(text).not.toContain('Duration');
  });

  it('names no account: it is for everybody', () => {
    expect(postMortem(someIncident(), 'p')).not.toMatch(/alice|bob/);
  });

  it('keeps its headings and tables whatever was written into it', () => {
    const words = fc.string({ unit: 'grapheme', maxLength: 80 });
    const headings = (text: string): string[] =>
      text
        .split('\n')
        .filter((line) => /^#+ /.test(line))
        .slice(1);
    const expected = headings(postMortem(someIncident(), 'p'));
    fc.assert(
      fc.property(words, words, words, (note, doing, evidence) => {
        const incident = someIncident({
          doing,
          notes: [{ at: SINCE, by: 'x', text: note, public: false }],
          timeline: [{ at: SINCE, kind: 'action', text: evidence }],
        });
        const text = postMortem(incident, 'p');
        expect(headings(text)).toEqual(expected);
        const cells = text.split('\n').filter((line) => line.startsWith('| 2026'));
        for (const line of cells) expect(line.replaceAll('\\|', '').match(/\|/g)).toHaveLength(4);
      }),
    );
  });
});
