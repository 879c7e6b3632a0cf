import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  breadcrumbs,
  editAddress,
  fileNameProblem,
  filesAddress,
  isWithin,
  joinPath,
  nameOf,
  parentOf,
  pathInAddress,
  trimPath,
} from './paths.ts';

const name = fc
  .string({ minLength: 1, maxLength: 20, unit: 'grapheme' })
  .filter((text) => !text.includes('/') && text.isWellFormed());
const path = fc.array(name, { minLength: 1, maxLength: 5 }).map((parts) => `/${parts.join('/')}`);

describe('addresses of files', () => {
  test('any path survives the way through an address, percent signs and hashes too', () => {
    fc.assert(
      fc.property(path, (original) => {
        expect(pathInAddress(filesAddress(original), '/files')).toBe(original);
        expect(pathInAddress(editAddress(original), '/edit')).toBe(original);
      }),
    );
    expect(filesAddress('/home/alice/100% done#1?')).toBe('/files/home/alice/100%25%20done%231%3F');
  });

  test('an address typed by hand with a stray percent sign is taken as it is', () => {
    expect(pathInAddress('/files/home/alice/100%', '/files')).toBe('/home/alice/100%');
  });
});

test('a path is joined and taken apart again', () => {
  fc.assert(
    fc.property(path, name, (directory, child) => {
      const joined = joinPath(directory, child);
      expect(parentOf(joined)).toBe(trimPath(directory));
      expect(nameOf(joined)).toBe(child);
      expect(isWithin(joined, directory)).toBe(true);
    }),
  );
});

test('a directory is not above one that only begins with the same letters', () => {
  expect(isWithin('/home/alice2/x', '/home/alice')).toBe(false);
  expect(isWithin('/home/alice', '/home/alice/')).toBe(true);
});

test('breadcrumbs begin at the root a member can reach', () => {
  expect(breadcrumbs('/home/alice/mysite/static', 'alice')).toEqual([
    { path: '/home/alice', label: '/home/alice' },
    { path: '/home/alice/mysite', label: 'mysite' },
    { path: '/home/alice/mysite/static', label: 'static' },
  ]);
  expect(breadcrumbs('/etc/passwd', 'alice')).toEqual([{ path: '/etc/passwd', label: '/etc/passwd' }]);
});

test('file names that cannot be are refused with a reason', () => {
  expect(fileNameProblem('views.py')).toBeUndefined();
  expect(fileNameProblem('')).toContain('name');
  expect(fileNameProblem('..')).toContain('meaning');
  expect(fileNameProblem('a/b')).toContain('/');
  expect(fileNameProblem('ü'.repeat(128))).toContain('255');
});
