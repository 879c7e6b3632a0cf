/** What a shell shows for a program that ended because nobody reads its output: 128 + SIGPIPE. */
const READER_GONE = 141;
/** What a shell shows for a program that Ctrl-C ended: 128 + SIGINT. */
export const INTERRUPTED = 130;

let outliving = false;

/** From now on the command goes on without a reader: it holds up something that must not end with `| head`. */
export function outliveReader(): void {
  outliving = true;
}

/** How the command ends when its output cannot be written. */
export function endOf(error: NodeJS.ErrnoException): { code: number; words?: string } {
  // A terminal that was closed answers EIO.
  if (error.code === 'EPIPE' || error.code === 'EIO') return { code: READER_GONE };
  const why = error.code === 'ENOSPC' ? 'there is no space left where it goes' : error.message;
  return { code: 1, words: `The output could not be written: ${why}.` };
}

/**
 * Node ignores SIGPIPE, so a reader that has seen enough (`| head -1`) comes as an error of the stream. It is no fault of anybody:
 * the command ends at once and without a word, as other programs do.
 */
export function endWithReader(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (outliving) return;
      const { code, words } = endOf(error);
      // When this is what cannot be written either, nobody can be told.
      if (words !== undefined && stream !== process.stderr) process.stderr.write(`holdfast: ${words}\n`);
      process.exit(code);
    });
  }
}
