import { expect, test } from 'vitest';
import { readConfiguration } from '../runtime/config.ts';
import { reportError } from './output.ts';
import { holdfastCommand } from './program.ts';

async function exitCodeOf(...words: string[]): Promise<number> {
  const program = holdfastCommand(readConfiguration({ HOLDFAST_HOME: '/nowhere' }));
  const quiet = { writeOut: () => undefined, writeErr: () => undefined };
  for (const command of [program, ...program.commands, ...program.commands.flatMap((one) => one.commands)])
    command.configureOutput(quiet);
  return await program.parseAsync(words, { from: 'user' }).then(() => 0, reportError);
}

test.each([['status', '--nonsense'], ['nonsense'], ['volume', 'create'], ['volume', 'list', '--nonsense']])(
  'words that are not understood are wrong input: %s %s',
  async (...words) => {
    expect(await exitCodeOf(...words)).toBe(64);
  },
);

test.each([['--help'], ['--version'], ['volume', '--help']])('whoever asks for help gets it: %s', async (...words) => {
  expect(await exitCodeOf(...words)).toBe(0);
});
