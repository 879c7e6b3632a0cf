import { describe, expect, test } from 'vitest';
import type { FileEntry } from '../../../../src/protocol/files.ts';
import { decodeContent } from './content.ts';
import { arrange, directoriesOf, formatMode } from './listing.ts';
import { checkPython } from './python-checks.ts';
import { totalsOf, type Upload } from './uploads.ts';

function entry(
  name: string,
  type: FileEntry['type'] = 'file',
  size = 0,
  modifiedAt = '2026-01-01T00:00:00Z',
): FileEntry {
  return { name, type, size, modifiedAt, mode: 0o644 };
}

describe('a listing', () => {
  const entries = [
    entry('file10', 'file', 5),
    entry('File2', 'file', 9),
    entry('src', 'directory'),
    entry('a', 'file', 7),
  ];

  test('has directories first and counts like people do', () => {
    expect(arrange(entries, { key: 'name', down: false }, '').map((item) => item.name)).toEqual([
      'src',
      'a',
      'File2',
      'file10',
    ]);
  });

  test('keeps directories first in every order', () => {
    expect(arrange(entries, { key: 'size', down: true }, '').map((item) => item.name)).toEqual([
      'src',
      'File2',
      'a',
      'file10',
    ]);
  });

  test('is filtered whatever the case', () => {
    expect(arrange(entries, { key: 'name', down: false }, ' FILE').map((item) => item.name)).toEqual([
      'File2',
      'file10',
    ]);
  });
});

test('directories of a dropped tree are made from the outside in, once', () => {
  expect(directoriesOf(['top/b/c/x.txt', 'top/y.txt', 'z.txt', 'top/b/w.txt'])).toEqual(['top', 'top/b', 'top/b/c']);
});

test('modes are shown as everybody knows them', () => {
  expect(formatMode(0o755)).toBe('rwxr-xr-x');
  expect(formatMode(0o100640)).toBe('rw-r-----');
});

describe('a file to edit', () => {
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

  test('is text when it is UTF-8, with its line ends remembered', () => {
    expect(decodeContent(bytes('grüß\n'))).toEqual({ kind: 'text', text: 'grüß\n', crlf: false });
    expect(decodeContent(bytes('a\r\nb'))).toEqual({ kind: 'text', text: 'a\nb', crlf: true });
  });

  test('keeps a byte order mark, so that saving does not change the file', () => {
    expect(decodeContent(bytes('\ufeffx'))).toMatchObject({ text: '\ufeffx' });
  });

  test('is refused when editing it as text would damage it', () => {
    expect(decodeContent(new Uint8Array([0x50, 0x4b, 0, 1])).kind).toBe('binary');
    expect(decodeContent(new Uint8Array([0xff, 0xfe, 0x41])).kind).toBe('binary');
  });
});

describe('the Python checks', () => {
  test('find nothing in good code', () => {
    expect(
      checkPython(
        'from flask import Flask\n\napp = Flask(__name__)\n\n\n@app.get("/")\nasync def hello() -> str:\n    match 1:\n        case _:\n            return f"{1 + 1}"\n',
      ),
    ).toEqual([]);
    expect(checkPython('')).toEqual([]);
  });

  test('point at broken code', () => {
    const text = 'def broken(:\n    return 1\n';
    const findings = checkPython(text);
    expect(findings[0]).toMatchObject({ severity: 'error' });
    expect(findings[0]?.to).toBeLessThanOrEqual(text.length);
  });

  test('point at tabs among spaces', () => {
    expect(checkPython('if True:\n    a = 1\nif True:\n\tb = 1\n')).toContainEqual(
      expect.objectContaining({ severity: 'warning' }),
    );
    expect(checkPython('if True:\n \ta = 1\n')).toContainEqual(
      expect.objectContaining({ message: expect.stringContaining('mixed') as string }),
    );
  });

  test('warn of a server started while the site is being loaded, but not under the usual condition', () => {
    expect(checkPython('app.run()\n')).toContainEqual(expect.objectContaining({ severity: 'warning' }));
    expect(checkPython('if __name__ == "__main__":\n    app.run()\n')).toEqual([]);
  });
});

test('all uploads together: cancelled ones do not count, failed ones do not move the bar', () => {
  const upload = (state: Upload['state'], size: number, sent: number): Upload => ({
    id: sent,
    path: '/x',
    size,
    sent,
    state,
    error: null,
  });
  expect(
    totalsOf([
      upload('done', 100, 100),
      upload('running', 100, 50),
      upload('cancelled', 900, 10),
      upload('failed', 200, 200),
    ]),
  ).toEqual({
    files: 3,
    ended: 1,
    failed: 1,
    share: 0.375,
    active: true,
  });
  expect(totalsOf([])).toMatchObject({ share: 1, active: false });
});
