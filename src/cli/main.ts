import { readConfiguration } from '../runtime/config.ts';
import { reportError } from './output.ts';
import { endWithReader } from './pipes.ts';
import { holdfastCommand } from './program.ts';

endWithReader();
try {
  await holdfastCommand(readConfiguration()).parseAsync();
} catch (error) {
  process.exitCode = reportError(error);
}
