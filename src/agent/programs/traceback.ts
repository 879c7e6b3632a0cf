/** The last traceback in what a program wrote, in Python's format, wherever it was indented to. */
export interface Traceback {
  /** Its last line: "KeyError: 'name'". */
  summary: string;
  /** The member's own line that was reached last, "/home/ada/app.py, line 12"; undefined when there is none. */
  place: string | undefined;
}

const OWN = /^\/(home|var\/www|tmp)\//;

/** Finds it; undefined when there is no whole traceback. A line of another program between the lines of one does no harm. */
export function lastTraceback(lines: readonly string[]): Traceback | undefined {
  let found: Traceback | undefined;
  let indent: string | undefined;
  let place: string | undefined;
  for (const line of lines) {
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
    const end = line.startsWith(indent) ? line.slice(indent.length).match(/^([A-Za-z_][\w.]*)(: .*)?$/) : null;
    if (end === null) continue;
    found = { summary: end[0].slice(0, 300), place };
    indent = undefined;
  }
  return found;
}
