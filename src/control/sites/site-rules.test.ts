import { assert, integer, property } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkDirectory, checkHeader, checkMapping, checkVirtualenv, matchPython, usualDomain } from './site-rules.ts';

const available = [{ version: '3.13' }, { version: '3.11' }, { version: '3.10' }];

describe('the Python that was asked for', () => {
  it.each([
    ['3.11', '3.11'],
    ['python3.11', '3.11'],
    ['python311', '3.11'],
    ['311', '3.11'],
    [' Python3.13 ', '3.13'],
    [3.11, '3.11'],
    [3.1, '3.10'],
    ['3.1', '3.10'],
    ['3.12', undefined],
    ['', undefined],
    ['python', undefined],
    ['3', undefined],
    ['3.11.2', undefined],
  ])('%s is %s', (asked, version) => {
    expect(matchPython(asked, available)).toBe(version);
  });

  it('is found in every spelling of every version', () => {
    assert(
      property(integer({ min: 2, max: 3 }), integer({ min: 0, max: 99 }), (major, minor) => {
        const version = `${major}.${minor}`;
        for (const asked of [version, `python${version}`, `python${major}${minor}`]) {
          expect(matchPython(asked, [{ version }])).toBe(version);
        }
      }),
    );
  });
});

describe('paths that members type', () => {
  it.each([
    ['~/x', '/home/alice/x'],
    ['~', '/home/alice'],
    ['x', '/home/alice/x'],
    ['/tmp/x', '/tmp/x'],
    ['  /home/alice/x/ ', '/home/alice/x/'],
    ['', ''],
  ])('%s means %s', (typed, meant) => {
    expect(checkDirectory(typed, 'alice', 'f')).toBe(meant);
  });

  it.each(['../x', '/home/alice/../bob', 'a\nb', 'a\0b'])('%j is refused', (typed) => {
    expect(() => checkDirectory(typed, 'alice', 'f')).toThrow('is not a path here');
  });

  it.each([
    ['v', '/home/alice/.virtualenvs/v'],
    ['~/v', '/home/alice/v'],
    ['/home/alice/v/', '/home/alice/v'],
    ['', ''],
  ])('the virtualenv %s is %s', (typed, meant) => {
    expect(checkVirtualenv(typed, 'alice')).toBe(meant);
  });
});

describe('what nginx and uWSGI are handed', () => {
  it.each([
    { url: '/', name: 'X Y', value: '' },
    { url: '/', name: '', value: '' },
    { url: '/', name: 'X', value: 'a\r\nSet-Cookie: b' },
    { url: '/\n', name: 'X', value: '' },
  ])('refuses the header %j', (header) => {
    expect(() => checkHeader(header)).toThrow(/header/);
  });

  it('refuses mappings that leave their directory, and says why', () => {
    const twisted = { url: '/up', path: '/home/alice/st/../st/pub' };
    expect(() => checkMapping(twisted, 'alice')).toThrow(/cannot be mapped: .* "\.\."/);
    expect(() => checkMapping({ url: '/x\n', path: '/x' }, 'alice')).toThrow(/cannot be mapped: .* control characters/);
    expect(() => checkDirectory('~/st/../pub', 'alice', 'sourceDirectory')).toThrow(/"\.\."/);
    expect(() => checkMapping({ url: '/', path: '/home/alice/../bob' }, 'alice')).toThrow('cannot be mapped');
    expect(() => checkMapping({ url: '/', path: '~/../bob' }, 'alice')).toThrow('cannot be mapped');
    expect(() => checkMapping({ url: '/\u007f', path: '/x' }, 'alice')).toThrow('cannot be mapped');
    expect(() => checkMapping({ url: '/', path: '~bob/x' }, 'alice')).toThrow('is not a directory of yours');
    expect(() => checkMapping({ url: '/', path: '~root' }, 'alice')).toThrow('is not a directory of yours');
  });

  it.each([
    ['/home/alice/static', '/home/alice/static'],
    ['~/static/', '/home/alice/static/'],
    ['~', '/home/alice'],
    ['~alice/static', '/home/alice/static'],
    [' mysite/static ', '/home/alice/mysite/static'],
    ['/home/alice/a~b/~', '/home/alice/a~b/~'],
    ['', ''],
  ])('keeps the directory %j of a mapping as %j', (typed, kept) => {
    expect(checkMapping({ id: 1, url: '/s/', path: typed }, 'alice')).toEqual({ id: 1, url: '/s/', path: kept });
  });
});

describe('a domain with letters beyond a to z', () => {
  it.each([
    ['Bücher.example', 'xn--bcher-kva.example'],
    ['www.ГОСТ.example.', 'www.xn--c1awje.example'],
    ['ü/../b.com', 'ü/../b.com'],
    ['0x7f.1', '0x7f.1'],
    ['Shop-Alice.Example.org.', 'shop-alice.example.org'],
    ['a b.com', 'a b.com'],
    ['a/../b.com', 'a/../b.com'],
    ['', ''],
  ])('%j is kept as %j', (typed, kept) => expect(usualDomain(typed)).toBe(kept));
});
