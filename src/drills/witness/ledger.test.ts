import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Ledger, type Write } from './ledger.ts';

function line({ seq, check }: Write): string {
  return `.... ${seq} ${check}\n`;
}

/** For each write: whether it was acknowledged, whether it reached the disk, and how often. */
const fates = fc.array(fc.record({ acknowledged: fc.boolean(), there: fc.nat(2) }), { maxLength: 60 });

describe('the book of acknowledged writes', () => {
  it('misses exactly those that were acknowledged and are not there, in whatever order the file has them', () => {
    fc.assert(
      fc.property(fates, fc.infiniteStream(fc.nat()), (list, random) => {
        const ledger = new Ledger('drill01');
        const lines: string[] = [];
        const lost: number[] = [];
        for (const { acknowledged, there } of list) {
          const write = ledger.next();
          if (acknowledged) ledger.acknowledge(write.seq);
          for (let copy = 0; copy < there; copy += 1) lines.push(line(write));
          if (acknowledged && there === 0) lost.push(write.seq);
        }
        const keyed = lines.map((text) => ({ text, key: random.next().value ?? 0 }));
        const shuffled = keyed.sort((a, b) => a.key - b.key).map((entry) => entry.text);
        expect(ledger.missingFrom(shuffled.join(''))).toEqual(lost);
        expect(ledger.acknowledged).toBe(list.filter((fate) => fate.acknowledged).length);
      }),
    );
  });

  it('does not take a torn line, another account or other content for a write', () => {
    const ledger = new Ledger('drill01');
    const write = ledger.next();
    ledger.acknowledge(write.seq);
    const whole = line(write);
    for (let length = 0; length < whole.length - 1; length += 1)
      expect(ledger.missingFrom(whole.slice(0, length))).toEqual([1]);
    expect(ledger.missingFrom(line(new Ledger('drill02').next()))).toEqual([1]);
    expect(ledger.missingFrom('\0'.repeat(100))).toEqual([1]);
    expect(ledger.missingFrom(`garbage\n${whole}`)).toEqual([]);
  });
});
