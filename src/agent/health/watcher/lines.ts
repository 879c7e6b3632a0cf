/** Splits a stream of text into lines. A line longer than `limit` bytes is a defect of the other end: it is thrown away. */
export function lineSplitter(onLine: (line: string) => void, limit = 1024 * 1024): (chunk: string) => void {
  let rest = '';
  return (chunk) => {
    rest += chunk;
    for (let end = rest.indexOf('\n'); end >= 0; end = rest.indexOf('\n')) {
      const line = rest.slice(0, end);
      rest = rest.slice(end + 1);
      if (line !== '') onLine(line);
    }
    if (rest.length > limit) rest = '';
  };
}
