import type { Reporter, TestCase } from 'vitest/node';

/**
 * What the ordinary report leaves out, at the end of the run.
 *
 * The details of an error, such as the last lines of a command that failed: without them a failure on a machine that is gone explains nothing.
 * And the tests that failed and then passed: continuous integration gives each test a second try, so that a busy machine alone does not turn it
 * red; such a test is still a fault to be looked into, and must not pass in silence.
 */
export class FailureReporter implements Reporter {
  readonly #details: string[] = [];
  readonly #secondTry: string[] = [];

  onTestCaseResult(test: TestCase): void {
    const name = `${test.module.relativeModuleId} > ${test.fullName}`;
    const errors = test.result().errors ?? [];
    for (const { message, details } of errors as readonly { message: string; details?: unknown }[]) {
      if (Array.isArray(details) && details.length > 0)
        this.#details.push(`${name}: ${firstLine(message)}`, ...details.map((line) => `  ${String(line)}`));
    }
    if (test.diagnostic()?.flaky)
      this.#secondTry.push(`${name}: ${errors.map(({ message }) => firstLine(message)).join('; ')}`);
  }

  onTestRunEnd(): void {
    print('Details of what failed', this.#details);
    print(`Passed only at the second try (${this.#secondTry.length}), each a fault to be looked into`, this.#secondTry);
  }
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? '';
}

function print(title: string, lines: readonly string[]): void {
  if (lines.length > 0) process.stdout.write(`${title}:\n${lines.map((line) => `  ${line}\n`).join('')}`);
}
