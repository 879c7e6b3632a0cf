/**
 * For a process that must not end with its log: what Node itself writes to standard error (warnings) goes to `tell`, and what cannot be written
 * there or to standard output is given up. Without this a full disk or a reader that went away is an error that nobody catches.
 */
export function outliveStreams(tell: (warning: Error) => void): void {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
  // Node's own listener writes to standard error.
  process.removeAllListeners('warning');
  process.on('warning', (warning) => {
    // Started without a build step, each process would begin with one about that.
    if (warning.name !== 'ExperimentalWarning') tell(warning);
  });
}
