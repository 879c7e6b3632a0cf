import { isUtf8 } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeName, encodeName, hasRawBytes } from './names.ts';

describe('file names', () => {
  it('come back as the same bytes, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        expect(encodeName(decodeName(bytes))).toEqual(Buffer.from(bytes));
      }),
    );
  });

  it('are shown as they are when they are ordinary UTF-8', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        fc.pre(isUtf8(Buffer.from(text)) && !/[\uef80-\uefff]/.test(text));
        expect(decodeName(Buffer.from(text))).toBe(text);
        expect(hasRawBytes(text)).toBe(false);
      }),
    );
  });

  it('mark bytes that are no UTF-8, and are well-formed all the same', () => {
    const shown = decodeName(Buffer.from('caf\xe9.txt', 'latin1'));
    expect(shown).toBe('caf\uefe9.txt');
    expect(hasRawBytes(shown)).toBe(true);
    expect(shown.isWellFormed()).toBe(true);
  });
});
