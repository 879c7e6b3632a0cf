import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { PAGE_ADDRESSES, pagesPattern } from '../../model/pages.ts';

describe('the addresses of the pages', () => {
  it('are those of the router, no more and no fewer', () => {
    const router = readFileSync(join(import.meta.dirname, '../../../web/src/router.tsx'), 'utf8');
    const routes = [...router.matchAll(/path: '([^']+)'/g)].map((match) => match[1]).filter((path) => path !== '*');
    expect(routes).toHaveLength(PAGE_ADDRESSES.length);
    expect(new Set(routes)).toEqual(new Set(PAGE_ADDRESSES));
  });

  it.each([
    '/', '/web', '/web/', '/web/new', '/web/0123456789ab', '/web/0123456789ab/logs', '/files', '/files/home/alice/a b.txt',
    '/edit/home/alice/x.py', '/user/alice', '/user/alice/', '/user/alice/webapps/', '/user/alice/webapps/alice.example.org/',
    '/user/alice/files/home/alice/', '/user/alice/account/', '/incidents/7',
  ])('know %s', (path) => expect(path).toMatch(new RegExp(pagesPattern(), 'u'))); // prettier-ignore

  it.each([
    '/nowhere',
    '/web/a/b/c',
    '/webs',
    '/storage/x',
    '/user',
    '/user/alice/consoles/1/',
    '/files2',
    '/index.php',
  ])('do not know %s', (path) => expect(path).not.toMatch(new RegExp(pagesPattern(), 'u')));
});
