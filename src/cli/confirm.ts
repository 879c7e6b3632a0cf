import { createInterface } from 'node:readline/promises';
import { HoldfastError } from '../protocol/errors.ts';
import { INTERRUPTED } from './pipes.ts';

/** One line from the terminal; "" when the person ends the input instead (Ctrl-D). Ctrl-C ends the command. */
async function ask(question: string): Promise<string> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  const ended = new AbortController();
  // A question that is never answered would leave the process with nothing to wait for, and Node's own complaint about that.
  terminal.once('close', () => ended.abort());
  terminal.once('SIGINT', () => {
    terminal.close();
    process.stdout.write('\n');
    process.exit(INTERRUPTED);
  });
  try {
    return (await terminal.question(question, { signal: ended.signal })).trim();
  } catch (error) {
    if (!ended.signal.aborted) throw error;
    process.stdout.write('\n');
    return '';
  } finally {
    terminal.close();
  }
}

/** Asks yes or no before something is done. Without a terminal `--yes` is needed. */
export async function requireYes(question: string, given: boolean | undefined): Promise<void> {
  if (given === true) return;
  if (process.stdin.isTTY) {
    const answer = (await ask(`${question} [y/N] `)).toLowerCase();
    if (answer === 'y' || answer === 'yes') return;
  }
  throw new HoldfastError('confirmation-needed', 'Nothing was done. To go on without being asked, add --yes.');
}

/** Asks for a name to be typed again before something is deleted. Without a terminal `--confirm NAME` is needed. */
export async function requireConfirmation(name: string, given: string | undefined, what: string): Promise<void> {
  let answer = given;
  if (answer === undefined && process.stdin.isTTY) answer = await ask(`${what}\nType ${name} to confirm: `);
  if (answer !== name) {
    throw new HoldfastError('confirmation-needed', `Nothing was done. To confirm, repeat the name: --confirm ${name}`);
  }
}
