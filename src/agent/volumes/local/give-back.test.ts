import { linkSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { giveBack, PIECE_BYTES } from './give-back.ts';

describe('giving back what a file takes', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync('/tmp/holdfast-give-back-');
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  test('goes piece by piece, with a rest after each that held something', async () => {
    const path = join(directory, 'image');
    const bytes = 2 * PIECE_BYTES + 5_000_000;
    writeFileSync(path, Buffer.alloc(bytes, 'x'));
    const sizes: number[] = [];
    await giveBack(path, async (milliseconds) => {
      expect(milliseconds).toBeGreaterThan(0);
      sizes.push(statSync(path).size);
      await Promise.resolve();
    });
    expect(sizes).toEqual([bytes - PIECE_BYTES, bytes - 2 * PIECE_BYTES]);
    expect(statSync(path)).toMatchObject({ size: 0, blocks: 0 });
  });

  test('does not rest over the holes of a sparse file', async () => {
    const path = join(directory, 'image');
    writeFileSync(path, Buffer.alloc(4096, 'x'));
    truncateSync(path, 100 * PIECE_BYTES);
    let rests = 0;
    await giveBack(path, async () => {
      rests += 1;
      await Promise.resolve();
    });
    expect(rests).toBe(0);
    expect(statSync(path).blocks).toBe(0);
  });

  test('leaves a file alone that has another name', async () => {
    const path = join(directory, 'image');
    writeFileSync(path, 'kept');
    linkSync(path, join(directory, 'kept'));
    await giveBack(path);
    expect(readFileSync(path, 'utf8')).toBe('kept');
  });

  test('nothing there is nothing to do', async () => {
    await giveBack(join(directory, 'none'));
  });
});
