import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { memberPath, rootOf, writablePath } from './member-paths.ts';

describe('the paths of a member', () => {
  it.each([
    ['/home/alice', '/home/alice'],
    ['//home/alice///a/./b/', '/home/alice/a/b'],
    ['/tmp/', '/tmp'],
    ['/var/log/x.log.1/', '/var/log/x.log.1'],
  ])('%s is %s', (given, path) => expect(memberPath('alice', given).path).toBe(path));

  it.each(['/', '/home', '/home/bob/x', '/home/alicex', '/etc/passwd', '/var', '/var/www2'])(
    '%s is not there',
    (given) => {
      expect(() => memberPath('alice', given)).toThrow(expect.objectContaining({ code: 'not-found' }) as Error);
      expect(() => writablePath('alice', given)).toThrow(expect.objectContaining({ code: 'forbidden' }) as Error);
    },
  );

  it.each(['home/alice', '', '/home/alice/../bob', '/tmp/a\0b', '/tmp/..'])('%j is refused', (given) => {
    expect(() => memberPath('alice', given)).toThrow(expect.objectContaining({ code: 'input-invalid' }) as Error);
  });

  it.each(['/home/alice', '/tmp/', '/var/www', '/var/log', '/var/log/a.log'])('%s itself is never written', (given) => {
    expect(() => writablePath('alice', given)).toThrow(expect.objectContaining({ code: 'forbidden' }) as Error);
  });

  it('never leave the directories of the account', () => {
    const part = fc.constantFrom('home', 'alice', 'bob', 'tmp', 'var', 'www', '.', '..', '', 'x', 'etc');
    fc.assert(
      fc.property(fc.array(part, { maxLength: 8 }), (parts) => {
        let path: string;
        try {
          path = writablePath('alice', `/${parts.join('/')}`).path;
        } catch {
          return;
        }
        expect(rootOf('alice', path)).toBeDefined();
        expect(path).not.toMatch(/\/\/|\/\.{1,2}(\/|$)|.\/$/);
      }),
    );
  });
});
