/** One line of a /proc/<pid>/mountinfo (proc(5)). */
export interface MountEntry {
  /** Names this mount within its namespace; /proc/<pid>/fdinfo says which one an open file is on. */
  id: string;
  /** "0:39" */
  device: string;
  root: string;
  mountPoint: string;
  type: string;
  source: string;
  /** Options of the file system itself: "ro" here means that the kernel stopped writing. */
  options: string[];
  /** Whether other mount namespaces see what is mounted below it. */
  shared: boolean;
}

/** Octal escapes of /proc/self/mountinfo: space, tab, newline, backslash. */
function unescapeMount(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_match, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

/** Parses /proc/<pid>/mountinfo (proc(5)). Lines it does not understand are left out. */
export function parseMountInfo(text: string): MountEntry[] {
  const entries: MountEntry[] = [];
  for (const line of text.split('\n')) {
    const fields = line.split(' ');
    const separator = fields.indexOf('-', 6);
    const [id, , device, root, mountPoint] = fields;
    const type = fields[separator + 1];
    const source = fields[separator + 2];
    if (separator < 0 || !id || !device || !root || !mountPoint || !type || source === undefined) continue;
    entries.push({
      id,
      device,
      root: unescapeMount(root),
      mountPoint: unescapeMount(mountPoint),
      type,
      source: unescapeMount(source),
      options: (fields[separator + 3] ?? '').split(','),
      shared: fields.slice(6, separator).some((field) => field.startsWith('shared:')),
    });
  }
  return entries;
}
