import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readOwner } from './place.ts';

describe('what a run says of itself', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync('/var/tmp/holdfast-drills-test-');
    mkdirSync(join(directory, 'one'));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  const runner = { pid: 1, startTime: '1' };
  const write = (content: string): void => writeFileSync(join(directory, 'one/owner.json'), content);

  it('is believed about its own scratch platform', () => {
    const owner = { runner, home: join(directory, 'one/platform'), here: null };
    write(JSON.stringify(owner));
    expect(readOwner(directory, 'one')).toEqual(owner);
  });

  it.each(['/var/lib/holdfast', '/etc', '/', 'platform'])('is never believed about %s', (home) => {
    write(JSON.stringify({ runner, home, here: null }));
    expect(readOwner(directory, 'one')).toBeUndefined();
  });

  it('may be half written or missing', () => {
    expect(readOwner(directory, 'one')).toBeUndefined();
    write('{"runner":{"pid":1');
    expect(readOwner(directory, 'one')).toBeUndefined();
  });
});
