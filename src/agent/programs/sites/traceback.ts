/** The last traceback in what a program wrote, in Python's format, wherever it was indented to. */
export interface Traceback {
  /** Its last line: "KeyError: 'name'". */
  summary: string;
  /** The member's own line that was reached last, "/home/ada/app.py, line 12"; undefined when there is none. */
  place: string | undefined;
}

/** How the guard of WSGI programs begins an entry; its next line is the summary. The traceback follows when there are frames to show. */
const ENTRY = /^(\d{4}-\d\d-\d\d [\d:,]+: )Error running WSGI application$/;
const SUMMARY = /^([A-Za-z_][\w.]*)(: .*)?$/;

const OWN = /^\/(home|var\/www|tmp)\//;

/**
 * Finds it; undefined when there is no whole traceback. An entry of the guard without frames, since none of them was the member's (a call
 * that does not fit the application), has its summary all the same. A line of another program between the lines of one does no harm.
 */
export function lastTraceback(lines: readonly string[]): Traceback | undefined {
  let found: Traceback | undefined;
  let indent: string | undefined;
  let place: string | undefined;
  for (const [index, line] of lines.entries()) {
    const entry = line.match(ENTRY);
    if (entry !== null) {
      const summary = (lines[index + 1] ?? '').slice(entry[1]?.length).match(SUMMARY);
      if (summary !== null) found = { summary: summary[0].slice(0, 300), place: undefined };
      indent = undefined;
      continue;
    }
    const begin = line.match(/^(.*?)Traceback \(most recent call last\):\s*$/);
    if (begin !== null) {
      indent = begin[1] ?? '';
      place = undefined;
      continue;
    }
    if (indent === undefined) continue;
    const frame = line.match(/^\s*File "([^"]+)", line (\d+)/);
    if (frame !== null) {
      const [, file = '', number = ''] = frame;
      if (OWN.test(file) && !/\/(site-packages|dist-packages)\/|\/lib\/python/.test(file))
        place = `${file}, line ${number}`;
      continue;
    }
    const end = line.startsWith(indent) ? line.slice(indent.length).match(SUMMARY) : null;
    if (end === null) continue;
    found = { summary: end[0].slice(0, 300), place };
    indent = undefined;
  }
  return found;
}
