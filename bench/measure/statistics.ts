/** Statistics of measurements. Pure. */

/** The value below which `share` (0 to 1) of the values lie: nearest rank, so it is always one that was measured. */
export function percentile(values: readonly number[], share: number): number {
  if (values.length === 0) throw new Error('There is no percentile of no values.');
  if (share < 0 || share > 1) throw new Error(`${share} is not a share between 0 and 1.`);
  const sorted = values.toSorted((a, b) => a - b);
  const rank = Math.max(1, Math.ceil(share * sorted.length));
  return sorted[rank - 1] ?? Number.NaN;
}

/** The middle value, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new Error('There is no median of no values.');
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

export function largest(values: readonly number[]): number {
  return values.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
}

/**
 * The order of an interleaved comparison: A B, B A, A B ... so that what drifts on the machine (heat, caches, neighbours)
 * meets both sides alike.
 */
export function interleaved<T>(a: T, b: T, rounds: number): T[] {
  return Array.from({ length: rounds }, (_, round) => (round % 2 === 0 ? [a, b] : [b, a])).flat();
}
