import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { accountNameProblem, domainProblem, normaliseDomain, volumeNameProblem, wsgiFileName } from './names.ts';

describe('account names', () => {
  it.each(['al', 'alice', 'a1', 'x'.repeat(30)])('can be %s', (name) =>
    expect(accountNameProblem(name)).toBeUndefined(),
  );
  it.each(['', 'a', 'Alice', '1a', 'a-b', 'a.b', 'a b', '../x', 'root', 'www', 'x'.repeat(31), 'ünal', 'a\0b'])(
    'cannot be %j',
    (name) => expect(accountNameProblem(name)).toEqual(expect.any(String)),
  );
  it('are safe as a path component, a host label and an argument whenever they are accepted', () => {
    fc.assert(
      fc.property(fc.string(), (name) => {
        if (accountNameProblem(name) === undefined) expect(name).toMatch(/^[a-z][a-z0-9]+$/);
      }),
    );
  });
});

describe('volume names', () => {
  it('accept short lower-case words', () => expect(volumeNameProblem('home-1')).toBeUndefined());
  it.each(['', 'Home', '1x', '../a', 'a/b', '-a'])('refuse %j', (name) =>
    expect(volumeNameProblem(name)).toBeDefined(),
  );
});

describe('domains', () => {
  const problem = (domain: string): string | undefined => domainProblem(domain, 'alice', 'example.org');
  it.each(['alice.example.org', 'shop-alice.example.org', 'www.alice.net', 'a.b.c.d.io', 'xn--bcher-kva.example'])(
    'can be %s',
    (domain) => expect(problem(domain)).toBeUndefined(),
  );
  it.each([
    'example.org',
    'www.example.org',
    'bob.example.org',
    'alice.x.example.org',
    'x.alice.example.org',
    'bobalice.example.org',
    'alice',
    '1.2.3.4',
    '-a.com',
    'a..com',
    'a_b.com',
    `${'a'.repeat(64)}.com`,
    `${'a.'.repeat(130)}com`,
    'a b.com',
    'a/../b.com',
    '',
  ])('cannot be %j', (domain) => expect(problem(domain)).toEqual(expect.any(String)));
  it('with letters beyond a to z are told of their xn-- form', () => {
    expect(problem('bücher.example')).toContain('xn--');
  });
  it('that are accepted hold nothing but letters, digits, hyphens and dots, so they are safe in paths and configurations', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.domain()), (domain) => {
        const normal = normaliseDomain(domain);
        if (problem(normal) === undefined) expect(normal).toMatch(/^[a-z0-9][a-z0-9.-]*[a-z0-9]$/);
      }),
    );
  });
  it('name their WSGI file as PythonAnywhere does', () => {
    expect(wsgiFileName('Alice.PythonAnywhere.com')).toBe('alice_pythonanywhere_com_wsgi.py');
  });
});
