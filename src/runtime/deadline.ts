import { HoldfastError } from '../protocol/errors.ts';

/** Waits for a promise, but no longer than `milliseconds`; then throws `deadline-passed` saying what was waited for. */
export async function within<T>(milliseconds: number, what: string, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () => reject(new HoldfastError('deadline-passed', `${what} took longer than ${milliseconds} ms.`)),
      milliseconds,
    );
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Asks `condition` every `everyMs` until it is true, at most `milliseconds`; then throws `deadline-passed`. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
  milliseconds: number,
  everyMs = 20,
): Promise<void> {
  const end = performance.now() + milliseconds;
  for (;;) {
    if (await condition()) return;
    if (performance.now() >= end)
      throw new HoldfastError('deadline-passed', `${what} did not happen within ${milliseconds} ms.`);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
