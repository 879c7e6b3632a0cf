import { describe, expect, test } from 'vitest';
import type { SiteView } from '../../../../src/protocol/browser.ts';
import { needsReload, previewOf, siteOfFile } from './site-edits.ts';

const site: SiteView = {
  id: '0123456789ab', account: 'alice', domain: 'alice.localhost', url: '', kind: 'wsgi', enabled: true, pythonVersion: '3.11',
  virtualenv: '', sourceDirectory: '/home/alice/mysite', workingDirectory: '/home/alice/', wsgiFile: '/var/www/alice_localhost_wsgi.py',
  command: '', forceHttps: false, protection: null, staticFiles: [{ id: 7, url: '/static/', path: '/home/alice/static' }],
  staticHeaders: [], stopFirst: false, workers: 1, createdAt: '', storage: 'serving', status: null, certificate: null,
}; // prettier-ignore

describe('the preview of a change', () => {
  test('keeps the ids of rows that stay and gives new rows ids of their own', () => {
    const next = previewOf(site, { staticFiles: [{ url: '/static/', path: '/home/alice/static' }, { url: '/a/', path: '/a' }, { url: '/b/', path: '/b' }] }); // prettier-ignore
    expect(next.staticFiles.map((row) => row.id)).toEqual([7, -1, -2]);
  });

  test('never holds a password', () => {
    expect(previewOf(site, { protection: { username: 'friends', password: 'secret' } }).protection).toEqual({
      username: 'friends',
    });
    expect(previewOf(site, { protection: null }).protection).toBeNull();
  });
});

test('what the gateway does takes effect at once, what the program does at the next reload', () => {
  expect(needsReload({ forceHttps: true, protection: null })).toBe(false);
  expect(needsReload({ virtualenv: '/x' })).toBe(true);
  expect(needsReload({ staticFiles: [] })).toBe(true);
});

describe('the site of a file', () => {
  const inner: SiteView = {
    ...site,
    id: 'b',
    sourceDirectory: '/home/alice/mysite/inner',
    wsgiFile: '/var/www/inner_wsgi.py',
  };
  const whole: SiteView = { ...site, id: 'c', sourceDirectory: '/home/alice', wsgiFile: null };

  test('is found by its WSGI file and by the closest source directory', () => {
    expect(siteOfFile([site, inner, whole], '/var/www/inner_wsgi.py', '/home/alice')?.id).toBe('b');
    expect(siteOfFile([site, inner, whole], '/home/alice/mysite/inner/x.py', '/home/alice')?.id).toBe('b');
    expect(siteOfFile([site, inner, whole], '/home/alice/mysite/x.py', '/home/alice')?.id).toBe(site.id);
  });

  test('is nobody for a file outside, even when a site has the whole home as its source', () => {
    expect(siteOfFile([site, whole], '/home/alice/notes.txt', '/home/alice')).toBeUndefined();
    expect(siteOfFile([site], '/home/alice/mysite2/x.py', '/home/alice')).toBeUndefined();
  });
});
