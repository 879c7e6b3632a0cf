import type { Journey, StepReport } from '../journey.ts';

/** A journey that only remembers the names of its steps and the progress it was told. */
export function plainJourney(): Journey & { steps: string[]; fractions: number[]; stop(): void } {
  const steps: string[] = [];
  const fractions: number[] = [];
  const controller = new AbortController();
  const report: StepReport = {
    progress: (fraction) => void fractions.push(fraction),
    detail: () => undefined,
    note: () => undefined,
    pace: () => undefined,
    skip: () => undefined,
  };
  return {
    steps,
    fractions,
    plan: () => undefined,
    signal: controller.signal,
    stop: () => controller.abort(),
    step: async (name, work) => {
      steps.push(name);
      return await work(report);
    },
  };
}
