import { array, assert, constantFrom, property, string } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { accountHome, completeVirtualenv, isMemberPath, memberRoots, tidyPath } from './paths.ts';

const part = constantFrom('', '.', '..', 'a', 'home', 'alice', 'alice2', 'tmp', 'var', 'www', 'log', 'b c');

describe('paths of a member', () => {
  it('have one tidy form', () => {
    expect(tidyPath('/home//alice/./x/')).toBe('/home/alice/x');
    expect(tidyPath('/')).toBe('/');
    assert(
      property(array(part), (parts) => {
        const tidy = tidyPath(`/${parts.join('/')}`);
        expect(tidyPath(tidy)).toBe(tidy);
        expect(tidy).toMatch(/^\/([^/]+(\/[^/]+)*)?$/);
      }),
    );
  });

  it("are the member's only inside its own directories, never beside them", () => {
    expect(isMemberPath('/home/alice', 'alice')).toBe(true);
    expect(isMemberPath('/home/alice2/x', 'alice')).toBe(false);
    expect(isMemberPath('/var/www2', 'alice')).toBe(false);
    assert(
      property(array(part), (parts) => {
        const tidy = tidyPath(`/${parts.filter((text) => text !== '..').join('/')}`);
        const inside = memberRoots('alice').some((root) => `${tidy}/`.startsWith(`${root}/`));
        expect(isMemberPath(tidy, 'alice')).toBe(inside);
      }),
    );
  });

  it('complete a bare virtualenv name and leave everything else', () => {
    expect(completeVirtualenv('v', 'alice')).toBe('/home/alice/.virtualenvs/v');
    assert(
      property(string(), (text) => {
        const completed = completeVirtualenv(text, 'alice');
        expect(completed === text || completed === `${accountHome('alice')}/.virtualenvs/${text}`).toBe(true);
      }),
    );
  });
});
