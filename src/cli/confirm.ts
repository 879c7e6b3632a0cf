import { createInterface } from 'node:readline/promises';
import { HoldfastError } from '../protocol/errors.ts';

/** Asks yes or no before something is done. Without a terminal `--yes` is needed. */
export async function requireYes(question: string, given: boolean | undefined): Promise<void> {
  if (given === true) return;
  if (process.stdin.isTTY) {
    const terminal = createInterface({ input: process.stdin, output: process.stdout });
    const answer = (await terminal.question(`${question} [y/N] `)).trim().toLowerCase();
    terminal.close();
    if (answer === 'y' || answer === 'yes') return;
  }
  throw new HoldfastError('confirmation-needed', 'Nothing was done. To go on without being asked, add --yes.');
}

/** Asks for a name to be typed again before something is deleted. Without a terminal `--confirm NAME` is needed. */
export async function requireConfirmation(name: string, given: string | undefined, what: string): Promise<void> {
  let answer = given;
  if (answer === undefined && process.stdin.isTTY) {
    const terminal = createInterface({ input: process.stdin, output: process.stdout });
    answer = (await terminal.question(`${what}\nType ${name} to confirm: `)).trim();
    terminal.close();
  }
  if (answer !== name) {
    throw new HoldfastError('confirmation-needed', `Nothing was done. To confirm, repeat the name: --confirm ${name}`);
  }
}
