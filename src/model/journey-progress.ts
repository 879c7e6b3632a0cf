/** How much of the time a step usually takes beside the others: the copy is nearly all, the check after it reads it once more. */
const WEIGHTS: Readonly<Record<string, number>> = {
  Copy: 12,
  'Mirror what was written meanwhile': 2,
  Verify: 5,
};
const OTHERS = 1;

interface Step {
  name: string;
  state: 'waiting' | 'running' | 'done' | 'skipped' | 'failed';
}

/**
 * How far the whole of some work is, 0 to 1, when the step under way is at `fraction`; null while that step has no measure and no other is done. It is
 * told of all steps that are known, also those that wait, so that it has one beginning and one end.
 */
export function journeyProgress(steps: readonly Step[], fraction: number | null): number | null {
  const weights = steps.map(
    (step) => (step.name.startsWith('Scrub ') ? WEIGHTS['Verify'] : WEIGHTS[step.name]) ?? OTHERS,
  );
  const whole = weights.reduce((sum, weight) => sum + weight, 0);
  let done = 0;
  let measured = fraction !== null;
  steps.forEach((step, index) => {
    const weight = weights[index] ?? OTHERS;
    if (step.state === 'done' || step.state === 'skipped') {
      done += weight;
      measured = true;
    } else if (step.state === 'running') done += weight * Math.min(1, Math.max(0, fraction ?? 0));
  });
  return measured && whole > 0 ? done / whole : null;
}
