import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readConfiguration } from '../../runtime/config.ts';
import { checkHome } from './home.ts';

let directory: string;

beforeEach(() => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), 'holdfast-home-')));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const check = (home: string): void => checkHome(readConfiguration({ HOLDFAST_HOME: home }));

describe('a home', () => {
  test.each([
    '/tmp/tmp.Xa91',
    '/var/tmp/x',
    '/dev/shm/x',
    '/run/x',
    '/root/x',
    '/opt/a:b,c=d',
    '/srv/höhle/~x@1',
    '/home/x/',
  ])('may be %s', (home) => expect(() => check(home)).not.toThrow());

  test.each([
    ['/', /is a directory of the system/],
    ['/tmp', /choose one below it, such as \/tmp\/holdfast$/],
    ['/tmp/', /is a directory of the system/],
    ['/dev/shm', /is a directory of the system/],
    ['/proc/x', /lies below \/proc/],
    ['/dev/x', /lies below \/dev/],
    ['/run/holdfast/x', /lies below \/run\/holdfast/],
    ['/srv/with space', /spaces or signs/],
    ['/srv/$HOME', /spaces or signs/],
    ['/srv/"x"', /spaces or signs/],
    ['/srv/two\nlines', /spaces or signs/],
    ['/srv/;x', /spaces or signs/],
    [`/srv/${'a/'.repeat(300)}`, /bytes long/],
  ])('is not %j, and that is said in one sentence', (home, why) => {
    expect(() => check(home)).toThrow(
      expect.objectContaining({ code: 'set-up-missing', message: expect.stringMatching(why) }),
    );
  });

  test('is the directory behind a symbolic link, as the kernel names what is mounted there', () => {
    mkdirSync(join(directory, 'real'));
    symlinkSync('real', join(directory, 'link'));
    const home = (path: string): string => readConfiguration({ HOLDFAST_HOME: path }).home;
    expect(home(join(directory, 'link'))).toBe(join(directory, 'real'));
    expect(home(join(directory, 'link', 'not', 'there', ''))).toBe(join(directory, 'real', 'not', 'there'));
    expect(readConfiguration({ HOLDFAST_HOME: join(directory, 'link') }).instance).toBe(
      readConfiguration({ HOLDFAST_HOME: join(directory, 'real') }).instance,
    );
  });

  test('may hold files of others, but not in the places of ours', () => {
    writeFileSync(join(directory, 'start.log'), '');
    expect(() => check(directory)).not.toThrow();
    writeFileSync(join(directory, 'volumes'), '');
    expect(() => check(directory)).toThrow(/holds .*\/volumes, which is not Holdfast's/);
  });

  test('is no file, and does not lie inside of another home', () => {
    writeFileSync(join(directory, 'file'), '');
    expect(() => check(join(directory, 'file'))).toThrow(/is not a directory/);
    writeFileSync(join(directory, 'version.json'), '{}');
    mkdirSync(join(directory, 'agent'));
    expect(() => check(join(directory, 'volumes', 'x'))).toThrow(/the home of another platform/);
  });
});
