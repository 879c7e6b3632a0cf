import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { bytes, parseBytes, table } from './output.ts';

describe('sizes', () => {
  it('are read as people write them', () => {
    expect(parseBytes('8GiB')).toBe(8 * 1024 ** 3);
    expect(parseBytes('512M')).toBe(512 * 1024 ** 2);
    expect(parseBytes('1.5 TiB')).toBe(1.5 * 1024 ** 4);
    expect(parseBytes('4096')).toBe(4096);
  });

  it.each(['', 'lots', '-3G', '8GiBs', 'G'])('are refused when they are none: %s', (text) => {
    expect(() => parseBytes(text)).toThrow(/is not a size/);
  });

  it('can be read again in every unit that is written', () => {
    for (let power = 0; power <= 5; power += 1) expect(parseBytes(bytes(1024 ** power))).toBe(1024 ** power);
  });

  it('are written so that they can be read again, to within their precision', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 50 }), (count) => {
        const again = parseBytes(bytes(count));
        expect(Math.abs(again - count)).toBeLessThanOrEqual(count * 0.06 + 1);
      }),
    );
  });
});

describe('a table', () => {
  it('aligns its columns and has no blanks at the ends of lines', () => {
    expect(
      table(
        ['name', 'state'],
        [
          ['a-long-name', 'open'],
          ['b', ''],
        ],
      ),
    ).toBe('NAME         STATE\na-long-name  open\nb');
  });
});

it('a table on a terminal breaks its last column between words, below itself or below the row', () => {
  const rows = [
    ['one', 'The first of them goes on for longer'],
    ['three', 'Short'],
  ];
  expect(table(['name', 'what it is'], rows, 200).split('\n')).toEqual([
    'NAME   WHAT IT IS',
    'one    The first of them goes on for longer',
    'three  Short',
  ]);
  expect(table(['name', 'what it is'], rows, 32).split('\n')).toEqual([
    'NAME   WHAT IT IS',
    'one    The first of them goes on',
    '       for longer',
    'three  Short',
  ]);
  expect(table(['name', 'what it is'], rows, 24).split('\n')).toEqual([
    'NAME',
    '    WHAT IT IS',
    'one',
    '    The first of them',
    '    goes on for longer',
    'three',
    '    Short',
  ]);
});
