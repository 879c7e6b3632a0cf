import type { Reporter, TestCase } from 'vitest/node';

/**
 * Lists the tests that failed and then passed. Continuous integration gives each test a second try, so that a busy machine alone does not turn
 * it red; such a test is still a fault to be looked into, and must not pass in silence.
 */
export class SecondTryReporter implements Reporter {
  readonly #passed: string[] = [];

  onTestCaseResult(test: TestCase): void {
    if (!test.diagnostic()?.flaky) return;
    const reasons = (test.result().errors ?? []).map(({ message }) => message.split('\n', 1)[0]);
    this.#passed.push(`${test.module.relativeModuleId} > ${test.fullName}: ${reasons.join('; ')}`);
  }

  onTestRunEnd(): void {
    if (this.#passed.length === 0) return;
    const lines = this.#passed.map((line) => `  ${line}\n`);
    process.stdout.write(
      `Passed only at the second try (${lines.length}), each a fault to be looked into:\n${lines.join('')}`,
    );
  }
}
