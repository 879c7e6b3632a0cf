import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseCopyStatus } from './copy-status.ts';

/** The process itself is tried by every rebuild of the contract tests. */
describe('what is told of a copy', () => {
  test.each([
    ['{"state": 0, "progress": 0, "writeErrors": 0}', { state: 'never', progress: 0, writeErrors: 0 }],
    ['{"state": 1, "progress": 125, "writeErrors": 3}', { state: 'running', progress: 0.125, writeErrors: 3 }],
    ['{"state": 2, "progress": 1000, "writeErrors": 0}', { state: 'finished', progress: 1, writeErrors: 0 }],
    ['{"state": 3, "progress": 405, "writeErrors": 0}', { state: 'canceled', progress: 0.405, writeErrors: 0 }],
    ['{"state": 4, "progress": 70, "writeErrors": 0}', { state: 'suspended', progress: 0.07, writeErrors: 0 }],
  ])('%s', (line, expected) => {
    expect(parseCopyStatus(line)).toEqual(expected);
  });

  test.each(['', 'null', '{}', '{"state": 5, "progress": 0, "writeErrors": 0}', '{"state": 1, "progress": -1}'])(
    'not understood: %s',
    (line) => {
      expect(() => parseCopyStatus(line)).toThrow(expect.objectContaining({ code: 'command-failed' }));
    },
  );

  test('whatever is printed, it is a state or an error that says so', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (line) => {
        try {
          expect(parseCopyStatus(line).progress).toBeLessThanOrEqual(1);
        } catch (error) {
          expect(error).toMatchObject({ code: 'command-failed' });
        }
      }),
    );
  });
});
