/** What a shell shows for a program that ended because nobody reads its output: 128 + SIGPIPE. */
const READER_GONE = 141;
/** What a shell shows for a program that Ctrl-C ended: 128 + SIGINT. */
export const INTERRUPTED = 130;

let outliving = false;

/** From now on the command goes on without a reader: it holds up something that must not end with `| head`. */
export function outliveReader(): void {
  outliving = true;
}

/**
 * Node ignores SIGPIPE, so a reader that has seen enough (`| head -1`) comes as an error of the stream. It is no fault of anybody:
 * the command ends at once and without a word, as other programs do.
 */
export function endWithReader(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      // A terminal that was closed answers EIO.
      if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error;
      if (!outliving) process.exit(READER_GONE);
    });
  }
}
