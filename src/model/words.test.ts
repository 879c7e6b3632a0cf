import { describe, expect, it } from 'vitest';
import { count, formatBytes } from './words.ts';

describe('figures in sentences', () => {
  it('say one of a thing as people do', () => {
    expect([count(0, 'read'), count(1, 'read'), count(2, 'read'), count(1234, 'read')]).toEqual([
      '0 reads', '1 read', '2 reads', '1,234 reads',
    ]); // prettier-ignore
    expect([count(1, 'entry', 'entries'), count(2, 'entry', 'entries')]).toEqual(['1 entry', '2 entries']);
  });

  it('have one unit for one size', () => {
    const sizes = [0, 1023, 1536, 512 * 1024 ** 2, 1024 ** 3, 2.5 * 1024 ** 3];
    expect(sizes.map(formatBytes)).toEqual(['0 B', '1023 B', '1.5 KiB', '512 MiB', '1 GiB', '2.5 GiB']);
  });
});
