import {
  existsSync,
  linkSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { removeImage } from './attach.ts';

const PIECE = 32 * 1024 ** 2;

describe('removing an image', () => {
  let directory: string;
  let image: string;
  let left: number[];
  const remove = async (): Promise<void> => await removeImage({ image }, (bytes) => left.push(bytes));
  beforeEach(() => {
    directory = mkdtempSync('/tmp/holdfast-image-');
    image = join(directory, 'image');
    left = [];
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  test('goes piece by piece', async () => {
    const bytes = 2 * PIECE + 5_000_000;
    writeFileSync(image, Buffer.alloc(bytes, 'x'));
    await remove();
    expect(left).toEqual([bytes - PIECE, bytes - 2 * PIECE, 0]);
    expect(existsSync(image)).toBe(false);
  });

  test('does not rest over the holes of a sparse file', async () => {
    writeFileSync(image, Buffer.alloc(4096, 'x'));
    truncateSync(image, 1000 * PIECE);
    await remove();
    expect(left).toEqual([0]);
    expect(existsSync(image)).toBe(false);
  });

  test.each([
    ['another name', linkSync],
    ['a link that points to it', (file: string, other: string) => symlinkSync(file, other)],
  ])('leaves what is in a file alone that was reached by %s', async (_what, link) => {
    const kept = join(directory, 'kept');
    writeFileSync(kept, 'kept');
    link(kept, image);
    await remove();
    expect(existsSync(image)).toBe(false);
    expect(readFileSync(kept, 'utf8')).toBe('kept');
  });

  test('nothing there is nothing to do', async () => {
    await remove();
    expect(left).toEqual([]);
  });
});
