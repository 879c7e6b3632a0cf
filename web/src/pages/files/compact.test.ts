import { describe, expect, test } from 'vitest';
import { gaveBack, mayHoldMore } from './compact.ts';

const MiB = 1024 ** 2;

describe('giving room back', () => {
  test('is offered for plain files that may hold more than their content', () => {
    expect(mayHoldMore({ type: 'file', size: 40 * MiB })).toBe(true);
    expect(mayHoldMore({ type: 'file', size: 4096 })).toBe(false);
    expect(mayHoldMore({ type: 'directory', size: 40 * MiB })).toBe(false);
    expect(mayHoldMore({ type: 'symlink', size: 40 * MiB })).toBe(false);
  });

  test('says how much it was, or that there was nothing', () => {
    expect(gaveBack('db.sqlite3', 36 * MiB)).toBe('db.sqlite3 gave 36 MiB back.');
    expect(gaveBack('db.sqlite3', 0)).toBe('db.sqlite3 held no more than its content.');
  });
});
