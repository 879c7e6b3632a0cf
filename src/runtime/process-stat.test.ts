import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseProcessStat, readProcessStat } from './process-stat.ts';

test('a process is read whatever its name is', () => {
  const name = fc.string({ maxLength: 15 }).filter((text) => !text.includes('\n'));
  fc.assert(
    fc.property(fc.nat(), name, fc.nat(), (pid, command, start) => {
      const rest = Array.from({ length: 30 }, (_, index) => String(index + 100));
      const text = `${pid} (${command}) S 7 ${rest.slice(0, 17).join(' ')} ${start} ${rest.join(' ')}`;
      expect(parseProcessStat(text)).toEqual({
        pid,
        name: command,
        state: 'S',
        parent: 7,
        startTime: String(start),
        processorTicks: 109 + 110,
      });
    }),
  );
});

test('what is no such line, or no process, is none', () => {
  expect(parseProcessStat('nonsense')).toBeUndefined();
  expect(readProcessStat('none')).toBeUndefined();
  expect(readProcessStat(process.pid)?.pid).toBe(process.pid);
});
